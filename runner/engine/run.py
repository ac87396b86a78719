"""Describe what is executed, what is told of it, and what comes of it: its end, or another choice to try."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from pathlib import Path

from runner.artifacts.result import Result
from runner.artifacts.run_status import RunStatus
from runner.config.run import RunConfig
from runner.errors import (
    ArtifactError,
    AuthenticationError,
    BudgetError,
    ConfigError,
    DiskError,
    ExpiredError,
    GenerationFailedError,
    JobNotFoundError,
    JobTimeoutError,
    RateLimitError,
    RunnerError,
    UncertainError,
)

_log = logging.getLogger("runner")


@dataclass(frozen=True, slots=True)
class Run:
    """Describe one run: a validated config with its own output directory, and how far it has come."""

    index: int
    """Its number among its siblings, from 0."""
    config: RunConfig
    directory: Path
    overrides: tuple[str, ...] = ()
    """What was typed for it, without Hydra's own."""
    fingerprint: str = ""
    """Of its paid work; the same work asked for again by an optimiser has `#2`, … after it in the ledger. It is empty
    where the request cannot be made, and for runs of the Python API, which have no ledger."""
    earlier: Result | None = None
    """What became of it so far. The ledger gives it with the `config` that was planned; where it is resumed,
    `config` is the choice that it has come to."""
    again: bool = False
    """Whether it is tried again although it has failed."""
    resubmit: bool = False
    """Whether it may be paid again if its answer stays lost: the user's explicit consent."""
    recorded: bool = False
    """Whether its `result.json` is known to say what `earlier` says."""

    job: str | None = None
    """The job that the user says a lost request of it has made."""
    followed: bool = False
    """Whether its caller has a choice of its own to try after this run's."""

    @property
    def status(self) -> RunStatus:
        """Return how far it had come before."""
        return RunStatus.PLANNED if self.earlier is None else self.earlier.status

    @property
    def choice(self) -> int:
        """Return which of its config's choices it continues with: 0 as configured, n its nth fallback."""
        return 0 if self.earlier is None else self.earlier.choice

    @property
    def next_exists(self) -> bool:
        """Return whether something else can be tried, so that a refusal or an unreachable host is not waited out."""
        return self.followed or bool(self.config.fallbacks)

    @property
    def pays(self) -> bool:
        """Return whether resuming sends a paid request; else there is, or may be, a job that is only collected."""
        return not self.status.paid and (self.resubmit or not self.status.lost)

    @property
    def open(self) -> bool:
        """Return whether something is left to do."""
        return self.status.unfinished or self.again

    def resumed(self, earlier: Result) -> Run:
        """Return the run as it resumes from what is recorded; a consent to pay again is used up."""
        return replace(self, earlier=earlier, again=False, resubmit=False, job=None)


@dataclass(frozen=True, slots=True)
class Event:
    """Tell what happened to a run: a status, a poll's progress, a note, or (`result` set) its end."""

    run: Run
    status: RunStatus
    progress: float = 0
    """Percent, 0 to 100."""
    job_id: str | None = None
    remote_status: str | None = None
    """The provider's own word, as in queued or in_progress."""
    note: str | None = None
    result: Result | None = None
    partial: Path | None = None
    """A partial image that has just come."""


Observer = Callable[[Event], None]
"""Called on the engine's loop for every event; must return at once and must not raise."""


def told_to_all(observers: Sequence[Observer]) -> Observer:
    """Return an observer that tells each of several, which may be more by then, and logs what one raises."""

    def observe(event: Event) -> None:
        for observer in observers:
            try:
                observer(event)
            except Exception:  # noqa: BLE001 - neither a display's bug nor a callback's may keep the others from hearing
                _log.exception("an observer of run %s failed", event.run.index)

    return observe


