"""The words that servers use for a job's state."""

from __future__ import annotations

from .base import JobStatus

_WORDS = {
    JobStatus.QUEUED: "queued pending not_start not_started created submitted waiting starting scheduled validating",
    JobStatus.IN_PROGRESS: "in_progress processing running preprocessing postprocessing generating started working",
    JobStatus.COMPLETED: "completed complete succeeded success done finished ready",
    JobStatus.FAILED: "failed failure error errored rejected",
    JobStatus.CANCELLED: "cancelled canceled aborted deleted",
    JobStatus.EXPIRED: "expired",
}

_STATUS = {word: status for status, words in _WORDS.items() for word in words.split()}


def job_status(word: str) -> JobStatus:
    """The state that a server's word stands for; `UNKNOWN` for a word never seen."""
    return _STATUS.get(word.strip().lower().replace("-", "_").replace(" ", "_"), JobStatus.UNKNOWN)
