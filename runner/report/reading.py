"""Directories as runs with their results: from a ledger where there is one, else from `result.json`."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from runner.artifacts.result import Result
from runner.artifacts.result_file import NAME, read_result
from runner.display import print_error
from runner.engine.journal import planned
from runner.engine.run import Run
from runner.errors import ConfigError
from runner.ledger import Acquaintance, Ledger, LedgerError, has_ledger, shelved
from runner.ledger.lock import at_work

Found = tuple[Path, Result]
"""A run's directory and what is known of it."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """Runs that are shown together.

    Attributes:
        directory: what they lie in, as the user would type it.
        runs: with their directories; those that were never begun as they were planned.
        busy: whether some may still change by themselves.
        whole: whether `resume DIRECTORY` goes on with all of them; else each run's own directory does with it.
        ways: the directory to resume for a run, by the run's, where that is another.
    """

    directory: Path
    runs: list[Found] = field(default_factory=list)
    busy: bool = False
    whole: bool = True
    ways: Mapping[Path, Path] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What tells it from others: the last two parts of its path, as in 2026-11-23/09-30-00-x7k2."""
        return "/".join(self.directory.absolute().parts[-2:])


def sweeps_of(directories: Iterable[Path]) -> list[Sweep]:
    """Every sweep at or below the directories once, single runs together at the end; raises `ConfigError`."""
    sweeps: list[Sweep] = []
    single: list[Sweep] = []
    seen: set[Path] = set()
    for directory in directories:
        found = [each for each in _at_or_below(directory) if each.directory.resolve() not in seen]
        seen |= {each.directory.resolve() for each in found}
        for each in found:
            (single if _is_single(each) else sweeps).append(each)
    found = [each for each in [*sweeps, *(single if len(single) == 1 else _together(single))] if each.runs]
    if not found:
        raise ConfigError("no run was planned there; nothing was sent", hint="python -m runner ls")
    return found


def _is_single(sweep: Sweep) -> bool:
    return len(sweep.runs) == 1 and sweep.runs[0][0] == sweep.directory


def _together(single: Sequence[Sweep]) -> Iterator[Sweep]:
    if single:
        above = Path(os.path.commonpath([each.directory.absolute() for each in single]))
        runs = [(where, result) for each in single for where, result in each.runs]
        ways = {where: way for each in single for where, way in each.ways.items()}
        yield Sweep(shown(above), runs, busy=any(each.busy for each in single), whole=False, ways=ways)


def _at_or_below(directory: Path) -> list[Sweep]:
    if has_ledger(directory):
        return [_recorded(directory)]
    if (directory / NAME).is_file():
        return [_alone(directory)]
    if (directory / "multirun.yaml").is_file():
        return [_scattered(directory)]
    found = [*_below(directory)]
    if not found:
        raise ConfigError(f"{directory} holds no sweep and no run", hint="python -m runner ls")
    return found


def _below(directory: Path) -> Iterator[Sweep]:
    """Every sweep and run of a directory that is none itself, as `outputs/`."""
    for place, folders, files in os.walk(directory):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if {"ledger.sqlite3", "multirun.yaml", NAME} & {*files}:
            folders.clear()
            try:
                yield from _at_or_below(Path(place))
            except ConfigError as error:
                print_error(error)


def _alone(directory: Path) -> Sweep:
    """A run without a ledger of its own: one of a sweep's, or one that has none."""
    runs = [(directory, read_result(directory))]
    with suppress(LedgerError):
        known = Acquaintance().find(directory.resolve())
        if known is not None:
            sweep = shown(known[0])
            return Sweep(directory, runs, busy=at_work(sweep) is not None, ways={directory: sweep})
    return Sweep(directory, runs)


def _recorded(directory: Path) -> Sweep:
    now = time.time()
    with Ledger(directory, readonly=True) as ledger:
        runs = [
            (
                directory / entry.directory,
                entry.result or planned(Run(entry.number, entry.config, directory, entry.overrides), now),
            )
            for entry in ledger.entries()
        ]
    return Sweep(directory, runs, busy=at_work(directory) is not None)


def _scattered(directory: Path) -> Sweep:
    """A sweep whose launcher is not ours: each run has its own ledger, or has lost it."""
    ledgers = [_recorded(place) for place in shelved(directory)]
    known = {where.resolve() for each in ledgers for where, _ in each.runs}
    files = [path.parent for path in directory.glob(f"*/{NAME}")]
    alone = [(place, read_result(place)) for place in files if place.resolve() not in known]
    runs = sorted([*(run for each in ledgers for run in each.runs), *alone], key=lambda run: run[1].index)
    return Sweep(directory, runs, busy=any(each.busy for each in ledgers), whole=not alone)


def shown(directory: Path) -> Path:
    """Relative to where the user stands, if it lies below."""
    here = Path.cwd()
    return directory.relative_to(here) if directory.is_relative_to(here) else directory
