"""Read directories as runs with their results, from a ledger or `result.json`, here or in a storage."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from runner.artifacts.result import Result
from runner.artifacts.result_file import NAME, read_result
from runner.artifacts.run_status import RunStatus
from runner.engine.recorder import planned
from runner.errors import ConfigError
from runner.ledger.discover import NAME as LEDGER
from runner.ledger.discover import STORAGE, find_ledgers, has_ledger, shards_of, walk
from runner.ledger.ledger import Ledger, LedgerError, unsent
from runner.ledger.lock import at_work
from runner.ledger.other_runs import LedgerIndex
from runner.shell import command, shown
from runner.storage.fetching import fetch_records
from runner.storage.place import Place

from .run_key import RelativePaths, run_key

Found = tuple[Path, Result]
"""A run's directory and what is known of it."""

_SWEEP = "multirun.yaml"
"""What Hydra leaves in a sweep's directory, whoever launches its runs."""


@dataclass(frozen=True, slots=True)
class RunGroup:
    """Hold runs that are shown together.

    Attributes:
        directory: what they lie in, as the user would type it.
        runs: with their directories; those that were not started as they were planned.
        running: the process that works on them, so that some may still change; None: none does.
        whole: whether `resume DIRECTORY` resumes all of them; else each run is resumed by its own directory.
        ways: the directory to resume for a run, by the run's, where that is another.
        stored: what of them lies in a storage, in one line; empty where nothing was uploaded.
        url: the address in a storage that they were read from; empty where they lie here.
    """

    directory: Path
    runs: list[Found] = field(default_factory=list)
    running: str | None = None
    whole: bool = True
    ways: Mapping[Path, Path] = field(default_factory=dict)
    stored: str = ""
    url: str = ""

    @property
    def name(self) -> str:
        """Return what tells it from others: the last two parts of its path, as in 2026-11-23/09-30-00-x7k2."""
        return "/".join(self.url.split("/")[-2:] if self.url else self.directory.absolute().parts[-2:])

    @property
    def busy(self) -> bool:
        """Return whether someone is at work on them."""
        return self.running is not None

    @property
    def places(self) -> Iterator[Path]:
        """Yield the directories beside its own that may hold records of its runs."""
        for where, _ in self.runs:
            yield from (self.resumed_by(where), where)

    def resumed_by(self, run: Path) -> Path:
        """Return the directory to resume for the run in the directory `run`."""
        return self.ways.get(run) or (self.directory if self.whole else shown(run))

    def run_keys(self) -> list[str]:
        """Return what each run is told from others by, the same wherever it is shown."""
        paths = cache(RelativePaths)
        return [run_key(paths(self.resumed_by(where)).name(where), result) for where, result in self.runs]

    def judged_in(self) -> dict[Path, list[str]]:
        """Return where judgements may lie, each with the keys of the runs that they may be about.

        That is the sweep's directory, or those of its runs. New ones go to the directory that resumes the run.
        """
        found: dict[Path, list[str]] = {self.directory: []}
        for key, places in zip(self.run_keys(), self._judged(), strict=True):
            for place in places:
                found.setdefault(place, []).append(key)
        return found

    def judged_places(self) -> set[Path]:
        """Return where judgements may lie."""
        if self.whole and not self.ways and has_ledger(self.directory):
            return {self.directory}
        return {self.directory}.union(*self._judged())

    def _judged(self) -> Iterator[set[Path]]:
        """Yield for each run the directories in which it may have been judged."""
        apart = not has_ledger(self.directory)  # each run may have been looked at by itself
        return ({self.directory, self.resumed_by(where), *([where] if apart else [])} for where, _ in self.runs)


@dataclass(frozen=True, slots=True)
class Reading:
    """Describe what was found in directories, and why the rest could not be read."""

    sweeps: list[RunGroup]
    unreadable: list[ConfigError]


def sweeps_of(directories: Iterable[Path]) -> Reading:
    """Return every sweep at or below the directories once, single runs together at the end.

    Raises `ConfigError` where there is no run, or where one of the directories is itself a sweep that cannot be read.
    """
    sweeps: list[RunGroup] = []
    single: list[RunGroup] = []
    unreadable: list[ConfigError] = []
    seen: set[Path] = set()
    for directory in directories:
        found = [each for each in _at_or_below(directory, unreadable) if each.directory.resolve() not in seen]
        seen |= {each.directory.resolve() for each in found}
        for each in found:
            (single if _is_single(each) else sweeps).append(each)
    found = [*sweeps, *(single if len(single) == 1 else _together(single))]
    if not any(each.runs for each in found):
        raise unreadable[0] if unreadable else _without_runs(found)
    return Reading([each for each in found if each.runs], unreadable)


