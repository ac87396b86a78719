"""What refusals mean by the words of makers, gateways and resellers: money, rates, places, rights, or one request."""

from __future__ import annotations

import datetime as dt

import pytest

from runner.errors import (
    AuthenticationError,
    BadRequestError,
    ContentModerationError,
    ModelNotFoundError,
    QuotaError,
    RateLimitError,
    RunnerError,
    UncertainError,
    UnexpectedAnswerError,
)
from runner.providers.allowance import wait_in_words, wait_of

HTML = {"content-type": "text/html"}
FIREWALL = "<!DOCTYPE html><html><head><title>Attention! | Cloudflare</title></head><body>Blocked</body></html>"


@pytest.fixture
def submitting(wire, connect, config_of):
    """What submitting raises when the endpoint answers so."""

    async def submit(status: int, message: str = "no", code=None, kind=None, *, headers=None, **body) -> RunnerError:
        body = body or {"json": {"error": {"message": message, "code": code, "type": kind}}}
        wire.replies(status, headers=headers, **body)
        config = config_of()
        with pytest.raises(RunnerError) as caught:
            await connect(config).submit(config)
        assert len(wire.requests) == 1
        return caught.value

    return submit


GOOGLE = (
    "litellm.RateLimitError: VertexAIException - You exceeded your current quota, please check your plan and billing "
    "details. For more information on this error, head to: https://ai.google.dev/gemini-api/docs/rate-limits. "
    + "* Quota exceeded for metric: "
    "generativelanguage.googleapis.com/predict_long_running_free_tier_requests, limit: {limit}, model: veo-3.1 " * 6
)
OPENAI = (
    "Rate limit reached for gpt-image-2 in organization org-x on input-images per min (IPM): Limit 5, Used 5, "
    "Requested 1. Please try again in 12s. You can increase your rate limit by adding a payment method to your "
    "account at https://platform.openai.com/account/billing."
)
BLOCKED = "Your resource has been temporarily blocked because we detected behavior that may violate our content policy."


@pytest.mark.parametrize(
    ("status", "message", "code", "kind"),
    [
        (402, "Payment Required", None, None),
        (429, "no", "insufficient_quota", None),
        (429, "no", None, "insufficient_quota"),
        (429, "Budget has been exceeded! Current cost: 12.4, Max budget: 10.0", "429", "budget_exceeded"),
        (400, "Budget has been exceeded! Current cost: 12.4, Max budget: 10.0", "400", "budget_exceeded"),
        (
            400,
            "ExceededTokenBudget: Current spend for token: 7.2; Max Budget for Token: 2e-07",
            "400",
            "auth_error",
        ),
        (429, "No deployments available - crossed budget: Exceeded budget for deployment", "429", "None"),
        (
            429,
            "litellm.RateLimitError: You exceeded your current quota, please check your plan and billing details.",
            "429",
            "throttling_error",
        ),
        (429, GOOGLE.format(limit=0), "429", None),
        (
            429,
            "Rate limit reached for gpt-image-2 on input-images per min: Limit 0, Used 0, Requested 1.",
            "rate_limit_exceeded",
            "input-images",
        ),
        (403, "user quota is not enough", "insufficient_user_quota", "new_api_error"),
        (403, "user quota is not enough", None, "new_api_error"),
        (403, "预扣费额度失败, 用户剩余额度不足", None, "new_api_error"),
        (429, "You have run out of credits.", None, None),
        (429, "Your account balance is not enough to run this query", None, None),
        (400, "Your credit balance is too low to access the API.", "invalid_request_error", None),
        (400, "Billing hard limit has been reached", "billing_hard_limit_reached", None),
        (429, "Your daily limit has been reached", None, None),
        (429, "Account overdue: check billing", None, None),
        (403, "Access denied, please make sure your account is in good standing.", "Arrearage", None),
    ],
)
async def test_money_and_quotas_are_told_as_such_with_the_server_s_words(submitting, status, message, code, kind):
    error = await submitting(status, message, code, kind)
    assert type(error) is QuotaError
    assert error.shared
    assert message[:100] in str(error)
    assert "nothing was created" in error.hint


