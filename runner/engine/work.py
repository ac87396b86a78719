"""Execute one run: its choices one after the other, and what its error comes to."""

from __future__ import annotations

import asyncio
import logging

from runner.artifacts.result import RunStatus
from runner.config import RunConfig, VideoRequest
from runner.errors import (
    ArtifactError,
    AuthenticationError,
    BudgetError,
    DiskError,
    ExpiredError,
    GenerationFailedError,
    JobNotFoundError,
    JobTimeoutError,
    RateLimitError,
    RunnerError,
    UncertainError,
)

from .capacity import StoppedError
from .endpoint import Endpoint
from .image import finish_images, make_images
from .recorder import RunRecorder
from .threads import Threads
from .video import make_video, resume_video


async def work(endpoint: Endpoint, recorder: RunRecorder, threads: Threads) -> RunnerError | None:
    """Do what the run asks for, or what is left of it; why it did not succeed, which the recorder knows too, or None.

    Raises `StoppedError` if it was not submitted. A cancelled run is put down before the cancellation goes on.
    """
    try:
        if not recorder.result.status.paid:
            endpoint.check_model(recorder.run.config.sent_model)
        await _bring_on(endpoint, recorder, threads)
    except StoppedError:
        raise
    except asyncio.CancelledError:
        recorder.put_down("interrupted")
        raise
    except Exception as error:  # noqa: BLE001 - a bug met by one run must not stop its siblings
        status, reason = ending(error, recorder.result.status)
        recorder.fail(status, reason)
        return reason
    finally:
        endpoint.places.leave(recorder)
    return None


async def _bring_on(endpoint: Endpoint, recorder: RunRecorder, threads: Threads) -> None:
    recorder.open_soon()
    result, video = recorder.result, isinstance(recorder.run.config.request, VideoRequest)
    if result.status.paid and (result.job_id is not None or not video):
        result.error = None
        await recorder.open()
        if result.job_id is not None:
            await resume_video(endpoint, recorder, threads, result.job_id)
        else:
            await finish_images(endpoint, recorder, threads)
        return
    if result.status is not RunStatus.PLANNED:
        await recorder.start_again()
    recorder.describe(endpoint.provider)
    await (make_video if video else make_images)(endpoint, recorder, threads)


def gives_way(error: RunnerError) -> bool:
    """Return whether another choice may be tried after `error`: nothing that was paid may still come.

    A job that exists and may still deliver is never given up for a download's sake, nor is a request whose answer was
    lost. The deadline is the user's own: after it the job is left to itself.
    """
    if not error.retryable or isinstance(error, ArtifactError | UncertainError | JobNotFoundError):
        return False
    return error.job_id is None or isinstance(error, GenerationFailedError | JobTimeoutError)


def next_choice(config: RunConfig, status: RunStatus, error: RunnerError) -> RunConfig | None:
    """What to try after `error` ended the run at `status`; None if nothing is left or it might pay for a video twice.

    The id of a job that is left to itself is kept in its attempt.
    """
    if not config.fallbacks or not gives_way(error):
        return None
    if status in (RunStatus.FAILED, RunStatus.CANCELLED) or isinstance(error, JobTimeoutError):
        return config.choice(1)
    return None


_log = logging.getLogger("runner")

_PAID = frozenset({RunStatus.SUBMITTED, RunStatus.COMPLETED, RunStatus.DOWNLOADED, RunStatus.VERIFIED})


def ending(error: Exception, reached: RunStatus) -> tuple[RunStatus, RunnerError]:
    """Return the status after `error`, and the error as it is recorded; what was paid stays resumable."""
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
