"""The shapes in which servers tell of a job: its name, its state, its times, and why it failed."""

from __future__ import annotations

import json

import pytest

from runner.errors import ServerError, UncertainError
from runner.providers.allowance import moment
from runner.providers.base import JobStatus
from runner.providers.call import code_of_filter, words_of_filter
from runner.providers.job import read_job

JOB = "video_1"
QUEUED, COMPLETED, FAILED = JobStatus.QUEUED, JobStatus.COMPLETED, JobStatus.FAILED
RUNNING, UNKNOWN = JobStatus.IN_PROGRESS, JobStatus.UNKNOWN
CREATED = 1_795_000_000


@pytest.mark.parametrize(
    ("answer", "name", "status"),
    [
        *[({key: JOB}, JOB, QUEUED) for key in ("id", "task_id", "taskId", "job_id", "video_id", "generation_id")],
        ({"request_id": JOB}, JOB, QUEUED),
        ({"id": 41_227}, "41227", QUEUED),
        ({"id": 2**70, "status": "running"}, str(2**70), RUNNING),
        *[({key: {"id": JOB, "status": "queued"}}, JOB, QUEUED)
          for key in ("data", "result", "output", "video", "job", "task", "response")],
        ({"data": [{"id": JOB, "state": "processing"}]}, JOB, RUNNING),
        ([{"id": JOB}], JOB, QUEUED),
        ({"code": "success", "data": {"task_id": JOB, "status": "NOT_START"}}, JOB, QUEUED),
        ({"request_id": "req_9", "output": {"task_id": JOB, "task_status": "PENDING"}}, JOB, QUEUED),
        ({"code": 0, "message": "SUCCEED", "request_id": "req_9", "data": {"task_id": JOB, "task_status": "submitted"}},
         JOB, QUEUED),
        ({"status": "success", "data": {"id": JOB, "status": "pending"}}, JOB, QUEUED),
        ({"id": "req_9", "status": "success", "data": {"task_id": JOB, "status": "pending"}}, JOB, QUEUED),
        ({"id": JOB, "status": {"state": "RUNNING", "code": 3}}, JOB, RUNNING),
        ({"id": JOB, "job_status": "canceled"}, JOB, JobStatus.CANCELLED),
        ({"id": JOB, "status": "pondering"}, JOB, UNKNOWN),
        ({"id": JOB, "status": 7}, JOB, UNKNOWN),
        ({"id": JOB, "status": None, "state": "done"}, JOB, COMPLETED),
        ({"id": "", "task_id": JOB}, JOB, QUEUED),
        ({"name": "models/veo/operations/a1"}, "models/veo/operations/a1", QUEUED),
        ({"statusCode": 200, "body": json.dumps({"id": JOB, "status": "queued"})}, JOB, QUEUED),
        ({"id": JOB, "status": "completed", "data": [{"url": "https://files.example/1.mp4"}]}, JOB, COMPLETED),
    ],
)  # fmt: skip
@pytest.mark.parametrize("status_code", [200, 201, 202])
async def test_a_paid_job_is_known_by_whatever_name_it_has(wire, connect, config_of, answer, name, status, status_code):
    wire.replies(status_code, json=answer, headers={"x-request-id": "req_7"})
    job = await connect(config_of()).submit(config_of())
    assert (job.id, job.status, job.request_id) == (name, status, "req_7")
    assert len(wire.requests) == 1


BODY = json.dumps({"id": JOB, "status": "queued"}).encode()


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "text/html; charset=utf-8", "video/mp4", ""])
@pytest.mark.parametrize(
    "body",
    [
        BODY,
        b"\xef\xbb\xbf" + BODY,
        BODY.decode().encode("utf-16"),
        b"\n \n" + BODY + b"\n",
        b"data: " + BODY + b"\n\ndata: [DONE]\n\n",
        b": keep-alive\n\nevent: created\nid: 1\ndata:" + BODY + b'\n\nevent: x\ndata: {"progress": 3}\n\n',
        b'data: {\ndata: "id": "video_1"}\r\n\r\n',
        BODY + b"\n" + b'{"id": "video_1", "status": "queued", "progress": 1}\n' + b'{"progress": 2}\n',
        b'{"event": "accepted"}\n' + BODY,
        BODY.replace(b"}", b', "prompt": "caf\xe9"}'),
        BODY.replace(b"}", b', "error": null, "note": "a te'),
        BODY.replace(b"}", b', "n": 12'),
        BODY[:-1],
    ],
    ids=["plain", "bom", "utf16", "blank", "sse", "sse-named", "sse-lines", "ndjson", "ndjson-later", "latin", "cut",
         "cut-number", "cut-end"],
)  # fmt: skip
async def test_a_paid_job_is_known_in_whatever_form_the_answer_comes(wire, connect, config_of, body, kind):
    wire.replies(200, content=body, headers={"content-type": kind} if kind else {})
    job = await connect(config_of()).submit(config_of())
    assert (job.id, job.status) == (JOB, QUEUED)


