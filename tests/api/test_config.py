from __future__ import annotations

import pickle

import pytest
from pydantic import SecretStr, ValidationError

from runner import (
    BudgetError,
    ConfigError,
    ImageGenerationConfig,
    ImageGenerationRequest,
    ModelNotFoundError,
    VideoGenerationConfig,
    VideoGenerationRequest,
    generate_image,
    generate_video,
)

SECRET = "sk-0123456789abcdefghij"


def timeouts(config):
    return config.timeout, config.max_poll_attempts, config.poll_interval


def test_the_defaults_are_those_of_the_specification():
    assert timeouts(VideoGenerationConfig(provider="openai", model="sora-2")) == (600, 120, 5)
    assert timeouts(ImageGenerationConfig(provider="openai", model="gpt-image-2")) == (120, 60, 2)


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


@pytest.mark.parametrize("place", ["alone", "fallback"])
def test_an_unknown_provider_is_refused_with_the_nearest_name(place):
    config = VideoGenerationConfig(provider="azure_opnai", model="sora-2")
    if place == "fallback":
        config = VideoGenerationConfig(provider="emulator", model="sora-2", fallback_configs=[config])
    with pytest.raises(ConfigError, match="Unsupported provider: azure_opnai; did you mean azure_openai") as caught:
        generate_video(config, VideoGenerationRequest(prompt="A boat"))
    assert (caught.value.provider, caught.value.model) == ("azure_opnai", "sora-2")


def test_a_provider_may_be_spelled_with_a_hyphen():
    assert VideoGenerationConfig(provider="azure-openai", model="sora-2").provider == "azure_openai"


def test_a_video_id_among_the_extra_parameters_is_a_remix():
    request = VideoGenerationRequest(prompt="With snow", extra_params={"video_id": "video_1", "x": 1})
    assert (request.video, request.extra_params) == ("video_1", {"x": 1})


@pytest.mark.parametrize(
    ("kind", "extra", "field", "value"),
    [
        (VideoGenerationRequest, {"seconds": "8"}, "duration_seconds", 8),
        (VideoGenerationRequest, {"duration_seconds": 8}, "duration_seconds", 8),
        (VideoGenerationRequest, {"size": "1280x720"}, "size", "1280x720"),
        (VideoGenerationRequest, {"input_reference": "a.png"}, "image_list", ["a.png"]),
        (ImageGenerationRequest, {"n": 2}, "n", 2),
        (ImageGenerationRequest, {"quality": "high"}, "quality", "high"),
        (ImageGenerationRequest, {"image": ["a.png", "b.png"]}, "image_list", ["a.png", "b.png"]),
        (ImageGenerationRequest, {"mask": "m.png"}, "mask_image", "m.png"),
        (ImageGenerationRequest, {"background": "transparent"}, "background", "transparent"),
    ],
)
def test_an_extra_parameter_that_is_a_field_is_taken_for_it(kind, extra, field, value):
    request = kind(prompt="A boat", extra_params={**extra, "x": 1})
    assert getattr(request, field) == value
    assert request.fields[field] == value if field not in ("image_list", "mask_image") else True
    assert request.extra_params == {"x": 1}


def test_a_field_and_an_extra_parameter_may_say_the_same_and_not_otherwise():
    same = VideoGenerationRequest(
        prompt="A boat", duration_seconds=8, extra_params={"seconds": "8", "prompt": "A boat"}
    )
    assert (same.duration_seconds, same.extra_params) == (8, {})
    with pytest.raises(ValidationError, match=r"extra_params\['seconds'\] and duration_seconds say different things"):
        VideoGenerationRequest(prompt="A boat", duration_seconds=4, extra_params={"seconds": "8"})
    with pytest.raises(ValidationError, match=r"extra_params\['seconds'\] and duration_seconds say different things"):
        VideoGenerationRequest(prompt="A boat", extra_params={"duration_seconds": 4, "seconds": "8"})


def test_what_servers_take_beyond_the_api_is_passed_on_as_it_is():
    request = VideoGenerationRequest(prompt="A boat", extra_params={"seed": 7, "fps": 24, "style_preset": "noir"})
    assert (request.seed, request.extra_params) == (None, {"seed": 7, "fps": 24, "style_preset": "noir"})


