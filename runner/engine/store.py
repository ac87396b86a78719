"""Where a run's record is kept while it grows."""

from __future__ import annotations

from typing import Protocol

from runner.artifacts.result import Result
from runner.artifacts.result_file import write_result

from .run import Run


class Store(Protocol):
    """What keeps records; called in threads, for one run never twice at the same time."""

    def open(self, run: Run) -> None:
        """Make the run's directory, if it is not there; raises `DiskError`."""

    def save(self, run: Run, result: Result, *, durable: bool, passing: bool = False) -> None:
        """Keep the run's record, beyond a power cut if `durable`; raises `DiskError`.

        Where `passing`, another one follows in a moment.
        """


class ResultFiles:
    """Keeps each record in its run's `result.json` alone; the directories are there."""

    def open(self, run: Run) -> None:
        """Do nothing."""

    def save(self, run: Run, result: Result, *, durable: bool, passing: bool = False) -> None:  # noqa: ARG002 - the file is all there is
        """Replace the file."""
        write_result(run.directory, result, durable=durable)