@dataclass(slots=True, repr=False)
class Outcome:
    """Hold every run's end, in the order the runs were given.

    Attributes:
        results: one for each run, also for those that never started.
        errors: why a run did not succeed, None where it did or was merely left for later.
        interrupted: the signal that ended it.
        stopped_by: the error that ended submitting: the disk's, the budget's, one that every sibling would have met,
            or with `fail_fast` the first failure.
        not_uploaded: whether something was to be uploaded and is not, which concerns no run.
    """

    results: list[Result] = field(default_factory=list)
    errors: list[RunnerError | None] = field(default_factory=list)
    interrupted: int | None = None
    stopped_by: RunnerError | None = None
    not_uploaded: bool = False

    def __repr__(self) -> str:
        # `asyncio.run` has its result's repr made twice: with ten thousand results that would take seconds.
        return f"Outcome({len(self.results)} results, exit_code={self.exit_code})"

    @property
    def exit_code(self) -> int:
        """Return what the process ends with; the table is in the docs."""
        if self.interrupted is not None:
            return 128 + self.interrupted
        if isinstance(self.stopped_by, DiskError):
            return self.stopped_by.exit_code
        if any(isinstance(error, BudgetError) for error in (self.stopped_by, *self.errors)):
            return BudgetError.exit_code
        pairs = zip_longest(self.results, self.errors[: len(self.results)])
        failed = [error for result, error in pairs if result.status.failed]
        if any(not isinstance(error, ConfigError) for error in failed):
            return 1
        if failed or isinstance(self.stopped_by, ConfigError):
            return ConfigError.exit_code
        return 4 if self.not_uploaded or any(result.status.unfinished for result in self.results) else 0


def gives_way(error: RunnerError) -> bool:
    """Return whether another choice may be tried after `error`: nothing that was paid may still come.

    A job that exists and may still deliver is never given up for a download's sake, nor is a request whose answer was
    lost. The deadline is the user's own: after it the job is left to itself.
    """
    if not error.retryable or isinstance(error, ArtifactError | UncertainError | JobNotFoundError):
        return False
    return error.job_id is None or isinstance(error, GenerationFailedError | JobTimeoutError)


def next_choice(config: RunConfig, status: RunStatus, error: RunnerError) -> RunConfig | None:
    """Return what to try after `error` ended the run at `status`; None if nothing is left or it might pay twice.

    The id of a job that is left to itself is kept in its attempt.
    """
    if not config.fallbacks or not gives_way(error):
        return None
    if status in (RunStatus.FAILED, RunStatus.CANCELLED) or isinstance(error, JobTimeoutError):
        return config.choice(1)
    return None


_PAID = frozenset({RunStatus.SUBMITTED, RunStatus.COMPLETED, RunStatus.DOWNLOADED, RunStatus.VERIFIED})


def final_status(error: Exception, reached: RunStatus, log: str = "runner.log") -> tuple[RunStatus, RunnerError]:
    """Return the status after `error`, and the error as it is recorded; what was paid stays resumable.

    `log` names the file that gets the traceback of an error that no one foresaw.
    """
    if isinstance(error, RunnerError):
        return _status(error, reached), error
    _log.error("a run met an internal error", exc_info=error)
    report = RunnerError(f"internal error: {type(error).__name__}: {error}", hint=f"{log} has the traceback")
    if reached is RunStatus.SUBMITTING:
        return RunStatus.UNCERTAIN, report
    return (reached if reached in _PAID else RunStatus.FAILED), report


def _status(error: RunnerError, reached: RunStatus) -> RunStatus:
    if reached.failed or isinstance(error, BudgetError | JobTimeoutError | DiskError):
        return reached
    if reached is RunStatus.PLANNED and isinstance(error, RateLimitError | AuthenticationError):
        return reached  # nothing was sent, and the request itself is fine
    if isinstance(error, UncertainError):
        return RunStatus.UNCERTAIN
    if isinstance(error, ExpiredError):
        return RunStatus.EXPIRED
    if isinstance(error, ArtifactError) and reached is RunStatus.DOWNLOADED:
        return RunStatus.COMPLETED
    return reached if reached in _PAID else RunStatus.FAILED
