"""What each refusal becomes: the error's type, what it says, and what it says to type next."""

from __future__ import annotations

import datetime as dt
import json
from email.utils import format_datetime

import pytest

from runner.errors import (
    AuthenticationError,
    BadRequestError,
    ContentModerationError,
    ExpiredError,
    JobNotFoundError,
    ModelNotFoundError,
    QuotaError,
    RateLimitError,
    RunnerError,
    ServerError,
    UncertainError,
    UnexpectedAnswerError,
)
from runner.providers.base import JobStatus

AZURE = {"kind": "azure_openai", "base_url": "https://res.openai.azure.com"}
PAGE = "<html><head><title>502 Bad Gateway</title><style>p{}</style></head><body><p>nginx\x1b[31m</p></body></html>"


@pytest.fixture
def submitting(wire, connect, config_of):
    """What submitting raises when the endpoint answers so."""

    async def submit(status: int, provider=None, model=None, **answer) -> RunnerError:
        wire.replies(status, **answer)
        config = config_of(provider, model)
        paid = connect(config)
        with pytest.raises(RunnerError) as caught:
            await (paid.generate(config) if config.model.kind == "image" else paid.submit(config))
        assert len(wire.requests) == 1, "a paid request is never repeated"
        return caught.value

    return submit


@pytest.fixture
def retrieving(wire, connect, config_of):
    """What asking for a job raises when the endpoint answers so."""

    async def retrieve(status: int, **answer) -> RunnerError:
        wire.replies(status, **answer)
        with pytest.raises(RunnerError) as caught:
            await connect(config_of()).retrieve("video_1")
        return caught.value

    return retrieve


def envelope(code: str | None = None, message: str = "no", **more) -> dict:
    return {"error": {"code": code, "message": message, **more}}


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, envelope("invalid_value"), BadRequestError),
        (400, envelope("moderation_blocked"), ContentModerationError),
        (400, envelope("content_policy_violation"), ContentModerationError),
        (401, envelope("invalid_api_key"), AuthenticationError),
        (402, envelope(), QuotaError),
        (403, envelope("unsupported_country"), AuthenticationError),
        (404, envelope("model_not_found"), ModelNotFoundError),
        (404, envelope("DeploymentNotFound"), ModelNotFoundError),
        (404, envelope(None, type="video_generation_user_error"), ModelNotFoundError),
        (404, envelope("404", "Resource not found"), UnexpectedAnswerError),
        (404, {"detail": "Not Found"}, UnexpectedAnswerError),
        (408, envelope(), UncertainError),
        (499, envelope(), UncertainError),
        (409, envelope(), BadRequestError),
        (413, envelope(), BadRequestError),
        (422, {"detail": [{"loc": ["body", "size"], "msg": "bad"}]}, BadRequestError),
        (425, envelope(), RateLimitError),
        (429, envelope("rate_limit_exceeded"), RateLimitError),
        (429, envelope("insufficient_quota"), QuotaError),
        (500, envelope("server_error"), UncertainError),
        (502, envelope(), UncertainError),
        (503, envelope(), UncertainError),
    ],
)
async def test_each_answer_to_a_paid_request_has_its_error(submitting, status, body, expected):
    error = await submitting(status, json=body)
    assert type(error) is expected
    assert error.provider == "openai"
    assert error.model == "sora-2"
    assert error.raw_response == body


@pytest.mark.parametrize("status", [408, 409, 423, 500, 502, 503, 504])
async def test_what_passes_is_retryable_for_who_only_reads(retrieving, status):
    error = await retrieving(status, json=envelope())
    assert isinstance(error, ServerError)
    assert error.retryable
    assert error.job_id == "video_1"


_TAKEN = {"code": "moderation_blocked", "message": "the prompt was refused"}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"errors": [_TAKEN]}, ": the prompt was refused"),
        ({"error": [_TAKEN]}, ": the prompt was refused"),
        ({"detail": {"error": _TAKEN}}, ": the prompt was refused"),
        (envelope("400", json.dumps({"error": _TAKEN})), ": the prompt was refused"),
        (envelope("400", f"backend failed - {json.dumps({'error': _TAKEN})} (model a)"), ": backend failed - "),
    ],
    ids=["errors", "list", "detail", "message", "quoted"],
)
async def test_an_error_is_read_wherever_gateways_put_it(submitting, body, said):
    error = await submitting(400, json=body)
    assert isinstance(error, ContentModerationError)
    assert said in error.message


