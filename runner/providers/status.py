"""The words that servers use for a job's state."""

from __future__ import annotations

import re
from functools import lru_cache

from .base import JobStatus

_WORDS = {
    JobStatus.QUEUED: "queued queueing queuing inqueue enqueued pending notstart notstarted created submitted "
    "submitting waiting wait starting scheduled validating accepted initialized initializing init new preparing "
    "prepared received dispatched assigned requested todo throttled delayed pendingmoderation standby",
    JobStatus.IN_PROGRESS: "inprogress progress processing process running run executing preprocessing postprocessing "
    "generating generate started working rendering encoding uploading downloading finalizing active ongoing doing busy "
    "synthesizing upscaling analyzing loading retrying streaming building creating",
    JobStatus.COMPLETED: "completed complete completedsuccessfully succeeded succeed succeeds success successful done "
    "finished finish ready generated rendered processed partialsuccess partiallycompleted",
    JobStatus.FAILED: "failed fail failure error errored rejected refused denied moderated filtered blocked nsfw "
    "sensitive timeout timedout crashed faulted unsuccessful invalid contentmoderated contentfiltered moderationfailed "
    "failedmoderation policyviolation contentviolation",
    JobStatus.CANCELLED: "cancelled canceled cancel aborted deleted terminated killed revoked stopped",
    JobStatus.EXPIRED: "expired",
}

_STATUS = {word: status for status, words in _WORDS.items() for word in words.split()}

_PREFIX = re.compile(r"(?:video|image|task|job|run|generation|operation|request|prediction|state|status)")
"""What the names of enums begin with, as in `TASK_STATUS_SUCCEED` and `JobState.RUNNING`."""


@lru_cache(256)
def job_status(word: str) -> JobStatus:
    """Return the state that a server's word stands for, whatever its case and separators; `UNKNOWN` if nobody knows."""
    letters = "".join(letter for letter in word[:200].lower() if letter.isalnum())
    while letters not in _STATUS and (prefix := _PREFIX.match(letters)):
        letters = letters[prefix.end() :]
    return _STATUS.get(letters, JobStatus.UNKNOWN)
