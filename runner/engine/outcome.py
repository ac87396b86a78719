"""What became of all runs together."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import zip_longest

from runner.artifacts.result import Result
from runner.errors import BudgetError, ConfigError, DiskError, RunnerError


@dataclass(slots=True, repr=False)
class Outcome:
    """Every run's end, in the order the runs were given.

    Attributes:
        results: one for each run, also for those that never started.
        errors: why a run did not succeed, None where it did or was merely left for later.
        interrupted: the signal that ended it.
        stopped_by: the error that ended submitting: the disk's, the budget's, one that every sibling would have met,
            or with `fail_fast` the first failure.
    """

    results: list[Result] = field(default_factory=list)
    errors: list[RunnerError | None] = field(default_factory=list)
    interrupted: int | None = None
    stopped_by: RunnerError | None = None

    def __repr__(self) -> str:
        # `asyncio.run` has its result's repr made twice: with ten thousand results that would take seconds.
        return f"Outcome({len(self.results)} results, exit_code={self.exit_code})"

    @property
    def exit_code(self) -> int:
        """What the process ends with; the table is in the docs."""
        if self.interrupted is not None:
            return 128 + self.interrupted
        if isinstance(self.stopped_by, DiskError):
            return DiskError.exit_code
        if any(isinstance(error, BudgetError) for error in (self.stopped_by, *self.errors)):
            return BudgetError.exit_code
        pairs = zip_longest(self.results, self.errors[: len(self.results)])
        failed = [error for result, error in pairs if result.status.failed]
        if any(not isinstance(error, ConfigError) for error in failed):
            return 1
        if failed or isinstance(self.stopped_by, ConfigError):
            return ConfigError.exit_code
        return 4 if any(result.status.unfinished for result in self.results) else 0