@pytest.mark.parametrize(
    "body",
    [
        {"title": "not valid", "errors": {"size": ["bad size"]}},
        {"errors": ["bad size"]},
        {"errors": [{"message": "bad size"}, {"message": "bad length"}]},
        envelope("400", 'bad size {"width": 1'),
        envelope("400", 'bad size {"width": 1}'),
        {"error": [], "message": "bad size"},
    ],
    ids=str,
)
async def test_other_forms_are_refusals_with_their_words(submitting, body):
    error = await submitting(400, json=body)
    assert type(error) is BadRequestError
    assert "bad size" in error.message


async def test_a_wrong_key_names_its_variable(submitting):
    error = await submitting(401, json=envelope("invalid_api_key", "Incorrect API key"))
    assert "OPENAI_API_KEY" in str(error)
    assert "401" in str(error)


async def test_azure_s_401_tells_of_tokens_sent_as_keys(submitting):
    error = await submitting(401, AZURE, json=envelope("401", "Access denied"))
    assert "AZURE_OPENAI_API_KEY" in str(error)
    assert "provider.auth=token" in (error.hint or "")


async def test_a_missing_deployment_says_what_to_type(submitting):
    error = await submitting(404, AZURE, {"deployment": "prod"}, json=envelope("DeploymentNotFound", "none such"))
    assert "'prod'" in str(error)
    assert "model.deployment=NAME" in (error.hint or "")
    assert error.model == "prod"


@pytest.mark.parametrize(("status", "said"), [(404, "Not Found"), (405, "Method Not Allowed")])
async def test_a_missing_route_says_which_address_was_asked(submitting, status, said):
    error = await submitting(status, json={"detail": said})
    assert "provider.base_url" in (error.hint or "")
    assert "https://api.openai.com/v1" in (error.hint or "")


async def test_azure_s_content_filter_names_its_categories(submitting):
    result = {
        "hate": {"filtered": False, "severity": "safe"},
        "violence": {"filtered": True, "severity": "medium"},
        "jailbreak": {"filtered": True, "detected": True},
    }
    inner = {"code": "ResponsibleAIPolicyViolation", "content_filter_result": result}
    error = await submitting(400, AZURE, json=envelope("content_filter", "filtered", inner_error=inner))
    assert isinstance(error, ContentModerationError)
    assert "for violence (medium), jailbreak:" in str(error)
    assert "request.prompt" in (error.hint or "")


async def test_too_many_running_jobs_name_the_key_that_avoids_it(submitting):
    error = await submitting(429, AZURE, json=envelope("429", "Too many running tasks"))
    assert "provider.max_concurrent_jobs" in (error.hint or "")


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7),
        ({"retry-after": "86400"}, 86400),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "-3"}, 0),
        ({"retry-after": "7", "x-ratelimit-reset-requests": "9"}, 7),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "6m0s"}, 360),
        ({"x-rate-limit-reset-tokens": "55", "x-ratelimit-remaining-requests": "79"}, 55),
        ({"x-ratelimit-remaining-requests": "79", "x-ratelimit-reset-requests": "1s"}, None),
        ({}, None),
    ],
)
async def test_retry_after_is_read_at_any_length(submitting, headers, seconds):
    error = await submitting(429, json=envelope(), headers=headers)
    assert isinstance(error, RateLimitError)
    assert error.retry_after == seconds


async def test_retry_after_may_be_a_date(submitting):
    later = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=90)
    error = await submitting(429, json=envelope(), headers={"retry-after": format_datetime(later, usegmt=True)})
    assert isinstance(error, RateLimitError)
    assert error.retry_after == pytest.approx(90, abs=2)


@pytest.mark.parametrize(
    ("message", "exhausted"), [("exceeded call rate limit", True), ("Too many running tasks", False)]
)
async def test_a_used_up_allowance_is_told_from_too_many_running_jobs(submitting, message, exhausted):
    headers = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "17"}
    error = await submitting(429, AZURE, json=envelope("429", message), headers=headers)
    assert (error.exhausted, error.retry_after) == (exhausted, 17)


@pytest.mark.parametrize("header", ["x-request-id", "apim-request-id"])
async def test_request_ids_are_kept(submitting, header):
    assert (await submitting(400, json=envelope(), headers={header: "req_7"})).request_id == "req_7"


