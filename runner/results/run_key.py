"""Tell runs apart by a key that is the same wherever they are shown, and know their directories relative to others."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from runner.artifacts.result import Result


def run_key(name: str, result: Result) -> str:
    """Return what tells a run from others: the same on every page, but new where its directory was used again.

    `name` is what its directory is called from its sweep's, by `RelativePaths.name`.
    """
    return f"{name}/{work_mark(result)}"


def work_mark(result: Result) -> str:
    """Return the key's last part, which tells what was asked for: request, model and replica."""
    work = repr((dict(result.config.request), result.config.model.name, result.config.replica))
    return hashlib.sha256(work.encode("utf-8", "replace")).hexdigest()[:8]


class RelativePaths:
    """Return paths relative to a directory."""

    def __init__(self, directory: Path) -> None:
        self._here = os.getcwd()  # noqa: PTH109 - all of it is done for each of thousands of runs, and pathlib is slow
        self._directory = os.path.abspath(directory)  # noqa: PTH100
        self._inside = os.path.join(self._directory, "")  # noqa: PTH118

    def name(self, path: Path) -> str:
        """Return what a run in `path` is called from its sweep's directory, as in 09-30-00-x7k2/12.

        From its own or a strange one, by the last two parts of its path, as in 2026-11-23/09-30-00-x7k2.
        """
        place = os.path.abspath(path)  # noqa: PTH100
        if place.startswith(self._inside):
            below = place[len(self._inside) :].replace(os.sep, "/")
            return f"{os.path.basename(self._directory)}/{below}"  # noqa: PTH119
        return "/".join(place.split(os.sep)[-2:])  # noqa: PTH206

    def relative(self, path: Path) -> str:
        """Return the path from here; the whole one where there is no other, as between drives."""
        whole = os.path.join(self._here, path)  # noqa: PTH118
        if whole.startswith(self._inside) and ".." not in whole:
            return whole[len(self._inside) :] or "."
        try:
            return os.path.relpath(whole, self._directory)
        except ValueError:
            return whole
