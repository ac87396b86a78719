"""How a run that met an error ends: what its status is, and so whether it can be gone on with."""

from __future__ import annotations

import logging

from runner.artifacts.result import RunStatus
from runner.errors import (
    ArtifactError,
    AuthenticationError,
    BudgetError,
    DiskError,
    ExpiredError,
    JobTimeoutError,
    RateLimitError,
    RunnerError,
    UncertainError,
)

_log = logging.getLogger("runner")

_PAID = frozenset({RunStatus.SUBMITTED, RunStatus.COMPLETED, RunStatus.DOWNLOADED, RunStatus.VERIFIED})


def ending(error: Exception, reached: RunStatus) -> tuple[RunStatus, RunnerError]:
    """The status after `error`, and the error as it is recorded; what was paid stays resumable."""
    if not isinstance(error, RunnerError):
        return _bug(error, reached)
    return _status(error, reached), error


def _status(error: RunnerError, reached: RunStatus) -> RunStatus:
    if reached.failed or isinstance(error, BudgetError | JobTimeoutError | DiskError):
        return reached
    if reached is RunStatus.PLANNED and isinstance(error, RateLimitError | AuthenticationError):
        return reached  # nothing was sent, and nothing is wrong with what would be
    if isinstance(error, UncertainError):
        return RunStatus.UNCERTAIN
    if isinstance(error, ExpiredError):
        return RunStatus.EXPIRED
    if isinstance(error, ArtifactError) and reached is RunStatus.DOWNLOADED:
        return RunStatus.COMPLETED
    return reached if reached in _PAID else RunStatus.FAILED


def _bug(error: Exception, reached: RunStatus) -> tuple[RunStatus, RunnerError]:
    _log.error("a run met an internal error", exc_info=error)
    report = RunnerError(f"internal error: {type(error).__name__}: {error}", hint="runner.log has the traceback")
    if reached is RunStatus.SUBMITTING:
        return RunStatus.UNCERTAIN, report
    return (reached if reached in _PAID else RunStatus.FAILED), report