@pytest.mark.parametrize("status", [200, 401, 403, 404])
async def test_a_web_page_instead_of_the_api_is_said_in_plain_text(submitting, status):
    error = await submitting(status, text=PAGE, headers={"content-type": "text/html"})
    # Whoever says yes may have passed a paid request on.
    assert isinstance(error, UncertainError if status == 200 else UnexpectedAnswerError)
    assert "502 Bad Gateway: nginx" in str(error)
    assert "<" not in str(error)
    assert "\x1b" not in str(error)


async def test_a_gateway_s_error_page_leaves_a_paid_request_uncertain_and_a_poll_retryable(
    submitting, retrieving, wire
):
    error = await submitting(502, text=PAGE, headers={"content-type": "text/html"})
    assert isinstance(error, UncertainError)
    assert "may have been carried out" in str(error)
    assert isinstance(await retrieving(502, text=PAGE, headers={"content-type": "text/html"}), ServerError)


@pytest.mark.parametrize("body", [b'{"status": "queued"}', b'{"id": "vid', b"", b"{}"])
async def test_a_success_that_names_no_job_leaves_a_paid_request_uncertain(submitting, body):
    error = await submitting(200, content=body, headers={"content-type": "application/json"})
    assert isinstance(error, UncertainError)


async def test_a_redirect_is_not_followed(submitting):
    error = await submitting(307, headers={"location": "https://elsewhere.example/v1/videos"})
    assert isinstance(error, UnexpectedAnswerError)
    assert "redirected (307)" in str(error)


@pytest.mark.parametrize("status", [404, 410])
@pytest.mark.parametrize(
    "told",
    [
        {"error": {"message": "no such video"}},
        {"error": {"message": "Video not found. It may have expired or was deleted."}},
        {"error": {"message": "The key for this video has expired"}},
        {"error": {"message": "the video does not exist or has been deleted"}},
        {"detail": "Not Found"},
        {},
    ],
)
async def test_a_job_that_is_not_found_may_come_back(retrieving, status, told):
    error = await retrieving(status, json=told, headers={"date": "Mon, 30 Nov 2026 07:00:00 GMT"})
    assert type(error) is JobNotFoundError
    assert error.code == {404: "not_found", 410: "gone"}[status]
    assert (error.job_id, error.status_code, error.exit_code) == ("video_1", status, 4)
    assert error.server_time == dt.datetime(2026, 11, 30, 7, tzinfo=dt.UTC).timestamp()
    assert "OPENAI_API_KEY" in (error.hint or "")


@pytest.mark.parametrize("date", [None, "", "soon", "Mon, 99 Nov 2026 07:00:00 GMT"])
async def test_a_server_without_a_clock_tells_no_time(retrieving, date):
    error = await retrieving(404, json={}, headers={} if date is None else {"date": date})
    assert error.server_time is None


@pytest.mark.parametrize("status", [404, 409, 410])
@pytest.mark.parametrize(
    "told",
    [
        {"error": {"code": "video_expired", "message": "gone"}},
        {"error": {"code": "expired", "message": "gone"}},
        {"error": {"message": "The video's content has expired."}},
        {"error": {"message": "This job was deleted."}},
        {"detail": "Task deleted", "code": "job_deleted"},
    ],
)
async def test_a_job_that_its_server_says_it_no_longer_keeps_is_expired(retrieving, status, told):
    error = await retrieving(status, json=told)
    assert type(error) is ExpiredError
    assert error.job_id == "video_1"


async def test_a_page_about_something_expired_is_no_word_of_the_api_s(retrieving):
    error = await retrieving(404, text="<h1>The file has expired</h1>", headers={"content-type": "text/html"})
    assert type(error) is UnexpectedAnswerError


async def test_a_remix_of_a_missing_video_names_the_key(wire, connect, config_of):
    wire.replies(404, json=envelope("not_found"))
    config = config_of(video="video_src")
    with pytest.raises(BadRequestError, match="video_src") as caught:
        await connect(config).submit(config)
    assert "request.video" in (caught.value.hint or "")
    assert caught.value.job_id is None


@pytest.mark.parametrize("status", [400, 422, 500])
async def test_a_failed_job_delivered_as_an_http_error_is_a_job(wire, connect, config_of, status):
    error = {"code": "oom", "message": "out of memory"}
    wire.replies(status, json={"id": "video_1", "status": "failed", "error": error})
    job = await connect(config_of()).retrieve("video_1")
    assert (job.status, job.error_code, job.error_message) == (JobStatus.FAILED, "oom", "out of memory")


async def test_a_server_s_own_error_with_a_status_is_not_taken_for_the_job(retrieving):
    assert isinstance(await retrieving(500, json={"status": "error", "message": "busy"}), ServerError)