async def test_a_quota_told_in_plain_text_is_one_too(submitting):
    error = await submitting(429, text="quota exceeded for this account\n", headers={"content-type": "text/plain"})
    assert type(error) is QuotaError


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("Rate limit reached for requests", "rate_limit_exceeded"),
        (OPENAI, "rate_limit_exceeded"),
        ("You exceeded your current quota: requests per minute, limit: 10", None),
        (GOOGLE.format(limit=10) + "Please retry in 22.9s.", "rate_limit"),
        ("Quota exceeded for aiplatform.googleapis.com/online_prediction_requests_per_base_model: veo-3.1", "429"),
        ("Rate limit reached on tokens per min (TPM): Limit 10000, Used 9000, Requested 2000.", None),
        ("exceeded call rate limit of your pricing tier. To increase your default quota go to …", "429"),
        ("Too Many Requests", None),
        ("slow down", "rate_limit_exceeded"),
        ("Throttling.RateQuota", "Throttling"),
    ],
)
async def test_a_rate_is_waited_for_and_takes_no_place(submitting, message, code):
    error = await submitting(429, message, code)
    assert isinstance(error, RateLimitError)
    assert (error.exhausted, error.crowded) == (True, False)
    assert "requests_per_minute" in error.hint


@pytest.mark.parametrize(
    "message",
    [
        "Too many running tasks",
        "You have reached the maximum number of concurrent requests",
        "Max parallel request limit reached",
        "too many jobs in progress",
        "You have 3 pending generations, the limit is 3",
        "queue is full",
        "Too many active video generations",
    ],
)
async def test_too_much_at_once_is_told_from_a_rate(submitting, message):
    error = await submitting(429, message)
    assert isinstance(error, RateLimitError)
    assert (error.exhausted, error.crowded) == (False, True)
    assert "max_concurrent_jobs" in error.hint


@pytest.mark.parametrize("message", ["try later", "overloaded", "Crossed TPM / RPM / Max Parallel Request Limit"])
async def test_what_may_be_either_is_neither(submitting, message):
    error = await submitting(429, message)
    assert isinstance(error, RateLimitError)
    assert (error.exhausted, error.crowded) == (False, False)


@pytest.mark.parametrize(
    "message",
    [
        "Request too large for gpt-image-2 on input-images per min: Limit 5, Requested 6.",
        "Rate limit: on tokens per min (TPM): Limit 10,000, Used 0, Requested 12,000.",
    ],
)
async def test_a_request_beyond_what_is_ever_allowed_fails_alone_and_at_once(submitting, message):
    error = await submitting(429, message, "rate_limit_exceeded")
    assert type(error) is BadRequestError
    assert not error.shared
    assert message in str(error)


@pytest.mark.parametrize("body", [{"text": FIREWALL, "headers": HTML}, {"json": {"detail": "too big"}}, {"text": ""}])
async def test_413_is_about_the_upload_in_any_form(submitting, body):
    error = await submitting(413, **body)
    assert type(error) is BadRequestError
    assert "too large" in str(error)
    assert "base_url" not in f"{error} {error.hint}"


