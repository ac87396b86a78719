"""Where a run's record is kept while it grows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from runner.artifacts.result import Result, write_result

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
    """What keeps records; called in threads, `save` by each `Recorder` for one batch at a time."""

    def open(self, run: Run) -> None:
        """Make the run's directory, if it is not there; raises `DiskError`."""

    def save(self, records: Sequence[Record]) -> list[Exception | None]:
        """Keep records of several runs; for each of them why it could not be kept, which concerns no other."""


class ResultFiles:
    """Keeps each record in its run's `result.json` alone; the directories are there."""

    def open(self, run: Run) -> None:
        """Do nothing."""

    def save(self, records: Sequence[Record]) -> list[Exception | None]:
        """Replace the files."""
        return [_replaced(record) for record in records]


def _replaced(record: Record) -> Exception | None:
    try:
        write_result(record.run.directory, record.result, durable=record.durable)
    except Exception as error:  # noqa: BLE001 - told to whoever waits for this record
        return error
    return None
