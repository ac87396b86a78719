"""Fetch files of runs, or what tells of sweeps, from a storage; files are compared with the sum that is recorded."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath

from runner.artifacts.atomic import discard, disk_errors, has_sum, publish
from runner.artifacts.result import Artifact
from runner.artifacts.result_file import NAME as RESULT
from runner.errors import ConfigError
from runner.ledger.discover import NAME as LEDGER

from .address import address_problems
from .place import Place, reach
from .uploader import DISK_FULL, reason_of


class UploadedRuns:
    """Tell which files of runs lie in storages, by one listing of each place, and fetch them."""

    def __init__(self) -> None:
        """Begin with no place listed."""
        self._places: dict[str, tuple[Place, dict[str, int]] | ConfigError] = {}

    def has(self, url: str, sizes: Mapping[str, int]) -> bool:
        """Return whether a place lists files of these names, each with its size.

        Raises `ConfigError` where it cannot be read, and where it is empty: as another account, or a disk that is not
        mounted, shows it.
        """
        _, there = self._listed(url)
        if not there:
            raise ConfigError(f"{url} is empty", hint="the account and the place that it was uploaded to")
        return all(there.get(name) == size for name, size in sizes.items())

    def compare(self, url: str, folder: str, artifacts: Sequence[Artifact]) -> None:
        """Compare files in a folder of a place with their sums, if the place is on this machine.

        Others charge for reading. Raises `ConfigError`.
        """
        place = self._folder(url, folder)
        for each in artifacts:
            if place.path is not None and not has_sum(place.path / each.path, each.sha256):
                raise _another(place, each)

    def fetch(self, url: str, folder: str, directory: Path, artifacts: Sequence[Artifact]) -> None:
        """Bring files from a folder of a place to a directory here, each compared with its sum.

        Raises `ConfigError`, and `DiskError`.
        """
        _fetch(self._folder(url, folder), directory, artifacts)

    def _folder(self, url: str, folder: str) -> Place:
        place, _ = self._listed(url)
        return place.below("" if folder == os.curdir else Path(folder).as_posix())

    def _listed(self, url: str) -> tuple[Place, dict[str, int]]:
        """Return a place with the sizes of its files by their names; it is reached and listed once."""
        if url not in self._places:
            try:
                place = _reached(url, writing=True)
                self._places[url] = place, {name: int(each["size"]) for name, each in place.told().items()}
            except ConfigError as error:
                self._places[url] = error
            except Exception as error:  # noqa: BLE001 - whatever a library raises
                self._places[url] = ConfigError(f"{url} cannot be read: {reason_of(error)}", hint=_KEYS)
        found = self._places[url]
        if isinstance(found, ConfigError):
            raise found
        return found


_KEYS = "docs/storage.md tells of keys"


def fetch(url: str, directory: Path, artifacts: Sequence[Artifact]) -> None:
    """Fetch files of a run from its address to a directory here, unless they are there.

    Raises `ConfigError` where they cannot be had as they were made, and `DiskError`.
    """
    if any(not has_sum(directory / each.path, each.sha256) for each in artifacts):
        _fetch(_reached(url, writing=False), directory, artifacts)


def _fetch(place: Place, directory: Path, artifacts: Sequence[Artifact]) -> None:
    for each in artifacts:
        target = directory / each.path
        if has_sum(target, each.sha256):
            continue
        part = target.with_name(f"{target.name}.part")
        with disk_errors(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            part.unlink(missing_ok=True)
            try:
                place.get(each.path, part)
            except Exception as error:
                discard(part)
                if isinstance(error, OSError) and error.errno in DISK_FULL:
                    raise
                raise ConfigError(f"{place.url} cannot be read: {reason_of(error)}", hint=_KEYS) from error
        if not has_sum(part, each.sha256):
            discard(part)
            raise _another(place, each)
        publish(part, target)


def _another(place: Place, artifact: Artifact) -> ConfigError:
    message = f"{place.address(artifact.path)} is not the file that its run has made"
    return ConfigError(message, hint="once it is deleted there, it counts as lost")


def _reached(url: str, *, writing: bool) -> Place:
    """Return a place, `writing`: one that may have been uploaded to; raises `ConfigError`."""
    for problem in address_problems(url, writing=writing):
        raise ConfigError(problem.text, hint=problem.hint)
    try:
        return reach(url)
    except Exception as error:
        raise ConfigError(f"{url} cannot be read: {reason_of(error)}", hint=_KEYS) from error


_BESIDE = ("multirun.yaml", "ratings.jsonl", "scores.jsonl")
"""What a sweep's directory holds beside its ledger that tells of its runs."""


def fetch_records(url: str, into: Path) -> Place:
    """Fetch the records below an address into a directory, each by the path that it has there; return the address.

    Raises `ConfigError` where it cannot be read, or holds neither a sweep nor a run.
    """
    for problem in address_problems(url, writing=False):
        raise ConfigError(problem.text, hint=problem.hint)
    try:
        place = reach(url)
        names = [name for name in _names(place) if _is_inside(name)]
        for name in names:
            content = place.read(name)
            if content is not None:
                target = into / name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
    except Exception as error:
        raise ConfigError(f"{url} cannot be read: {reason_of(error)}", hint="docs/storage.md tells of keys") from error
    if not any(PurePosixPath(name).name in (LEDGER, RESULT) for name in names):
        raise ConfigError(f"{url} holds no sweep and no run", hint="the address of a sweep, as its end has named it")
    return place


def _is_inside(name: str) -> bool:
    """Return whether a name leads below a directory: a storage may hold names that lead out of it."""
    parts = {*name.split("/")}
    return "\\" not in name and not PureWindowsPath(name).is_absolute() and parts.isdisjoint({"", ".", ".."})


def _names(place: Place) -> Iterator[str]:
    """Yield the names of the records: of a sweep without a look at its runs, which its ledger tells of."""
    if place.exists(LEDGER):
        yield from (LEDGER, *_BESIDE)
        return
    there = place.told()
    sweeps = {name.removesuffix(LEDGER) for name in there if PurePosixPath(name).name == LEDGER}
    for name in there:
        told = PurePosixPath(name).name in (RESULT, *_BESIDE) and not _lies_in(name, sweeps)
        if told or any(name == f"{sweep}{own}" for sweep in sweeps for own in (LEDGER, *_BESIDE)):
            yield name


def _lies_in(name: str, sweeps: Iterable[str]) -> bool:
    return any(name.startswith(sweep) for sweep in sweeps)
