"""What was tried for a request, in which order, and what came of each try."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from itertools import groupby
from typing import Any, Literal

from pydantic import model_validator

from runner.artifacts.result import Attempt, Result, RunStatus
from runner.config.frozen import Frozen


class AttemptMetadata(Frozen):
    """Describe one provider and model that was tried; several requests to it, as after a 429, are one attempt."""

    attempt_number: int
    provider: str
    model: str
    """What was sent as the model."""
    started_at: dt.datetime
    ended_at: dt.datetime | None = None
    status: Literal["success", "failed", "skipped", "processing"]
    """success or failed; the others are for attempts that are built by hand."""
    error_type: str | None = None
    error_message: str | None = None
    is_retryable: bool | None = None
    request_id: str | None = None
    """The job's id, where there was one."""

    @property
    def elapsed_seconds(self) -> float | None:
        """Return seconds from the paid request to the end, None while there is none."""
        return None if self.ended_at is None else (self.ended_at - self.started_at).total_seconds()


class ExecutionMetadata(Frozen):
    """Describe all attempts of one request, in their order.

    Attributes:
        total_attempts: how many places were tried.
        successful_attempt: the number of the attempt that succeeded, counted from 1.
        fallback_triggered: whether more than the first choice was tried.
    """

    attempts: tuple[AttemptMetadata, ...]
    configs_in_chain: int = 1
    total_attempts: int = 0
    successful_attempt: int | None = None
    fallback_triggered: bool = False

    @model_validator(mode="before")
    @classmethod
    def _counted(cls, given: Any) -> Any:  # Any: not yet validated
        """Count the attempts, unless it is said how many there were."""
        attempts = given.get("attempts") if isinstance(given, dict) else None
        if not isinstance(attempts, list | tuple) or not all(isinstance(each, AttemptMetadata) for each in attempts):
            return given
        succeeded = next((each.attempt_number for each in attempts if each.status == "success"), None)
        counted = {"total_attempts": len(attempts), "successful_attempt": succeeded}
        return {**counted, "fallback_triggered": len(attempts) > 1, **given}

    @property
    def total_elapsed_seconds(self) -> float:
        """Return seconds from the first attempt's start to the last one's end."""
        ends = [each.ended_at for each in self.attempts if each.ended_at is not None]
        return (max(ends) - self.attempts[0].started_at).total_seconds() if ends else 0.0


def execution(result: Result) -> ExecutionMetadata:
    """Return what a run's record says about its attempts."""
    groups = [list(group) for _, group in groupby(result.attempts, key=lambda attempt: attempt.choice)]
    attempts = tuple(_attempt(number, group, result) for number, group in enumerate(groups, 1))
    return ExecutionMetadata(attempts=attempts, configs_in_chain=1 + len(result.config.fallbacks))


def _attempt(number: int, requests: Sequence[Attempt], result: Result) -> AttemptMetadata:
    first, last = requests[0], requests[-1]
    present = last.choice == result.choice
    error = result.error if present and result.error is not None else last.error
    done = present and result.status is RunStatus.VERIFIED
    return AttemptMetadata(
        attempt_number=number,
        provider=last.provider,
        model=last.model,
        started_at=first.started_at,
        ended_at=_ended(result) if present else last.ended_at,
        status="success" if done else "failed",
        error_type=None if done or error is None else error.type,
        error_message=None if done or error is None else error.message,
        is_retryable=None if done or error is None else error.retryable,
        request_id=last.job_id,
    )


def _ended(result: Result) -> dt.datetime | None:
    return max(result.timestamps.values(), default=None)