async def test_the_latest_word_of_a_stream_counts(wire, connect, config_of):
    events = [{"id": JOB, "status": "queued"}, {"id": JOB, "status": "completed"}, {"id": "other", "status": "failed"}]
    wire.replies(200, content="".join(f"data: {json.dumps(event)}\n\n" for event in events).encode())
    assert (await connect(config_of()).submit(config_of())).status is COMPLETED


@pytest.mark.parametrize(
    "answer",
    [
        {"error": {"message": "no"}, "request_id": "req_1"},
        {"code": "Throttled", "message": "no", "request_id": "req_1"},
        {"success": False, "request_id": "req_1"},
        {"data": None},
        {"data": {"task_id": ""}},
        {"id": "a\nb"},
    ],
)
async def test_what_names_no_job_stays_uncertain(wire, connect, config_of, answer):
    wire.replies(200, json=answer)
    with pytest.raises(UncertainError):
        await connect(config_of()).submit(config_of())


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        ({"status": "pending"}, QUEUED),
        ({"status": "done", "video": {"url": "https://files.example/1.mp4"}}, COMPLETED),
        ({"code": 100, "data": {"status": "processing", "video_url": None}}, RUNNING),
        ({"status": "success", "data": {"status": "processing"}}, RUNNING),
        ({"status": "ok", "data": {"status": "completed"}}, COMPLETED),
        ({"code": "success", "data": {"task_id": JOB, "status": "SUCCESS", "data": {"id": "up", "status": "running"}}},
         COMPLETED),
        ({"id": JOB, "data": {"status": "running"}}, RUNNING),
        ({"data": [{"id": "another", "status": "failed"}, {"id": JOB, "status": "queued"}]}, QUEUED),
        ({"name": "operations/1", "done": True, "response": {}}, COMPLETED),
        ({"name": "operations/1", "done": True, "error": {"code": 3, "message": "no"}}, FAILED),
        ({"name": "operations/1", "done": False}, RUNNING),
        ({"id": JOB, "video_url": "https://files.example/1.mp4"}, COMPLETED),
        ({"id": JOB}, UNKNOWN),
    ],
)  # fmt: skip
async def test_a_poll_is_read_as_leniently(wire, connect, config_of, answer, status):
    wire.replies(200, json=answer)
    job = await connect(config_of()).retrieve(JOB)
    assert (job.id, job.status) == (JOB, status)


@pytest.mark.parametrize("answer", [{}, {"detail": "busy"}, {"code": 5, "message": "busy", "request_id": "req_1"}, []])
async def test_a_poll_that_tells_nothing_is_asked_again(wire, connect, config_of, answer):
    wire.replies(200, json=answer)
    with pytest.raises(ServerError):
        await connect(config_of()).retrieve(JOB)


async def test_an_error_page_s_own_status_is_not_the_job_s(wire, connect, config_of):
    wire.replies(502, json={"id": "req_1", "status": "error", "message": "bad gateway"})
    with pytest.raises(ServerError):
        await connect(config_of()).retrieve(JOB)


def test_what_the_answer_wraps_up_is_at_hand():
    job = read_job({"code": 0, "data": {"id": JOB, "status": "queued", "prompt": "a cat", "size": "1x1"}}, {})
    assert (job.raw["prompt"], job.raw["size"], job.raw["code"]) == ("a cat", "1x1", 0)


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        *[(CREATED, CREATED), (float(CREATED), CREATED), (CREATED * 1000, CREATED), (str(CREATED), CREATED)],
        *[(CREATED * 10**6, CREATED), (f"{CREATED}000", CREATED), ("2026-11-18T11:06:40Z", CREATED)],
        ("Wed, 18 Nov 2026 11:06:40 GMT", CREATED),
        *[("2026-11-18T11:06:40", CREATED), ("2026-11-18 12:06:40+01:00", CREATED)],
        *[(value, None) for value in (0, -5, True, None, "", "soon", [CREATED], {}, 10**400, "9" * 400, 1e300)],
        *[(value, None) for value in (float("nan"), float("inf"), "0001-01-01T00:00:00Z", "9999-99-99", 10**25)],
    ],
)
def test_a_moment_is_read_in_every_unit_and_nonsense_is_none(told, seconds):
    assert moment(told) == seconds


@pytest.mark.parametrize("told", [0, -1, 86_400, CREATED - 1, True, "never", 10**400, float("inf"), [1], "1970-01-01"])
def test_an_expiry_before_the_job_is_none(told):
    assert (
        read_job({"id": JOB, "status": "completed", "created_at": CREATED, "expires_at": told}, {}).expires_at is None
    )
    assert read_job({"id": JOB, "status": "completed", "expires_at": told}, {}).expires_at in (None, CREATED - 1)


def test_a_wish_for_a_pause_has_an_end():
    assert read_job({"id": JOB}, {"openai-poll-after-ms": "1e15"}).poll_after == 300


