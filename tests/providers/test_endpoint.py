from __future__ import annotations

import pytest

from runner.config.provider import AzureOpenAIConfig, EmulatorConfig, OpenAIConfig
from runner.errors import ConfigError
from runner.providers.endpoint import EndpointAddress, is_azure, is_loopback, resolve

RESOURCE = "https://res.openai.azure.com"


def azure(base_url: str, api_version: str | None = None) -> EndpointAddress:
    return resolve(AzureOpenAIConfig(kind="azure_openai", base_url=base_url, api_version=api_version))


@pytest.mark.parametrize(
    "spelling",
    [
        RESOURCE,
        f"{RESOURCE}/",
        f"{RESOURCE}//",
        f"{RESOURCE}:443",
        "HTTPS://Res.OpenAI.Azure.com/",
        f"{RESOURCE}/openai",
        f"{RESOURCE}/openai/",
        f"{RESOURCE}/OpenAI/v1",
        f"{RESOURCE}/openai/v1/",
        f"{RESOURCE}/openai/v1/videos",
        f"{RESOURCE}/openai/deployments/prod-sora",
        f"{RESOURCE}/openai/deployments/prod-sora/images/generations?api-version=2024-10-21",
        f"{RESOURCE}?api-version=preview",
        f"{RESOURCE}/openai/v1/?api-version=2024-05-01-preview",
    ],
)
def test_every_spelling_of_an_azure_resource_is_one_endpoint(spelling):
    found = azure(spelling)
    assert found.identity == RESOURCE
    assert found.base_url == f"{RESOURCE}/openai/v1"


@pytest.mark.parametrize(
    ("spelling", "root"),
    [
        ("https://res.services.ai.azure.com/api/projects/films", "https://res.services.ai.azure.com"),
        ("https://res.services.ai.azure.com/models", "https://res.services.ai.azure.com"),
        ("https://res.cognitiveservices.azure.com/", "https://res.cognitiveservices.azure.com"),
        ("https://res.openai.azure.us/openai", "https://res.openai.azure.us"),
        ("https://res.openai.azure.cn", "https://res.openai.azure.cn"),
        ("https://res.services.ai.azure.com/api/projects/films/openai/v1/", "https://res.services.ai.azure.com"),
        ("https://res.services.ai.azure.us/api/projects/films?api-version=preview", "https://res.services.ai.azure.us"),
        ("https://RES.Services.AI.Azure.com:443/API/Projects/films", "https://res.services.ai.azure.com"),
        ("https://res.cognitiveservices.azure.us/openai/deployments/d", "https://res.cognitiveservices.azure.us"),
        ("https://eastus.api.cognitive.microsoft.com/", "https://eastus.api.cognitive.microsoft.com"),
        ("https://chinaeast2.api.cognitive.azure.cn/", "https://chinaeast2.api.cognitive.azure.cn"),
        ("https://res.privatelink.openai.azure.com", "https://res.privatelink.openai.azure.com"),
        ("https://gateway.example/team/openai/v1", "https://gateway.example/team"),
        ("https://gateway.example/team/", "https://gateway.example/team"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://[::1]:8080/openai/v1/", "http://[::1]:8080"),
    ],
)
def test_other_hosts_and_clouds_keep_their_root(spelling, root):
    assert azure(spelling).base_url == f"{root}/openai/v1"


@pytest.mark.parametrize(
    ("in_url", "in_config", "query", "images"),
    [
        (None, None, (), None),
        (None, "2024-05-01-preview", (), "2024-05-01-preview"),
        ("2025-04-01-preview", "2024-05-01-preview", (), "2025-04-01-preview"),
        (None, "preview", (("api-version", "preview"),), None),
        (None, "v1", (("api-version", "v1"),), None),
        ("preview", "2024-10-21", (("api-version", "preview"),), None),
        (None, "latest", (), None),
        (None, "2024-10-21", (), "2024-10-21"),
    ],
)
def test_the_url_s_api_version_wins_and_only_rolling_ones_reach_the_v1_api(in_url, in_config, query, images):
    found = azure(RESOURCE + (f"?api-version={in_url}" if in_url else ""), in_config)
    assert (found.query, found.images_version) == (query, images)


@pytest.mark.parametrize(
    ("spelling", "base_url"),
    [
        (None, "https://api.openai.com/v1"),
        ("https://api.openai.com", "https://api.openai.com/v1"),
        ("https://API.openai.com:443/v1/", "https://api.openai.com/v1"),
        ("http://gpu.example:80/v1//", "http://gpu.example/v1"),
        ("http://localhost:8000/v1", "http://localhost:8000/v1"),
        ("https://proxy.example/openai/v1?x=1", "https://proxy.example/openai/v1"),
    ],
)
def test_an_openai_endpoint_is_canonical(spelling, base_url):
    found = resolve(OpenAIConfig(kind="openai", base_url=spelling))
    assert found.base_url == found.identity == base_url


def test_the_emulator_is_known_by_its_state_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    relative = resolve(EmulatorConfig(kind="emulator", state_file="state.sqlite3"))
    absolute = resolve(EmulatorConfig(kind="emulator", state_file=tmp_path / "state.sqlite3"))
    assert relative.identity == absolute.identity == f"emulator:{tmp_path}/state.sqlite3"


def test_azure_without_an_endpoint_is_refused_with_an_example():
    with pytest.raises(ConfigError) as caught:
        resolve(AzureOpenAIConfig(kind="azure_openai"))
    assert "https://RESOURCE.openai.azure.com" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("host", "expected"),
    [("localhost", True), ("a.localhost", True), ("127.8.0.1", True), ("::1", True), ("LOCALHOST.", True),
     ("10.0.0.1", False), ("localhost.example", False), (None, False)],
)  # fmt: skip
def test_loopback_hosts_are_told_from_others(host, expected):
    assert is_loopback(host) is expected


def test_azure_hosts_are_told_from_lookalikes():
    assert is_azure("RES.openai.azure.com")
    assert not is_azure("openai.azure.com.evil.example")
    assert not is_azure("api.openai.com")
