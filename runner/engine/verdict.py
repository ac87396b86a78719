"""What a job's end means for its run."""

from __future__ import annotations

from runner.artifacts.result import RunStatus
from runner.errors import ContentModerationError, ExpiredError, GenerationFailedError, RunnerError
from runner.providers.base import Job, JobStatus
from runner.providers.content_filter import code_of_filter, words_of_filter
from runner.providers.json_answer import plain

_ENDS = {
    JobStatus.COMPLETED: RunStatus.FAILED,  # without its file
    JobStatus.FAILED: RunStatus.FAILED,
    JobStatus.CANCELLED: RunStatus.CANCELLED,
    JobStatus.EXPIRED: RunStatus.EXPIRED,
}

_REFUSED = (
    "invalidrequest", "invalidparam", "invalidargument", "invalidinput", "invalidprompt", "invalidimage",
    "invalidvalue", "invalidsize", "badrequest", "validation", "unprocessable", "unsupported", "notsupported",
    "malformed", "400", "404", "413", "415", "422",
)  # fmt: skip
"""What codes of a request begin with that would fail again, in lower case and without separators."""


def verdict(job: Job, provider: str, model: str, prompt: str = "") -> tuple[RunStatus, RunnerError]:
    """Return the run's status and error for a job that ended without its file; `prompt` is what was asked for."""
    said = job.error_message or "the provider gives no reason"
    hint = None
    if job.status is JobStatus.EXPIRED:
        kind: type[RunnerError] = ExpiredError
        message = f"job {job.id} has expired at the provider: {said}"
    elif filtered(job, prompt):
        kind, message = ContentModerationError, f"the provider's filter refused job {job.id}: {said}"
        hint = "change request.prompt or the input image; what was begun may be charged"
    elif job.status is JobStatus.CANCELLED:
        kind, message = GenerationFailedError, f"job {job.id} was cancelled at the provider: {said}"
    else:
        kind, message = GenerationFailedError, f"job {job.id} failed: {said}"
    error = kind(
        message, hint=hint, code=job.error_code, provider=provider, model=model, job_id=job.id,
        request_id=job.request_id,
    )  # fmt: skip
    error.retryable = error.retryable and not refused_for_good(job.error_code)
    return _ENDS[job.status], error


def filtered(job: Job, prompt: str = "") -> bool:
    """Return whether a filter ended the job: by its code, its state or the words of its reason."""
    return code_of_filter(job.error_code, job.raw_status) or words_of_filter(job.error_message, prompt)


def refused_for_good(code: str | None) -> bool:
    """Return whether a failure's code says that the same request would fail again."""
    word = plain(code or "")
    return word.startswith(_REFUSED) or "badrequest" in word or "invalidrequest" in word