def sweep_places(directory: Path) -> Iterator[Path]:
    """Yield the directories at or below one that are sweeps, or runs that are of none; nothing is read."""
    return _places(directory, {LEDGER, _SWEEP, NAME})


def sweep_at(directory: Path) -> RunGroup:
    """Return the one sweep or run that the directory is; raises `ConfigError`."""
    found = _at(directory)
    if found is None:
        # Runs of the Python API, which leave no ledger, may be looked at together.
        below = sweeps_of([directory]) if next(find_ledgers(directory), None) is None else Reading([], [])
        if len(below.sweeps) != 1 or below.unreadable:
            raise ConfigError(
                f"{directory} is neither a run nor a sweep, but holds some",
                hint=f"{command('ls', directory)} names them",
            )
        (found,) = below.sweeps
    if not found.runs:
        raise _without_runs([found])
    return found


def runs_in(directories: Iterable[Path]) -> tuple[list[Found], list[ConfigError]]:
    """Return what is known of runs with a directory each, and why others could not be read."""
    unreadable: list[ConfigError] = []
    found = [run for group in _readable(directories, unreadable) for run in group.runs]
    return found, unreadable


def _readable(directories: Iterable[Path], unreadable: list[ConfigError]) -> Iterator[RunGroup]:
    """Yield the sweeps and runs that the directories are; why others cannot be read is added to `unreadable`."""
    for directory in directories:
        try:
            found = _at(directory)
        except ConfigError as error:
            unreadable.append(error)
        else:
            yield from [found] if found else []


def _without_runs(sweeps: Sequence[RunGroup]) -> ConfigError:
    # Nothing is sent before a ledger has its runs; without a ledger that is unknown.
    planned_none = all(has_ledger(sweep.directory) for sweep in sweeps)
    what = "no run was planned there; nothing was sent" if planned_none else "no run was found there"
    return ConfigError(what, hint="python -m runner ls")


def _is_single(sweep: RunGroup) -> bool:
    return len(sweep.runs) == 1 and sweep.runs[0][0] == sweep.directory


def _together(single: Sequence[RunGroup]) -> Iterator[RunGroup]:
    if single:
        above = Path(os.path.commonpath([each.directory.absolute() for each in single]))
        runs = [(where, result) for each in single for where, result in each.runs]
        ways = {where: way for each in single for where, way in each.ways.items()}
        yield RunGroup(shown(above), runs, running=_first(each.running for each in single), whole=False, ways=ways)


def _first(running: Iterable[str | None]) -> str | None:
    return next((who for who in running if who), None)


def _at_or_below(directory: Path, unreadable: list[ConfigError]) -> list[RunGroup]:
    found = _at(directory)
    if found is not None:
        return [found]
    before = len(unreadable)
    below = [*_readable(sweep_places(directory), unreadable)]
    if not below and len(unreadable) == before:
        raise ConfigError(f"{directory} holds no sweep and no run", hint="python -m runner ls")
    return below


def _at(directory: Path) -> RunGroup | None:
    """Return the sweep or run that the directory is, if it is one."""
    if has_ledger(directory):
        return _recorded(directory)
    if (directory / NAME).is_file():
        return _alone(directory)
    if shards := shards_of(directory):
        return _divided(directory, shards)
    return _scattered(directory) if (directory / _SWEEP).is_file() else None


def _places(directory: Path, names: set[str]) -> Iterator[Path]:
    """Yield the directories at or below that hold one of the files, without what lies below each."""
    for place, folders, files in walk(directory):
        if names & {*files}:
            folders.clear()
            yield Path(place)


def _alone(directory: Path) -> RunGroup:
    """Return a run without a ledger of its own: one of a sweep's, or one that has none."""
    runs = [(directory, read_result(directory))]
    with suppress(LedgerError):
        known = LedgerIndex().find(directory.resolve())
        if known is not None:
            sweep = shown(known[0])
            running = at_work(sweep)
            with Ledger(known[0], readonly=True) as ledger:
                runs = _taken_back(runs, ledger, running)
            return RunGroup(directory, runs, running=running, ways={directory: sweep})
    return RunGroup(directory, runs, running=at_work(directory))


def _recorded(directory: Path) -> RunGroup:
    now, running = time.time(), at_work(directory)
    with Ledger(directory, readonly=True) as ledger:
        runs = [(run.directory, run.earlier or planned(run, now)) for run in ledger.runs()]
        runs = _taken_back(runs, ledger, running)
        stored = _stored(ledger, [result for _, result in runs])
    return RunGroup(directory, runs, running=running, stored=stored)


