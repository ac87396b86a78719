from __future__ import annotations

import pytest

from runner.providers import JobStatus
from runner.providers.job import read_job
from runner.providers.status import job_status


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
        ("dreaming", JobStatus.UNKNOWN),
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


@pytest.mark.parametrize("progress", [None, "50%", True, -3, 400])
def test_progress_stays_a_percentage(progress):
    job = read_job({"id": "v", "status": "in_progress", "progress": progress}, {})
    assert job is not None
    assert 0 <= job.progress <= 100


@pytest.mark.parametrize(
    "raw",
    [
        None,
        [],
        "x",
        {},
        {"id": "v"},
        {"id": "", "status": "queued"},
        {"id": 1, "status": "queued"},
        {"id": "v", "status": 404},
    ],
)
def test_what_is_no_job_is_not_read_as_one(raw):
    assert read_job(raw, {}) is None
