from __future__ import annotations

import pytest

from runner.providers.base import JobStatus
from runner.providers.job import job_status, read_job


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("queued", JobStatus.QUEUED),
        ("pending", JobStatus.QUEUED),
        ("NOT_START", JobStatus.QUEUED),
        ("in_progress", JobStatus.IN_PROGRESS),
        ("In Progress", JobStatus.IN_PROGRESS),
        ("in-progress", JobStatus.IN_PROGRESS),
        ("preprocessing", JobStatus.IN_PROGRESS),
        ("processing", JobStatus.IN_PROGRESS),
        ("running", JobStatus.IN_PROGRESS),
        ("completed", JobStatus.COMPLETED),
        ("succeeded", JobStatus.COMPLETED),
        ("failed", JobStatus.FAILED),
        ("cancelled", JobStatus.CANCELLED),
        ("canceled", JobStatus.CANCELLED),
        ("expired", JobStatus.EXPIRED),
        *[(word, JobStatus.COMPLETED) for word in ("succeed", "SUCCESS", "Done", "finished", "TASK_STATUS_SUCCEED")],
        *[(word, JobStatus.COMPLETED) for word in ("JOB_STATE_SUCCEEDED", "JobState.Succeeded", "video-completed")],
        *[(word, JobStatus.FAILED) for word in ("FAIL", "failure", "error", "rejected", "moderated", "timeout")],
        *[(word, JobStatus.FAILED) for word in ("TASK_STATUS_FAILED", "Generation Failed", "timed_out")],
        *[(word, JobStatus.QUEUED) for word in ("SUBMITTED", "IN_QUEUE", "JOB_STATE_PENDING", "notStarted", "Created")],
        *[(word, JobStatus.IN_PROGRESS) for word in ("InProgress", "GENERATING", "TASK_STATUS_PROCESSING")],
        ("dreaming", JobStatus.UNKNOWN),
        ("TASK_STATUS_UNSPECIFIED", JobStatus.UNKNOWN),
        ("task", JobStatus.UNKNOWN),
        ("", JobStatus.UNKNOWN),
    ],
)
def test_every_server_s_words_are_understood(word, status):
    assert job_status(word) is status


def test_only_ends_are_terminal():
    ends = {JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED, JobStatus.EXPIRED}
    assert {status for status in JobStatus if status.terminal} == ends


def test_a_job_is_read_with_its_headers():
    raw = {"id": "video_1", "status": "in_progress", "progress": 42, "created_at": 7, "expires_at": 9.5}
    job = read_job(raw, {"openai-poll-after-ms": "1500", "x-request-id": "req_1"})
    assert job is not None
    assert (job.progress, job.created_at, job.expires_at, job.poll_after) == (42, 7, 9.5, 1.5)
    assert (job.request_id, job.raw, job.raw_status) == ("req_1", raw, "in_progress")


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        ({"code": "moderation_blocked", "message": "no"}, "moderation_blocked", "no"),
        ({"message": "out of\nmemory\x1b[31m"}, None, "out of memory [31m"),
        ("boom", None, "boom"),
        (None, None, None),
        ({"code": 17}, "17", None),
    ],
)
def test_a_failed_job_s_error_is_read_in_every_form(error, code, message):
    job = read_job({"id": "v", "status": "failed", "error": error}, {})
    assert job is not None
    assert (job.error_code, job.error_message) == (code, message)


@pytest.mark.parametrize("text", ["nan", "inf", "soon", "-5", ""])
def test_a_nonsensical_poll_header_never_makes_anyone_wait(text):
    job = read_job({"id": "v", "status": "queued"}, {"openai-poll-after-ms": text})
    assert job is not None
    assert job.poll_after in (None, 0)


@pytest.mark.parametrize(
    ("told", "percent"),
    [
        *[(None, 0), (True, 0), (-3, 0), (400, 100), ("50%", 50), (" 7 % ", 7), ("12.5", 12.5), (0.25, 25), (1, 1)],
        *[("half", 0), ([50], 0), ({}, 0), (float("nan"), 0), (float("inf"), 0), (10**400, 0), ("9" * 400, 0)],
    ],
)
def test_progress_stays_a_percentage(told, percent):
    job = read_job({"id": "v", "status": "in_progress", "progress": told}, {})
    assert job is not None
    assert job.progress == percent


@pytest.mark.parametrize(
    "raw",
    [
        None,
        [],
        "x",
        {},
        {"status": "queued"},
        {"id": "", "status": "queued"},
        {"id": 0, "status": "queued"},
        {"id": True, "status": "queued"},
        {"id": 1.5, "status": "queued"},
        {"code": 400, "message": "no such size", "request_id": "req_1"},
        {"error": {"message": "overloaded"}, "request_id": "req_1"},
    ],
)
def test_what_is_no_job_is_not_read_as_one(raw):
    assert read_job(raw, {}) is None
