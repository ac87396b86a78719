"""Azure's own refusals: each names what is wrong in the portal or the config, and what to do."""

from __future__ import annotations

import socket

import httpx2
import pytest

from runner.errors import (
    AuthenticationError,
    BadRequestError,
    ContentModerationError,
    HTTPConnectionError,
    ModelNotFoundError,
    QuotaError,
    RateLimitError,
    RunnerError,
    UnexpectedAnswerError,
)

AZURE = {"kind": "azure_openai", "base_url": "https://res.openai.azure.com"}


@pytest.fixture
def submitting(wire, connect, config_of):
    """What submitting raises when the resource answers so."""

    async def submit(status: int, code: str | None, message: str, **more) -> RunnerError:
        wire.replies(status, json={"error": {"code": code, "message": message, **more}})
        config = config_of(AZURE, {"deployment": "films"})
        with pytest.raises(RunnerError) as caught:
            await connect(config).submit(config)
        assert len(wire.requests) == 1
        return caught.value

    return submit


@pytest.mark.parametrize(
    ("status", "code", "message", "expected", "hint"),
    [
        (
            *(401, "PermissionDenied", "The principal `x` lacks the required data action `…/generations/action`"),
            *(AuthenticationError, "Cognitive Services OpenAI User"),
        ),
        (403, "PermissionDenied", "no", AuthenticationError, "Cognitive Services OpenAI User"),
        (
            *(403, "AuthenticationTypeDisabled", "Key based authentication is disabled for this resource."),
            *(AuthenticationError, "provider.auth=entra_id"),
        ),
        (403, "403", "Access denied due to Virtual Network/Firewall rules.", AuthenticationError, "Networking"),
        (
            *(403, "403", "Public access is disabled. Please configure private endpoint."),
            *(AuthenticationError, "Networking"),
        ),
        (
            *(400, "BadRequest", "Tenant provided in token does not match resource token"),
            *(AuthenticationError, "provider.tenant_id"),
        ),
        (403, "403", "Out of call volume quota. Quota will be replenished in 9 days.", QuotaError, "Quotas"),
        (400, "BadRequest", "API version not supported", BadRequestError, "provider.api_version=null"),
        (404, "UnsupportedApiVersion", "no such version", BadRequestError, "provider.api_version=null"),
        (
            *(400, "OperationNotSupported", "The operation does not work with the specified model, gpt-4o."),
            *(ModelNotFoundError, "model.deployment=NAME"),
        ),
        (404, "404", "Resource not found", UnexpectedAnswerError, "provider.base_url"),
        (404, "DeploymentNotFound", "The API deployment does not exist.", ModelNotFoundError, "model.deployment=NAME"),
        (401, "401", "Access denied due to invalid subscription key", AuthenticationError, "AZURE_OPENAI_API_KEY"),
        (429, "429", "Too many running tasks", RateLimitError, "provider.max_concurrent_jobs"),
        (
            *(429, "429", "exceeded call rate limit. To increase your default quota go to …"),
            *(RateLimitError, "requests_per_minute"),
        ),
        (429, "insufficient_quota", "You exceeded your current quota", QuotaError, "billing"),
    ],
)
async def test_each_refusal_says_what_to_do(submitting, status, code, message, expected, hint):
    error = await submitting(status, code, message)
    assert type(error) is expected
    assert message in str(error)
    assert hint in (error.hint or "")
    assert (error.code, error.model) == (code, "films")


RESULTS = {
    "hate": {"filtered": False, "severity": "safe"},
    "violence": {"filtered": True, "severity": "medium"},
    "custom_blocklists": {"filtered": True, "details": [{"filtered": True, "id": "brands"}]},
    "profanity": {"detected": True, "filtered": False},
}
SAID = "for violence (medium), custom_blocklists (brands), profanity:"


@pytest.mark.parametrize(
    "more",
    [
        {"inner_error": {"code": "ResponsibleAIPolicyViolation", "content_filter_results": RESULTS}},
        {"innererror": {"code": "ResponsibleAIPolicyViolation", "content_filter_result": RESULTS}},
        {"content_filter_results": RESULTS},
        {"content_filters": [{"blocked": True, "source_type": "prompt", "content_filter_results": RESULTS}]},
    ],
)
async def test_the_content_filter_s_categories_are_named_wherever_they_stand(submitting, more):
    error = await submitting(400, "content_filter", "The prompt was filtered.", **more)
    assert isinstance(error, ContentModerationError)
    assert SAID in str(error)


async def test_a_filtered_job_names_its_categories_too(wire, connect, config_of):
    error = {"code": "content_filter", "message": "filtered", "inner_error": {"content_filter_results": RESULTS}}
    wire.replies(200, json={"id": "video_1", "status": "failed", "error": error})
    job = await connect(config_of(AZURE)).retrieve("video_1")
    assert job.error_message == "filtered (violence (medium), custom_blocklists (brands), profanity)"


async def test_a_resource_that_does_not_exist_is_known_by_its_name_not_resolving(wire, connect, config_of):
    failure = httpx2.ConnectError("dns")
    failure.__cause__ = socket.gaierror(-2, "Name or service not known")
    wire.raises(failure)
    config = config_of(AZURE)
    with pytest.raises(HTTPConnectionError, match="does not resolve") as caught:
        await connect(config).submit(config)
    assert "Keys and Endpoint" in (caught.value.hint or "")


async def test_a_job_that_azure_does_not_find_is_not_taken_for_a_wrong_route(wire, connect, config_of):
    wire.replies(404, json={"error": {"code": "404", "message": "Resource not found"}})
    with pytest.raises(RunnerError, match="knows no job video_1"):
        await connect(config_of(AZURE)).retrieve("video_1")
