from __future__ import annotations

import pytest

from runner.config.provider import AzureOpenAIConfig, OpenAIConfig
from runner.errors import ConfigError
from runner.providers.credentials import credential_of

JWT = "eyJhbGciOiJub25lIn0.eyJleHAiOjF9.c2ln"


def azure(auth: str = "auto") -> AzureOpenAIConfig:
    return AzureOpenAIConfig(kind="azure_openai", base_url="https://res.openai.azure.com", auth=auth)


@pytest.mark.parametrize(
    ("auth", "env", "header", "sent"),
    [
        ("auto", {"AZURE_OPENAI_API_KEY": "k3y"}, "api-key", "k3y"),
        ("auto", {"AZURE_OPENAI_API_KEY": " k3y\n"}, "api-key", "k3y"),
        ("auto", {"AZURE_OPENAI_API_KEY": JWT}, "Authorization", f"Bearer {JWT}"),
        ("auto", {"AZURE_OPENAI_API_KEY": f"Bearer {JWT}"}, "Authorization", f"Bearer {JWT}"),
        ("auto", {"AZURE_OPENAI_AD_TOKEN": "opaque", "AZURE_OPENAI_API_KEY": "k3y"}, "Authorization", "Bearer opaque"),
        ("api_key", {"AZURE_OPENAI_AD_TOKEN": "opaque", "AZURE_OPENAI_API_KEY": "k3y"}, "api-key", "k3y"),
        ("api_key", {"AZURE_OPENAI_API_KEY": JWT}, "api-key", JWT),
        ("token", {"AZURE_OPENAI_API_KEY": "opaque"}, "Authorization", "Bearer opaque"),
        ("token", {"AZURE_OPENAI_AD_TOKEN": JWT}, "Authorization", f"Bearer {JWT}"),
    ],
)
async def test_azure_keys_and_tokens_travel_in_their_own_header(auth, env, header, sent):
    credential = credential_of(azure(auth), env)
    value = await credential.value()
    assert credential.header == header
    assert value is not None
    assert value.get_secret_value() == sent


async def test_openai_keys_travel_as_bearer():
    credential = credential_of(
        OpenAIConfig(kind="openai", api_key_env="MY_KEY"), {"MY_KEY": "sk-1", "OPENAI_API_KEY": "no"}
    )
    value = await credential.value()
    assert (credential.header, credential.source) == ("Authorization", "MY_KEY")
    assert value is not None
    assert value.get_secret_value() == "Bearer sk-1"


def test_a_missing_credential_is_a_config_error():
    with pytest.raises(ConfigError, match="AZURE_OPENAI_AD_TOKEN or AZURE_OPENAI_API_KEY is not set"):
        credential_of(azure(), {})


def test_a_credential_does_not_show_itself():
    assert "sk-canary" not in repr(credential_of(OpenAIConfig(kind="openai"), {"OPENAI_API_KEY": "sk-canary"}))
