"""Where the engine's records go: into the ledger, durably, and from there into `result.json` for people."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from runner.artifacts.result import Result, RunStatus
from runner.artifacts.result_file import write_result
from runner.engine.run import Run
from runner.engine.store import Record
from runner.errors import DiskError

from .book import Ledger


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
        """Every job that some run of these ledgers has now or had before."""
        ledgers = {id(ledger): ledger for ledger in self._ledgers.values()}
        return {job_id for ledger in ledgers.values() for job_id in ledger.job_ids()}

    def save(self, records: Sequence[Record]) -> list[DiskError | None]:
        """Commit, then replace each `result.json` unless it would be replaced again in a moment.

        What need not be durable (a run that was never begun) is in the ledger as it was planned.
        """
        refused = self._committed(records)
        return [refused.get(self._ledgers[record.run.directory]) or self._told(record) for record in records]

    def _committed(self, records: Sequence[Record]) -> dict[Ledger, DiskError]:
        """The ledgers that could not be written, and why."""
        states: dict[Ledger, list[tuple[int, Result]]] = {}
        for record in records:
            if record.durable or record.result.status is not RunStatus.PLANNED:
                states.setdefault(self._ledgers[record.run.directory], []).append((record.run.index, record.result))
        refused = {}
        for ledger, some in states.items():
            try:
                ledger.save_all(some)
            except DiskError as error:
                refused[ledger] = error
        return refused

    def _told(self, record: Record) -> DiskError | None:
        try:
            self.open(record.run)
            if not record.passing:
                write_result(record.run.directory, record.result, durable=False)
        except DiskError as error:
            return error
        return None