@pytest.mark.parametrize(
    ("told", "code", "message"),
    [
        *[({key: "no memory"}, None, "no memory")
          for key in ("error", "fail_reason", "failure_reason", "failed_reason", "message", "detail", "status_message",
                      "task_status_msg", "failReason", "error_message")],
        ({"error": {"message": "no memory", "code": 17}}, "17", "no memory"),
        ({"error": {"error": {"type": "oom", "msg": "no memory"}}}, "oom", "no memory"),
        ({"error": [{"message": "no memory"}, "at all"]}, None, "no memory; at all"),
        ({"error": {"code": None, "detail": {"reason": "no memory"}}}, None, "no memory"),
        ({"error": None, "data": {"fail_reason": "no memory"}}, None, "no memory"),
        ({"output": {"code": "OOM", "message": "no memory"}}, "OOM", "no memory"),
        ({"status": {"state": "failed", "message": "no memory"}}, None, "no memory"),
        ({"code": "success", "message": "success", "error": "", "fail_reason": "no memory"}, None, "no memory"),
        ({"failure": "no memory", "failureCode": "INTERNAL"}, "INTERNAL", "no memory"),
        ({"error": "no memory", "fail_reason": "no memory"}, None, "no memory"),
        ({"error": {}, "message": "ok", "code": 0}, None, None),
    ],
)  # fmt: skip
def test_a_reason_is_read_wherever_it_stands(told, code, message):
    job = read_job({"id": JOB, "status": "failed", **told}, {})
    assert (job.status, job.error_code, job.error_message) == (FAILED, code, message)


def test_a_reason_is_kept_whole_but_not_without_end():
    assert read_job({"id": JOB, "status": "failed", "error": "x" * 1500}, {}).error_message == "x" * 1500
    assert len(read_job({"id": JOB, "status": "failed", "error": "x" * 10**6}, {}).error_message) == 2000


@pytest.mark.parametrize(
    "error", [None, {}, "", "none", {"code": None, "message": ""}, {"code": 0, "message": "ok"}, []]
)
def test_a_completed_job_that_says_that_nothing_went_wrong_is_fine(error):
    job = read_job({"id": JOB, "status": "completed", "error": error, "message": "all done", "fail_reason": ""}, {})
    assert (job.error_code, job.error_message) == (None, None)


@pytest.mark.parametrize(
    ("message", "taken"),
    [
        ("Your video was filtered: it may violate the usage policies", True),
        ("the output was rejected by content moderation", True),
        ("审核未通过", True),
        ("content moderation passed", False),
        ("2 blocks of 2 rendered", False),
    ],
)
def test_a_completed_job_whose_message_speaks_of_a_filter_has_a_reason(message, taken):
    job = read_job({"id": JOB, "status": "completed", "message": message}, {})
    assert job.error_message == (message if taken else None)


@pytest.mark.parametrize(
    "code",
    [
        *["moderation_blocked", "content_policy_violation", "ResponsibleAIPolicyViolation", "contentFilter"],
        *["OutputVideoSensitiveContentDetected.PolicyViolation", "InputTextSensitiveContentDetected", "IMAGE_SAFETY"],
        *["PROHIBITED_CONTENT", "RECITATION", "DataInspectionFailed", "RiskControl", "sensitive", "NSFW_DETECTED"],
    ],
)
def test_a_filter_s_code_is_known_whoever_made_it(code):
    assert code_of_filter(None, code)


@pytest.mark.parametrize("code", [None, "", "server_error", "rate_limit_exceeded", "invalid_safety_identifier", 400])
def test_other_codes_are_no_filter_s(code):
    assert not code_of_filter(code)


@pytest.mark.parametrize(
    "message",
    [
        *["Your request was blocked by our moderation system", "The output may contain sensitive information"],
        *[
            "finish reason: IMAGE_SAFETY",
            "rejected by risk control",
            "NSFW content was found",
            "filtered: child safety",
        ],
        *[
            "This violates our usage policies.",
            "raiMediaFilteredReasons: 58061214",
            "输入内容包含敏感词",
            "Content policy",
        ],
        "input new_sensitive",
        *["the image was flagged as containing violence", "blocked because of a real person"],
    ],
)
def test_a_filter_is_known_by_its_words(message):
    assert words_of_filter(message)


@pytest.mark.parametrize(
    "message",
    [
        *[None, "", "GPU memory exhausted on node 7", "the moderation service is unavailable", "upstream timed out"],
        "could not render 'A moderation meeting about sensitive content at noon'",
    ],
)
def test_other_words_and_a_repeated_prompt_are_no_filter_s(message):
    assert not words_of_filter(message, "A moderation meeting about sensitive content at noon")


def test_a_part_of_the_prompt_is_a_repetition_too():
    assert not words_of_filter(
        "error near: meeting about sensitive content at", "A meeting about sensitive content at noon"
    )
