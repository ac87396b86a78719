"""Where a run's record is kept while it grows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from runner.artifacts.result import Result
from runner.artifacts.result_file import write_result
from runner.errors import DiskError

from .run import Run


@dataclass(frozen=True, slots=True)
class Record:
    """How far a run has come.

    Attributes:
        durable: whether this must survive a power cut.
        passing: whether another one follows in a moment.
    """

    run: Run
    result: Result
    durable: bool = True
    passing: bool = False


class Store(Protocol):
    """What keeps records; `open` is called in threads, for one run never twice at the same time, `save` by one."""

    def open(self, run: Run) -> None:
        """Make the run's directory, if it is not there; raises `DiskError`."""

    def save(self, records: Sequence[Record]) -> list[DiskError | None]:
        """Keep records of several runs; for each of them why it could not be kept."""


class ResultFiles:
    """Keeps each record in its run's `result.json` alone; the directories are there."""

    def open(self, run: Run) -> None:
        """Do nothing."""

    def save(self, records: Sequence[Record]) -> list[DiskError | None]:
        """Replace the files."""
        return [_replaced(record) for record in records]


def _replaced(record: Record) -> DiskError | None:
    try:
        write_result(record.run.directory, record.result, durable=record.durable)
    except DiskError as error:
        return error
    return None
