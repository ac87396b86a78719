"""Headers that a user configures go to the endpoint and nowhere else; those of OPENAI_CUSTOM_HEADERS go nowhere."""

from __future__ import annotations

import httpx2
import pytest
from pydantic import ValidationError

from runner.config.provider import CompatibleConfig, OpenAIConfig
from runner.errors import ConfigError, RunnerError
from runner.providers.base import Job, JobStatus
from runner.providers.credentials import cleaned, find
from runner.providers.preflight import check_endpoint
from runner.providers.registry import create

SECRET = "apim-3f9a77c1d2e84b55"
HEADERS = {"headers": {"x-team": "film", "x-retries": 0}, "headers_env": {"Ocp-Apim-Subscription-Key": "APIM"}}
PROVIDERS = {
    "openai": {"kind": "openai"},
    "azure": {"kind": "azure_openai", "base_url": "https://res.openai.azure.com"},
    "azure, dated": {"kind": "azure_openai", "base_url": "https://res.openai.azure.com", "api_version": "2024-10-21"},
    "compatible": {"kind": "compatible", "base_url": "http://127.0.0.1:9/v1"},
}


@pytest.fixture
def env(key) -> dict[str, str]:
    return {"OPENAI_API_KEY": key, "AZURE_OPENAI_API_KEY": key, "APIM": SECRET}


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("kind", ["video", "image"])
async def test_every_request_to_the_endpoint_has_the_headers(wire, connect, config_of, env, provider, kind):
    config = config_of({**PROVIDERS[provider], **HEADERS}, {"kind": kind})
    client = connect(config, env)
    await (client.submit(config) if kind == "video" else client.generate(config))
    await client.retrieve("video_1")
    for request in wire.requests:
        assert request.headers["x-team"] == "film"
        assert request.headers["x-retries"] == "0"
        assert request.headers["ocp-apim-subscription-key"] == SECRET


async def test_no_other_host_gets_them(wire, connect, config_of, env):
    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.url.host == "cdn.example":
            return httpx2.Response(200, content=b"mp4", headers={"content-type": "video/mp4"})
        return httpx2.Response(302, headers={"location": "https://cdn.example/v.mp4"})

    wire.answer = answer
    async with connect(config_of(HEADERS), env).content(Job("v", JobStatus.COMPLETED, "completed")) as content:
        assert b"".join([chunk async for chunk in content.chunks()]) == b"mp4"
    own, foreign = wire.requests
    assert "ocp-apim-subscription-key" in own.headers
    assert not {"ocp-apim-subscription-key", "x-team", "x-retries", "authorization", "cookie"} & {*foreign.headers}


async def test_a_secret_value_that_the_server_repeats_is_redacted(wire, connect, config_of, env):
    wire.replies(401, json={"error": {"message": f"bad {SECRET}"}, "headers": {"x": SECRET}}, headers={"x-id": SECRET})
    with pytest.raises(RunnerError) as caught:
        await connect(config_of(HEADERS), env).retrieve("video_1")
    assert SECRET not in f"{vars(caught.value)} {caught.value}"


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_the_sdk_s_own_variable_adds_no_header(wire, connect, config_of, env, monkeypatch, provider):
    lines = ["X-Gateway-Token: tok-3f9a77c1d2e8", "Authorization: Bearer other", "api-key: other",
             " X-Two : tok-2-3f9a77", "User-Agent: tok-3-3f9a77", "OpenAI-Organization: org-other"]  # fmt: skip
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "\n".join(lines))
    config = config_of(PROVIDERS[provider], {"kind": "image"})
    wire.replies(401, json={"error": {"message": "tok-3f9a77c1d2e8 is not valid"}})
    with pytest.raises(RunnerError) as caught:
        await connect(config, env).generate(config)
    sent = str(wire.sent.headers.multi_items())
    assert "tok-" not in sent
    assert "other" not in sent
    assert "tok-3f9a77c1d2e8" not in str(caught.value)


def test_whoever_sets_the_sdk_s_own_variable_is_told_what_to_do(config_of, env):
    (problem,) = check_endpoint(config_of().provider, {**env, "OPENAI_CUSTOM_HEADERS": f"X-Token: {SECRET}"})
    assert (problem.key, problem.severity) == ("OPENAI_CUSTOM_HEADERS", "warning")
    assert "headers_env" in (problem.hint or "")
    assert SECRET not in repr(problem)


async def test_a_configured_header_is_sent_although_the_sdk_s_variable_has_one_of_its_name(
    wire, connect, config_of, env, monkeypatch
):
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "x-team: other")
    await connect(config_of(HEADERS), env).retrieve("video_1")
    assert wire.sent.headers["x-team"] == "film"


