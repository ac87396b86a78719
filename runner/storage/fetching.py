"""Fetch files of runs from a storage, each compared with the sum that its run has recorded."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from runner.artifacts.atomic import discard, publish
from runner.artifacts.result import Artifact
from runner.errors import ConfigError

from .address import address_problems
from .place import Place, reach
from .uploader import reason_of


class UploadedRuns:
    """Tell which files of runs lie in storages, by one listing of each place, and fetch them."""

    def __init__(self) -> None:
        """Begin with no place listed."""
        self._sizes: dict[str, dict[str, int]] = {}

    def has(self, url: str, sizes: Mapping[str, int]) -> bool:
        """Return whether a place lists files of these names, each with its size.

        Raises `ConfigError` where it cannot be read, and where it is empty: as another account, or a disk that is not
        mounted, shows it.
        """
        if url not in self._sizes:
            place = _reached(url, writing=True)
            try:
                self._sizes[url] = {name: int(each["size"]) for name, each in place.told().items()}
            except Exception as error:
                raise ConfigError(f"{url} cannot be read: {reason_of(error)}", hint=_KEYS) from error
        there = self._sizes[url]
        if not there:
            raise ConfigError(f"{url} is empty", hint="the account and the place that it was uploaded to")
        return all(there.get(name) == size for name, size in sizes.items())

    def fetch(self, url: str, directory: Path, artifacts: Sequence[Artifact]) -> None:
        """Bring files from an address to a directory here, each compared with its sum; raises `ConfigError`."""
        fetch(url, directory, artifacts)


_KEYS = "docs/storage.md tells of keys"


def fetch(url: str, directory: Path, artifacts: Sequence[Artifact]) -> None:
    """Fetch files of a run from its address to a directory here, unless they are there.

    Raises `ConfigError` where they cannot be had as they were made, and `DiskError`.
    """
    lacking = [each for each in artifacts if not _is_here(directory / each.path, each)]
    if not lacking:
        return
    place = _reached(url, writing=False)
    for each in lacking:
        target = directory / each.path
        part = target.with_name(f"{target.name}.part")
        target.parent.mkdir(parents=True, exist_ok=True)
        discard(part)
        try:
            place.get(each.path, part)
        except Exception as error:
            discard(part)
            raise ConfigError(f"{url} cannot be read: {reason_of(error)}", hint=_KEYS) from error
        if not _is_here(part, each):
            discard(part)
            raise ConfigError(f"{place.address(each.path)} is not the file that its run has made")
        publish(part, target)


def _reached(url: str, *, writing: bool) -> Place:
    """Return a place, `writing`: one that may have been uploaded to; raises `ConfigError`."""
    for problem in address_problems(url, writing=writing):
        raise ConfigError(problem.text, hint=problem.hint)
    try:
        return reach(url)
    except Exception as error:
        raise ConfigError(f"{url} cannot be read: {reason_of(error)}", hint=_KEYS) from error


def _is_here(path: Path, artifact: Artifact) -> bool:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == artifact.sha256
    except OSError:
        return False