def _taken_back(runs: list[Found], ledger: Ledger, running: str | None) -> list[Found]:
    """Return the runs of batches whose paid request never left as `resume` will take them back: nothing was paid."""
    marks = frozenset[str]() if running else unsent(ledger)
    return [(where, _without_request(result, marks)) for where, result in runs] if marks else runs


def _without_request(result: Result, marks: Collection[str]) -> Result:
    if not result.status.lost or not result.attempts or result.attempts[-1].batch not in marks:
        return result
    return result.model_copy(update={"status": RunStatus.PLANNED, "attempts": result.attempts[:-1]})


def _stored(ledger: Ledger, results: Sequence[Result]) -> str:
    """Return what of a ledger's runs lies in a storage, in one line."""
    if STORAGE not in ledger.known_facts():
        return ""
    from runner.storage.uploading import stored_of  # few have a storage

    stored = stored_of(ledger, results)
    return stored.text if stored else ""


def _divided(directory: Path, shards: Sequence[Path]) -> RunGroup:
    """Return the runs of a sweep of which several processes have had a part each."""
    parts = [_recorded(place) for place in shards]
    runs, stored = (
        [run for part in parts for run in part.runs],
        " · ".join(part.stored for part in parts if part.stored),
    )
    return RunGroup(directory, runs, running=_first(part.running for part in parts), stored=stored)


def _scattered(directory: Path) -> RunGroup:
    """Return the runs of a sweep whose launcher is not ours: each has its own ledger, or has lost it."""
    ledgers = [_recorded(place) for place in find_ledgers(directory)]
    known = {where.resolve() for each in ledgers for where, _ in each.runs}
    alone = [(place, read_result(place)) for place in _places(directory, {NAME}) if place.resolve() not in known]
    runs = sorted([*(run for each in ledgers for run in each.runs), *alone], key=lambda run: run[1].index)
    return RunGroup(directory, runs, running=_first(each.running for each in ledgers), whole=not alone)


@dataclass(frozen=True, slots=True)
class Remote:
    """Hold what was found below an address.

    Attributes:
        place: the address.
        directory: where the records are as long as they are read, by the paths that they have there.
    """

    place: Place
    directory: Path

    def sweeps(self) -> list[RunGroup]:
        """Return all sweeps; raises `ConfigError` where one cannot be read."""
        with self._by_address():
            found = sweeps_of([self.directory])
            for error in found.unreadable:
                raise error
        return [self._there(each) for each in found.sweeps]

    def sweep(self) -> RunGroup:
        """Return the one sweep or run that the address is; raises `ConfigError`."""
        with self._by_address():
            return self._there(sweep_at(self.directory))

    def name(self, path: Path) -> str:
        """Return what a file or directory here is called there, from the address."""
        below = path.absolute().relative_to(self.directory.absolute()).as_posix()
        return "" if below == "." else below

    def address(self, path: Path) -> str:
        """Return the whole address of a file or directory here."""
        return self.place.below(self.name(path)).url

    def _there(self, group: RunGroup) -> RunGroup:
        return replace(group, url=self.address(group.directory))

    @contextmanager
    def _by_address(self) -> Iterator[None]:
        try:
            yield
        except ConfigError as error:
            text = error.message.replace(str(self.directory), self.place.url)
            raise ConfigError(text, hint="the address of a sweep, as its end has named it") from error


@contextmanager
def remote(url: str) -> Iterator[Remote]:
    """Fetch what tells of the sweeps at or below an address, as long as the block lasts; raises `ConfigError`."""
    with TemporaryDirectory(prefix="runner-") as folder:
        # Called as it is there: notes and judgements know runs by that.
        directory = Path(folder) / (url.rstrip("/").rpartition("/")[2] or "storage")
        directory.mkdir()
        yield Remote(fetch_records(url, directory), directory)


def missing_files(runs: Iterable[tuple[Path, Result]]) -> list[Path]:
    """Return the files that are named by finished runs, given with their directories, and are not there as recorded.

    They may be gone, empty or cut: what counts is their size, as to read them all would take long.

    Runs with a storage are left out: their files may be there alone.
    """
    return [
        directory / artifact.path
        for directory, result in runs
        if result.status is RunStatus.VERIFIED and result.config.storage.url is None
        for artifact in result.artifacts
        if _size(directory / artifact.path) != artifact.bytes
    ]


def _size(path: Path) -> int | None:
    """Return how many bytes a file has; None where there is none."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None
