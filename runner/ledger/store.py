"""Where the engine's records go: into the ledger, durably, and from there into `result.json` for people."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from runner.artifacts.result import Result, RunStatus
from runner.artifacts.result_file import write_result
from runner.engine.run import Run
from runner.engine.store import Record

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

    def save(self, records: Sequence[Record]) -> list[Exception | None]:
        """Commit, then replace each `result.json` unless it would be replaced again in a moment.

        What need not be durable (a run that was never begun) is in the ledger as it was planned.
        """
        refused = self._committed(records)
        return [refused.get(place) or self._told(record) for place, record in enumerate(records)]

    def _committed(self, records: Sequence[Record]) -> dict[int, Exception]:
        """The places of the records that no ledger has, and why."""
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
