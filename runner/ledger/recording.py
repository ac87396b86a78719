"""Keep the engine's records in the ledger, durably, and from there in `result.json` for people."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from runner.artifacts.atomic import disk_errors
from runner.artifacts.result import Result, RunStatus
from runner.artifacts.result_file import write_result
from runner.engine.run import Run
from runner.engine.store import Record
from runner.errors import ConfigError
from runner.shell import command

from .book import NAME, Ledger
from .lock import locked
from .ownership import CopyError, owned
from .reconciliation import gone_on


@contextmanager
def recording(directory: Path) -> Iterator[Ledger]:
    """The ledger of `directory`, both made if need be, for this process alone; raises `LockedError`, `DiskError`."""
    with disk_errors(directory):
        directory.mkdir(parents=True, exist_ok=True)
    with locked(directory), Ledger(directory) as ledger, owned(ledger):
        yield ledger


def entered(ledger: Ledger, runs: Sequence[Run], known: Sequence[Run]) -> list[Run]:
    """Record new runs, or go on with them if the ledger has them already.

    `known` are the ledger's runs that these must be, none for another batch of the same sweep. Those that a rebuilt
    ledger does not know are added. Raises `ConfigError` if it has others.
    """
    works = {run.index: run.fingerprint for run in runs}
    had = {run.index: run for run in known}
    if any(works.get(index) != run.fingerprint for index, run in had.items()):
        raise ConfigError(
            f"{ledger.directory} holds other runs",
            hint=f"{command('resume', ledger.directory)} goes on with those; for others, give "
            "the command with another directory and reuse=true, which pays for nothing that is there",
        )
    if new := [run for run in runs if run.index not in had]:
        ledger.add(new)
    going = [gone_on(run, had[run.index]) if run.index in had else run for run in runs]
    if ledger.copy_of is not None and (paying := sum(run.open and run.pays for run in going)):
        raise CopyError(ledger.directory, ledger.copy_of, paying)
    return going


def has_ledger(directory: Path) -> bool:
    """Return whether `directory` holds a ledger."""
    return (directory / NAME).is_file()


class LedgerStore:
    """A run's record is safe once its ledger has it; its `result.json` can be written again from there."""

    def __init__(self, ledgers: Mapping[Path, Ledger], make: Callable[[Run], None]) -> None:
        """`ledgers` has the one of each run, by the run's directory, which `make` makes with what belongs there."""
        self._ledgers = ledgers
        self._make = make
        self._made: set[int] = set()

    def open(self, run: Run) -> None:
        """Make the run's directory, once; raises `DiskError`.

        Not before it is needed: a sweep of thousands sends its first request while the last directories are not there.
        """
        if run.index not in self._made:
            self._make(run)
            self._made.add(run.index)

    def job_ids(self) -> set[str]:
        """Return every job that some run of these ledgers has now or had before."""
        ledgers = {id(ledger): ledger for ledger in self._ledgers.values()}
        return {job_id for ledger in ledgers.values() for job_id in ledger.job_ids()}

    def save(self, records: Sequence[Record]) -> list[Exception | None]:
        """Commit, then replace each `result.json` unless it would be replaced again in a moment.

        What need not be durable (a run that was never begun) is in the ledger as it was planned.
        """
        refused = self._committed(records)
        return [refused.get(place) or self._told(record) for place, record in enumerate(records)]

    def _committed(self, records: Sequence[Record]) -> dict[int, Exception]:
        """Return the places of the records that no ledger has, and why."""
        states: dict[Ledger, dict[int, tuple[int, Result]]] = {}
        for place, record in enumerate(records):
            if record.durable or record.result.status is not RunStatus.PLANNED:
                own = states.setdefault(self._ledgers[record.run.directory], {})
                own[place] = (record.run.index, record.result)
        refused: dict[int, Exception] = {}
        for ledger, some in states.items():
            if _saved(ledger, some.values()) is not None:
                # What is wrong with one must not keep the others' jobs from being known.
                alone = {place: _saved(ledger, [state]) for place, state in some.items()}
                refused |= {place: error for place, error in alone.items() if error is not None}
        return refused

    def _told(self, record: Record) -> Exception | None:
        try:
            self.open(record.run)
            if not record.passing:
                write_result(record.run.directory, record.result, durable=False)
        except Exception as error:  # noqa: BLE001 - told to whoever waits for this record
            return error
        return None


def _saved(ledger: Ledger, states: Iterable[tuple[int, Result]]) -> Exception | None:
    try:
        ledger.save_all(states)
    except Exception as error:  # noqa: BLE001 - as above
        return error
    return None
