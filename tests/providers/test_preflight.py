from __future__ import annotations

import base64
import json

import pytest

from runner.config.problem import Problem
from runner.config.provider import AzureOpenAIConfig, EmulatorConfig, OpenAIConfig
from runner.providers.preflight import check_endpoint

RESOURCE = "https://res.openai.azure.com"


def token(expiry: float) -> str:
    claims = base64.urlsafe_b64encode(json.dumps({"exp": expiry}).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJub25lIn0.{claims}.c2lnbmF0dXJl"


def check_openai(env: dict[str, str] | None = None, **keys) -> list[Problem]:
    return check_endpoint(OpenAIConfig(kind="openai", **keys), {"OPENAI_API_KEY": "sk-1"} if env is None else env)


def check_azure(env: dict[str, str] | None = None, **keys) -> list[Problem]:
    keys = {"base_url": RESOURCE, **keys}
    env = {"AZURE_OPENAI_API_KEY": "abc"} if env is None else env
    return check_endpoint(AzureOpenAIConfig(kind="azure_openai", **keys), env, now=1000)


def only(problems: list[Problem]) -> Problem:
    assert len(problems) == 1, problems
    return problems[0]


def test_nothing_is_wrong_with_good_endpoints(tmp_path):
    assert check_openai() == []
    assert check_openai(base_url="http://127.0.0.1:8000/v1") == []
    assert check_azure() == []
    assert check_azure({"AZURE_OPENAI_AD_TOKEN": token(2000)}) == []
    assert check_endpoint(EmulatorConfig(kind="emulator", state_file=tmp_path / "s"), {}) == []


@pytest.mark.parametrize("env", [{}, {"OPENAI_API_KEY": ""}, {"OPENAI_API_KEY": " \n"}])
def test_a_missing_key_names_the_variable_and_dotenv(env):
    problem = only(check_openai(env))
    assert problem.key == "provider.api_key_env"
    assert "OPENAI_API_KEY is not set" in str(problem)
    assert "export OPENAI_API_KEY=" in str(problem)
    assert ".env" in str(problem)


def test_a_missing_azure_key_also_names_the_token():
    assert "AZURE_OPENAI_AD_TOKEN" in str(only(check_azure({})))
    assert "AZURE_OPENAI_AD_TOKEN" not in str(only(check_azure({}, auth="api_key")))


def test_a_missing_azure_endpoint_shows_an_example():
    problem = only(check_azure(base_url=None))
    assert problem.key == "provider.base_url"
    assert "https://RESOURCE.openai.azure.com" in str(problem)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("res.openai.azure.com", "https://"),
        ("ftp://host/v1", "https://"),
        ("https:/host/v1", "https://"),
        ("https://", "names no host"),
        ("https://host:port/v1", "port"),
        ("https://host:99999/v1", "port"),
        ("https://ho st/v1", "white space"),
        (" https://host/v1", "white space"),
        ("https://host/v1\n", "white space"),
        ("https://[::1/v1", "host"),
    ],
)
def test_a_malformed_address_is_explained(url, said):
    assert said in str(only(check_openai(base_url=url)))
    assert said in str(only(check_azure(base_url=url)))


@pytest.mark.parametrize(
    "url", ["https://user:hunter2@host/v1", "https://hunter2@host", "user:hunter2@host:x", "http://a:hunter2@h"]
)
def test_a_password_in_the_address_is_refused_and_not_repeated(url):
    problem = only(check_openai(base_url=url))
    assert problem.severity == "error"
    assert "hunter2" not in repr(problem)


def test_a_key_is_not_sent_unencrypted_unless_allowed():
    url = "http://gpu.example:8000/v1"
    assert "unencrypted to gpu.example" in str(only(check_openai(base_url=url)))
    assert "provider.allow_http=true" in str(only(check_openai(base_url=url)))
    assert check_openai(base_url=url, allow_http=True) == []


@pytest.mark.parametrize("version", ["2024-05-01-preview", "2024-10-21", "preview", "v1", "latest", "Preview"])
def test_versions_that_azure_may_have_pass(version):
    assert check_azure(api_version=version) == []


@pytest.mark.parametrize("version", ["2024-13-01", "2024-5-1", "20240501", "v2", "2024-05-01-beta", "newest"])
def test_versions_that_azure_cannot_have_are_refused(version):
    assert only(check_azure(api_version=version)).key == "provider.api_version"
    assert only(check_azure(base_url=f"{RESOURCE}?api-version={version}")).key == "provider.base_url"


def test_endpoints_of_the_other_kind_are_warned_of():
    assert only(check_openai(base_url=f"{RESOURCE}/openai/v1")).severity == "warning"
    assert only(check_azure(base_url="https://api.openai.com/v1")).severity == "warning"


@pytest.mark.parametrize("query", ["?api-version=preview&code=hunter2", "?code=hunter2", "?hunter2", "#code=hunter2"])
def test_of_a_query_only_the_version_is_accepted_and_no_value_repeated(query):
    for problem in (
        only(check_azure(base_url=RESOURCE + query)),
        only(check_openai(base_url=f"https://host/v1{query}")),
    ):
        assert problem.severity == "error"
        assert "headers_env" in (problem.hint or "")
        assert "hunter2" not in repr(problem)


def test_what_is_not_taken_from_the_address_is_warned_of():
    assert only(check_openai(base_url="https://host/v1?api-version=preview")).severity == "warning"
    assert "model.deployment" in str(only(check_azure(base_url=f"{RESOURCE}/openai/deployments/dep")))


@pytest.mark.parametrize("value", ["sk-abc\nOTHER=1", "sk abc", "sk-äbc", "sk-\x07abc"])
def test_a_key_with_impossible_letters_is_refused_and_not_repeated(value):
    problem = only(check_openai({"OPENAI_API_KEY": value}))
    assert "OPENAI_API_KEY" in str(problem)
    assert "abc" not in repr(problem).replace("äbc", "abc")


def test_a_key_with_its_own_name_before_it_is_refused_and_not_repeated():
    problem = only(check_openai({"OPENAI_API_KEY": "OPENAI_API_KEY=sk-abcdefgh"}))
    assert "OPENAI_API_KEY holds its own name before the key" in str(problem)
    assert "sk-abcdefgh" not in str(problem)
    assert check_openai({"OPENAI_API_KEY": "a=b"}) == []


def test_an_expired_token_is_refused_before_it_is_sent():
    problem = only(check_azure({"AZURE_OPENAI_AD_TOKEN": token(400)}))
    assert "expired 10 min ago" in str(problem)
    assert "az account get-access-token" in str(problem)


def test_a_token_sent_as_a_key_is_warned_of():
    problem = only(check_azure({"AZURE_OPENAI_API_KEY": token(2000)}, auth="api_key"))
    assert (problem.key, problem.severity) == ("provider.auth", "warning")
