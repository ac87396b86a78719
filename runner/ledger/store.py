"""Where the engine's records go: into the ledger, durably, and from there into `result.json` for people."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from runner.artifacts.result import Result, RunStatus
from runner.artifacts.result_file import write_result
from runner.engine.run import Run

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

    def save(self, run: Run, result: Result, *, durable: bool, passing: bool = False) -> None:
        """Commit, then replace `result.json` unless it would be replaced again in a moment; raises `DiskError`.

        What need not be durable (a run that was never begun) is in the ledger as it was planned.
        """
        if durable or result.status is not RunStatus.PLANNED:
            self._ledgers[run.directory].save(run.index, result)
        self.open(run)
        if not passing:
            write_result(run.directory, result, durable=False)