@pytest.mark.parametrize(
    ("fields", "version"),
    [
        ({}, "2024-05-01-preview"),
        ({"provider": "azure-openai"}, "2024-05-01-preview"),
        ({"api_version": "2025-04-01-preview"}, "2025-04-01-preview"),
        ({"base_url": "https://r.openai.azure.com/?api-version=preview"}, "preview"),
        ({"base_url": "https://r.openai.azure.com/?api-version=preview", "api_version": "v1"}, "v1"),
        ({"provider": "openai"}, None),
    ],
)
def test_the_api_version_of_azure_videos_is_shown(fields, version):
    given = {"provider": "azure_openai", "model": "my-sora", "base_url": "https://r.openai.azure.com", **fields}
    config = VideoGenerationConfig(**given)
    assert config.api_version == config.model_dump()["api_version"] == version
    assert f"api_version={version!r}" in repr(config)


def test_images_on_azure_get_no_api_version_as_it_would_choose_another_route():
    assert ImageGenerationConfig(provider="azure_openai", model="my-image").api_version is None


def test_a_config_that_was_copied_from_azure_keeps_working_elsewhere():
    from runner.api.config import Keys, provider_config

    azure = VideoGenerationConfig(provider="azure_openai", model="sora-2", base_url="https://r.openai.azure.com")
    other_runs = azure.model_copy(update={"provider": "openai", "base_url": "http://127.0.0.1:1/v1"})
    assert provider_config(other_runs, Keys(), "api_key").kind == "openai"


def test_an_unknown_underlying_model_is_refused_with_the_nearest_name():
    with pytest.raises(ValidationError, match="'sora2' is no model; did you mean sora-2"):
        VideoGenerationConfig(provider="azure_openai", model="my-sora", underlying_model="sora2")


def test_a_misspelt_role_or_key_of_an_image_is_refused():
    for image in ({"image": "a.png", "type": "frist_frame"}, {"image": "a.png", "tpye": "reference"}):
        with pytest.raises(ValidationError):
            VideoGenerationRequest(prompt="A boat", image_list=[image])


async def test_headers_are_sent_and_a_secret_one_is_read_from_its_variable(monkeypatch):
    from runner.api.config import Keys, provider_config
    from runner.providers.credentials import headers_of

    monkeypatch.setenv("APIM", "apim-3f9a77c1d2e84b55")
    config = VideoGenerationConfig(
        provider="litellm",
        model="sora-2",
        api_key="sk-canary-1",
        headers={"X-Team": "film"},
        headers_env={"X-Key": "APIM"},
    )
    keys = Keys()
    provider = provider_config(config, keys)
    sent = headers_of(provider, keys.environment(provider))
    values = {name: value.get_secret_value() for name, value in sent.values}
    assert values == {"x-litellm-num-retries": "0", "X-Team": "film", "X-Key": "apim-3f9a77c1d2e84b55"}
    assert "apim-" not in repr((config, provider, sent))


@pytest.mark.parametrize("provider", ["azure_openai", "litellm", "openai"])
def test_a_servers_own_name_is_sent_and_has_rules_and_price_of_what_it_stands_for(make_emulator, provider):
    emulator = make_emulator(deployments=("another",))
    address = {"azure_openai": emulator.azure_url}.get(provider, emulator.base_url)
    place = {"provider": provider, "base_url": address, "api_key": "a-key", "poll_interval": 0.02}
    video = VideoGenerationConfig(**place, model="my-sora", underlying_model="sora-2")
    image = ImageGenerationConfig(**place, model="my-images", underlying_model="gpt-image-2")
    boat = VideoGenerationRequest(prompt="A boat", duration_seconds=8)
    picture = ImageGenerationRequest(prompt="A boat", quality="low", size="1024x1024")
    with pytest.raises(BudgetError, match=r"would cost \$0.80"):
        generate_video(video.model_copy(update={"max_usd": 0.1}), boat)
    with pytest.raises(BudgetError, match="would cost"):
        generate_image(image.model_copy(update={"max_usd": 0.0001}), picture)
    with pytest.raises(ConfigError, match="Allowed values: 4, 8, 12"):
        generate_video(video, boat.model_copy(update={"duration_seconds": 5}))
    with pytest.raises(ModelNotFoundError, match="my-sora"):
        generate_video(video, boat)
    with pytest.raises(ModelNotFoundError, match="my-images"):
        generate_image(image, picture)