async def test_a_gateway_may_want_its_own_kind_of_authorization(wire, connect, config_of):
    provider = {**PROVIDERS["compatible"], "headers_env": {"Authorization": "BASIC"}}
    await connect(config_of(provider), {"BASIC": "Basic dXNlcjpwYXNz"}).retrieve("video_1")
    assert wire.sent.headers["authorization"] == "Basic dXNlcjpwYXNz"


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({"a b": "1"}, "legal header name"),
        ({"": "1"}, "legal header name"),
        ({"X-Näme": "1"}, "legal header name"),
        ({"X-One": "a\nX-Two: b"}, "control characters"),
        ({"X-One": "ä"}, "beyond ASCII"),
        ({"X-One": "a" * 9000}, "longer"),
        ({"X-One": ["a"]}, "text or a number"),
        ({"x-one": 1, "X-One": 2}, "given twice"),
        ({"Host": "evil"}, "HTTP client"),
        ({"Content-Length": "0"}, "HTTP client"),
        ({"Transfer-Encoding": "chunked"}, "HTTP client"),
        ({"Authorization": "Bearer hunter2hunter2"}, "headers_env.Authorization"),
        ({"api-key": "hunter2hunter2"}, "headers_env.api-key"),
        ({"X-Gateway-Token": "hunter2hunter2"}, "headers_env.X-Gateway-Token"),
        ({"Ocp-Apim-Subscription-Key": "hunter2hunter2"}, "headers_env"),
        ({"CF-Access-Client-Secret": "hunter2hunter2"}, "headers_env"),
        ("X-One: a", "mapping"),
    ],
)
def test_headers_that_cannot_or_must_not_be_sent_are_refused(headers, said):
    with pytest.raises(ValidationError) as caught:
        OpenAIConfig(kind="openai", headers=headers)
    assert said in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "headers", [{"X-Max-Tokens": 100}, {"X-One": True}, {"X-One": ""}, {"x-litellm-num-retries": 0}]
)
def test_ordinary_headers_pass_and_survive_being_saved(headers):
    config = OpenAIConfig(kind="openai", headers=headers)
    assert OpenAIConfig.model_validate(config.model_dump(mode="json")) == config
    assert hash(config) == hash(config.model_copy())


def test_null_takes_a_header_out():
    assert CompatibleConfig(kind="compatible", headers={"X-One": None}).headers == ()


@pytest.mark.parametrize("names", [{"X-Key": "not a name"}, {"X-Key": "sk-proj-abcdefghijkl"}, {"Host": "NAME"}])
def test_only_the_names_of_variables_are_taken_for_secret_values(names):
    with pytest.raises(ValidationError):
        OpenAIConfig(kind="openai", headers_env=names)


def test_one_header_is_given_in_one_way():
    with pytest.raises(ValidationError, match="headers and in headers_env"):
        OpenAIConfig(kind="openai", headers={"X-Team": "a"}, headers_env={"x-team": "TEAM"})


@pytest.mark.parametrize(
    ("value", "severity", "said"),
    [(None, "error", "APIM is not set"), ("  ", "error", "APIM is not set"), ("a\nb", "error", "line breaks"),
     ("schlüssel", "error", "ASCII"), ('"quoted-value"', "warning", "quotes"),
     ("plain-value\r\n", "warning", "line breaks")],
)  # fmt: skip
def test_a_variable_that_holds_no_value_is_named(config_of, value, severity, said):
    env = {"OPENAI_API_KEY": "sk-canary"} | ({} if value is None else {"APIM": value})
    (problem,) = check_endpoint(config_of(HEADERS).provider, env)
    assert (problem.key, problem.severity) == ("provider.headers_env.Ocp-Apim-Subscription-Key", severity)
    assert said in problem.message
    assert "value" not in problem.message.replace("around its value", "")


def test_a_missing_variable_is_named_where_nothing_was_checked_before(config_of):
    with pytest.raises(ConfigError, match="APIM is not set"):
        create(config_of(HEADERS).provider, {"OPENAI_API_KEY": "sk-canary"})


def test_a_header_that_would_replace_the_key_is_refused():
    config = OpenAIConfig(kind="openai", headers_env={"authorization": "BASIC"})
    (problem,) = check_endpoint(config, {"OPENAI_API_KEY": "sk-canary", "BASIC": "Basic abc"})
    assert "OPENAI_API_KEY" in problem.message


@pytest.mark.parametrize(
    "given", ['"sk-1"', "'sk-1'", " sk-1\n", "sk-1\r\n", "\ufeffsk-1", "“sk-1”", "\"'sk-1'\"", '" sk-1 "', "`sk-1`"]
)
async def test_what_stands_around_a_key_is_not_sent_and_the_variable_is_named(wire, connect, config_of, given):
    assert cleaned(given) == "sk-1"
    env = {"OPENAI_API_KEY": given}
    (problem,) = check_endpoint(config_of().provider, env)
    assert (problem.severity, problem.message.split()[0]) == ("warning", "OPENAI_API_KEY")
    await connect(config_of(), env).retrieve("video_1")
    assert wire.sent.headers["authorization"] == "Bearer sk-1"


@pytest.mark.parametrize("given", ["sk-1\nsk-2", "sk-ä", "sk 1", '"sk-1', "sk-1'", "sk-\x001", "sk-1\x7f"])
def test_a_key_with_letters_that_no_key_has_is_refused(config_of, given):
    (problem,) = check_endpoint(config_of().provider, {"OPENAI_API_KEY": given})
    assert problem.severity == "error"
    assert "OPENAI_API_KEY" in problem.message
    assert "sk" not in problem.message


@pytest.mark.parametrize("given", ['""', "''", " ", "\n", '" "'])
def test_a_variable_with_nothing_in_it_is_not_set(given):
    assert find(OpenAIConfig(kind="openai"), {"OPENAI_API_KEY": given}) is None


def test_an_organization_of_no_letters_is_absent():
    config = OpenAIConfig(kind="openai", organization="", project="  ")
    assert (config.organization, config.project) == (None, None)
