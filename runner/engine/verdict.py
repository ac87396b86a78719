"""What a job's end means for its run."""

from __future__ import annotations

from runner.artifacts.result import RunStatus
from runner.errors import ContentModerationError, ExpiredError, GenerationFailedError, RunnerError
from runner.providers.base import Job, JobStatus

_MODERATION = ("moderation", "content_policy", "content_filter", "contentfilter", "responsibleai", "safety", "sentinel")

_ENDS = {
    JobStatus.FAILED: RunStatus.FAILED,
    JobStatus.CANCELLED: RunStatus.CANCELLED,
    JobStatus.EXPIRED: RunStatus.EXPIRED,
}


def verdict(job: Job, provider: str, model: str) -> tuple[RunStatus, RunnerError]:
    """The run's status and error for a job that ended otherwise than completed."""
    said = job.error_message or "the provider gives no reason"
    if job.status is JobStatus.EXPIRED:
        kind: type[RunnerError] = ExpiredError
        message = f"job {job.id} has expired at the provider: {said}"
    elif job.status is JobStatus.CANCELLED:
        kind, message = GenerationFailedError, f"job {job.id} was cancelled at the provider: {said}"
    elif _moderated(job):
        kind, message = ContentModerationError, f"the provider's filter refused job {job.id}: {said}"
    else:
        kind, message = GenerationFailedError, f"job {job.id} failed: {said}"
    error = kind(message, code=job.error_code, provider=provider, model=model, job_id=job.id, request_id=job.request_id)
    return _ENDS[job.status], error


def _moderated(job: Job) -> bool:
    code = (job.error_code or "").lower()
    return any(word in code for word in _MODERATION)
