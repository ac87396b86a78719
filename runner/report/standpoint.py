"""Where files lie, told from a directory: as text, and as addresses in a page."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote


def address(path: str) -> str:
    """A relative path as an address; names may hold `#`, `?`, `%` and what is no text."""
    return "/".join(_segment(segment) for segment in path.replace(os.sep, "/").split("/"))


@lru_cache(1024)
def _segment(name: str) -> str:
    return quote(os.fsencode(name), safe="")


class Standpoint:
    """A directory from which paths are told."""

    def __init__(self, directory: Path) -> None:
        self._here = os.getcwd()  # noqa: PTH109 - all of it is done for each of thousands of runs, and pathlib is slow
        self._directory = os.path.abspath(directory)  # noqa: PTH100
        self._inside = os.path.join(self._directory, "")  # noqa: PTH118

    def name(self, path: Path) -> str:
        """What a run in `path` is called from its sweep's directory, as in 09-30-00-x7k2/12.

        From its own or a strange one, by the last two parts of its path, as in 2026-11-23/09-30-00-x7k2.
        """
        place = os.path.abspath(path)  # noqa: PTH100
        if place.startswith(self._inside):
            below = place[len(self._inside) :].replace(os.sep, "/")
            return f"{os.path.basename(self._directory)}/{below}"  # noqa: PTH119
        return "/".join(place.split(os.sep)[-2:])  # noqa: PTH206

    def relative(self, path: Path) -> str:
        """The path from here; the whole one where there is no other, as between drives."""
        whole = os.path.join(self._here, path)  # noqa: PTH118
        if whole.startswith(self._inside) and ".." not in whole:
            return whole[len(self._inside) :] or "."
        try:
            return os.path.relpath(whole, self._directory)
        except ValueError:
            return whole
