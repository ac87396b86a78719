"""When a run that failed goes on with its next choice."""

from __future__ import annotations

from runner.artifacts.result import RunStatus
from runner.config import RunConfig
from runner.errors import ArtifactError, JobTimeoutError, RunnerError, UncertainError


def next_choice(config: RunConfig, status: RunStatus, error: RunnerError) -> RunConfig | None:
    """What to try after `error` ended the run at `status`; None if nothing is left or it might pay for a video twice.

    A job that exists and may still deliver is never given up for a download's sake, nor is a request whose answer was
    lost. The deadline is the user's own: after it the job is left to itself, its id kept in the attempt.
    """
    if not config.fallbacks or not error.retryable or isinstance(error, ArtifactError | UncertainError):
        return None
    if status in (RunStatus.FAILED, RunStatus.CANCELLED) or isinstance(error, JobTimeoutError):
        return config.choice(1)
    return None
