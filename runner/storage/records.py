"""Fetch from a storage what tells of the sweeps at or below an address; their media stay where they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath

from runner.artifacts.result_file import NAME as RESULT
from runner.errors import ConfigError
from runner.ledger.discover import NAME as LEDGER

from .address import address_problems
from .place import Place, reach
from .uploader import reason_of

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