@pytest.mark.parametrize(
    ("status", "message", "code", "kind", "says"),
    [
        (403, "Your organization must be verified to use the model `gpt-image-2`.", None, AuthenticationError,
         "Verify Organization"),
        (403, BLOCKED, "Forbidden", AuthenticationError, "has blocked"),
        (401, "Your OpenAI account has been deactivated, check your email.", "account_deactivated",
         AuthenticationError, "has blocked"),
        (403, "Country, region, or territory not supported", "unsupported_country_region_territory",
         AuthenticationError, "country or region"),
        (400, "User location is not supported for the API use.", "unsupported_region", AuthenticationError, "region"),
        (403, "Your IP address is not allowed", "ip_not_authorized", AuthenticationError, "this machine's address"),
        (403, "Project `proj_1` does not have access to model `gpt-image-2`", "model_not_found", ModelNotFoundError,
         "model.name=NAME"),
        (401, "key not allowed to access model. This key can only access models=['x']", "key_model_access_denied",
         ModelNotFoundError, "model.name=NAME"),
        (403, "You have insufficient permissions for this operation. Missing scopes: api.model.images.request", None,
         AuthenticationError, "may not create"),
        (400, "No connected db.", "no_db_connection", AuthenticationError, "master key"),
    ],
)  # fmt: skip
async def test_a_refusal_that_is_not_about_the_key_is_named(submitting, status, message, code, kind, says):
    error = await submitting(status, message, code)
    assert type(error) is kind
    assert error.shared, "every sibling would meet it"
    assert message in str(error)
    assert says in f"{error} {error.hint}"
    assert "refused the credential" not in str(error)
    assert "whole key" not in error.hint


@pytest.mark.parametrize(
    ("status", "message", "code"),
    [(401, "no", None), (403, "Invalid API key", None), (400, "no", "expired_key"), (403, "bad token", None)],
)
async def test_a_refusal_of_the_key_names_where_it_came_from(submitting, status, message, code):
    error = await submitting(status, message, code)
    assert type(error) is AuthenticationError
    assert "refused the credential from OPENAI_API_KEY" in str(error)


async def test_a_403_without_a_reason_is_judged_by_the_siblings(submitting):
    error = await submitting(403, "Forbidden")
    assert type(error) is AuthenticationError
    assert error.shared is None
    assert "credential" not in str(error)


async def test_a_policy_of_the_provider_is_a_filter(submitting):
    error = await submitting(403, "This prompt may violate our usage policies")
    assert type(error) is ContentModerationError


async def test_a_model_that_a_gateway_does_not_know_is_named(submitting):
    error = await submitting(400, "/videos: Invalid model name passed in model=sora-2. Call `/v1/models`", "400")
    assert type(error) is ModelNotFoundError
    assert "'sora-2'" in str(error)


@pytest.mark.parametrize(("status", "message", "hint"), [
    (400, "/videos: Invalid model name passed in model=wan. Call `/v1/models`", "model.deployment=NAME"),
    (400, "Model mismatch: request specifies 'wan' but server is running 'Qwen/Qwen-Image'.",
     "model.deployment=Qwen/Qwen-Image"),
    (400, "The model `wan` does not exist.", "model.deployment=NAME"),
    (422, "Deployment wan was not found", "model.deployment=NAME"),
    (400, "Unknown model: wan", "model.deployment=NAME"),
    (400, "litellm.BadRequestError: LLM Provider NOT provided. You passed model=wan", "model.deployment=NAME"),
    (404, "The model `wan` does not exist.", "model.deployment=NAME"),
])  # fmt: skip
async def test_an_unknown_model_is_one_whatever_the_status_and_names_the_key(
    wire, connect, loaded, status, message, hint
):
    wire.replies(status, json={"error": {"message": message, "type": "invalid_request_error", "code": str(status)}})
    config = loaded("provider=litellm", "model=wan2.2-t2v", "model.deployment=wan")
    with pytest.raises(ModelNotFoundError) as caught:
        await connect(config, {"LITELLM_API_KEY": "sk-1"}).submit(config)
    assert "has no model 'wan'" in str(caught.value)
    assert (caught.value.hint or "").startswith(hint)


@pytest.mark.parametrize("message", [
    "size 1x1 is not supported by model wan2.2",
    "the prompt 'an unknown model on a catwalk' is too long",
    "input image: file not found",
])  # fmt: skip
async def test_other_refusals_that_speak_of_models_are_about_the_request(submitting, message):
    assert type(await submitting(400, message, "invalid_value")) is BadRequestError


