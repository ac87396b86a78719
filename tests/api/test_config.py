from __future__ import annotations

import pickle

import pytest
from pydantic import SecretStr, ValidationError

from runner import (
    ImageGenerationConfig,
    ImageGenerationRequest,
    VideoGenerationConfig,
    VideoGenerationRequest,
)

SECRET = "sk-0123456789abcdefghij"


def patience(config):
    return config.timeout, config.max_poll_attempts, config.poll_interval


def test_the_defaults_are_those_of_the_specification():
    assert patience(VideoGenerationConfig(provider="openai", model="sora-2")) == (600, 120, 5)
    assert patience(ImageGenerationConfig(provider="openai", model="gpt-image-2")) == (120, 60, 2)


@pytest.mark.parametrize("key", [SECRET, SecretStr(SECRET)])
def test_a_key_is_taken_as_text_and_never_shown(key):
    fallback = VideoGenerationConfig(provider="openai", model="sora-2", api_key=key)
    config = VideoGenerationConfig(provider="openai", model="sora-2", api_key=key, fallback_configs=[fallback])
    shown = [repr(config), str(config), str(config.model_dump()), config.model_dump_json()]
    assert all(SECRET not in text for text in shown)
    assert config.api_key.get_secret_value() == SECRET
    assert pickle.loads(pickle.dumps(config)) == config


@pytest.mark.parametrize(
    ("kind", "field", "near"),
    [
        (VideoGenerationRequest, "duration_second", "duration_seconds"),
        (VideoGenerationRequest, "negativ_prompt", "negative_prompt"),
        (VideoGenerationRequest, "num_inference_step", "num_inference_steps"),
        (ImageGenerationRequest, "qualty", "quality"),
        (ImageGenerationRequest, "output_formt", "output_format"),
    ],
)
def test_an_unknown_field_is_refused_with_the_nearest_name(kind, field, near):
    with pytest.raises(ValidationError, match=f"'{field}' is no field; did you mean '{near}'"):
        kind(prompt="A boat", **{field: 4})


def test_an_unknown_field_of_a_config_is_refused_without_its_value():
    with pytest.raises(ValidationError, match="'api_kye' is no field; did you mean 'api_key'") as caught:
        VideoGenerationConfig(provider="openai", model="sora-2", api_kye=SECRET)
    assert SECRET not in str(caught.value)


def test_an_unknown_provider_is_refused_with_the_nearest_name():
    with pytest.raises(ValidationError, match="did you mean azure_openai"):
        VideoGenerationConfig(provider="azure_opnai", model="sora-2")


def test_a_provider_may_be_spelled_with_a_hyphen():
    assert VideoGenerationConfig(provider="azure-openai", model="sora-2").provider == "azure_openai"


def test_a_video_id_among_the_extra_parameters_is_a_remix():
    request = VideoGenerationRequest(prompt="With snow", extra_params={"video_id": "video_1", "x": 1})
    assert (request.video, request.extra_params) == ("video_1", {"x": 1})


def test_a_misspelt_role_or_key_of_an_image_is_refused():
    for image in ({"image": "a.png", "type": "frist_frame"}, {"image": "a.png", "tpye": "reference"}):
        with pytest.raises(ValidationError):
            VideoGenerationRequest(prompt="A boat", image_list=[image])


async def test_headers_are_sent_and_a_secret_one_is_read_from_its_variable(monkeypatch):
    from runner.api.provider import Keys, provider_config
    from runner.providers.credentials import headers

    monkeypatch.setenv("APIM", "apim-3f9a77c1d2e84b55")
    config = VideoGenerationConfig(
        provider="litellm",
        model="sora-2",
        api_key="sk-canary-1",
        headers={"X-Team": "film"},
        headers_env={"X-Key": "APIM"},
    )
    keys = Keys()
    provider = provider_config(config, keys, "api_key")
    sent = headers(provider, keys.environment(provider))
    values = {name: value.get_secret_value() for name, value in sent.values}
    assert values == {"x-litellm-num-retries": "0", "X-Team": "film", "X-Key": "apim-3f9a77c1d2e84b55"}
    assert "apim-" not in repr((config, provider, sent))