@pytest.mark.parametrize(
    "word", ["blocked user", "quota exceeded", "must be verified", "does not have access to model"]
)
async def test_a_prompt_that_a_refusal_repeats_is_not_taken_for_its_reason(submitting, word):
    error = await submitting(400, f"size is not valid for the prompt 'a {word} on a poster'", "invalid_value")
    assert type(error) is BadRequestError


@pytest.mark.parametrize("status", [400, 403, 406, 418, 451])
async def test_a_firewall_s_page_may_be_about_one_prompt(submitting, status):
    error = await submitting(status, text=FIREWALL, headers=HTML)
    assert type(error) is UnexpectedAnswerError
    assert error.shared is None
    assert "Cloudflare" in str(error)
    assert "firewall" in error.hint


@pytest.mark.parametrize("status", [401, 404, 405, 302])
async def test_a_page_that_comes_for_any_request_is_about_the_address(submitting, status):
    error = await submitting(status, text=FIREWALL, headers=HTML)
    assert type(error) is UnexpectedAnswerError
    assert error.shared is False
    assert "base_url" in error.hint


async def test_a_gateway_s_page_with_429_is_waited_for_and_one_with_503_is_uncertain(submitting, wire):
    assert isinstance(await submitting(429, text=FIREWALL, headers=HTML), RateLimitError)
    wire.requests.clear()
    error = await submitting(503, text=FIREWALL, headers=HTML)
    assert isinstance(error, UncertainError)
    assert error.shared is None, "a gateway whose backend is down answers all runs so"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5", 5),
        (" 5s ", 5),
        ("1m30s", 90),
        ("1_0", 10),
        ("-3", 0),
        ("Wed, 01 Jan 2020 00:00:00 GMT", 0),
        ("1000000000", 1e9),
        ("nan", None),
        ("inf", None),
        ("1e400", None),
        ("9" * 400, None),
        ("", None),
        ("tomorrow", None),
        ("Fri, 31 Dec 9999 23:59:59 -9959", None),
        ("Mon, 01 Jan 0001 00:00:00 +99999999999", None),
        ("Mon, 99 Foo 2020", None),
    ],
)
def test_a_wait_is_read_in_any_form_and_never_breaks(text, seconds):
    assert wait_of(text) == (seconds if not seconds else pytest.approx(seconds, abs=120))


@pytest.mark.parametrize(("hours", "seconds"), [(1, 3600), (-1, 0)])
@pytest.mark.parametrize(
    "spelled",
    [
        lambda moment: moment.isoformat(),
        lambda moment: str(int(moment.timestamp())),
        lambda moment: str(int(moment.timestamp() * 1000)),
    ],
    ids=["iso", "unix", "milliseconds"],
)
def test_a_moment_is_as_good_as_a_number_of_seconds(spelled, hours, seconds):
    moment = dt.datetime.now(dt.UTC) + dt.timedelta(hours=hours)
    assert wait_of(spelled(moment)) == pytest.approx(seconds, abs=120 if seconds else 0)


def test_a_date_without_end_is_a_long_wait():
    assert wait_of("Fri, 31 Dec 9999 23:59:59 GMT") > 1e11


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("Please try again in 7m12s. Visit", 432),
        ("Please retry after 60 seconds.", 60),
        ("retry in 22.9s", 22.9),
        ("Try again in 5 seconds. Passed model=x", 5),
        ("Please wait 3 minutes", 180),
        ("try again in 20ms", 0.02),
        ("try again in 1h2m3s", 3723),
        ("try again later", None),
        ("retry 3 times", None),
        ("", None),
    ],
)
def test_a_wait_that_only_words_tell_is_kept(said, seconds):
    assert wait_in_words(said) == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "5, 10"}, 5),
        ({"x-ratelimit-reset": "30"}, 30),
        ({"ratelimit-reset": "30"}, 30),
        ({"x-ratelimit-reset-requests": "99999999999999"}, 7),
        ({}, 7),
    ],
)
async def test_headers_come_before_words(submitting, headers, seconds):
    error = await submitting(429, "Rate limit reached. Please try again in 7s.", headers=headers)
    assert error.retry_after == seconds
