"""Every file of conf/ composes, validates and says what each of its keys means."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from runner.config.capability import check
from runner.config.dialect import DIALECTS
from runner.config.request import VideoRequest
from runner.config.shipped import CONF


def options(group: str) -> list[str]:
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


def kind(group: str, name: str, composed) -> str:
    return composed(f"{group}={name}")[group]["kind"]


def a_model_for(request: str, loaded) -> str:
    for model in ("sora-2", "sora-2-pro", "gpt-image-2"):
        config = loaded(f"request={request}", f"model={model}", "provider=emulator")
        if not check(config):
            return model
    pytest.fail(f"no model takes request={request}")


def test_the_default_is_one_emulated_wide_video_of_eight_seconds(loaded):
    config = loaded()
    assert (config.provider.kind, config.model.name) == ("emulator", "sora-2")
    assert isinstance(config.request, VideoRequest)
    assert config.request.prompt == "A timelapse of a city skyline from dawn to dusk"
    assert (config.request.duration_seconds, config.request.aspect_ratio) == (8, "16:9")


SIZELESS = [name for name in options("provider") if name in DIALECTS and not DIALECTS[name].takes_size]


@pytest.mark.parametrize("provider", sorted({*options("provider")} - {*SIZELESS}))
@pytest.mark.parametrize("request_", options("request"))
def test_every_preset_is_valid_for_every_provider_that_takes_sizes(request_, provider, loaded):
    model = a_model_for(request_, loaded)
    config = loaded(f"request={request_}", f"provider={provider}", f"model={model}", "provider.retired_models=off")
    assert check(config) == []


@pytest.mark.parametrize("provider", SIZELESS)
@pytest.mark.parametrize("request_", ["draft", "landscape", "portrait", "video"])
def test_presets_by_ratio_are_valid_for_the_others(request_, provider, loaded):
    assert check(loaded(f"request={request_}", f"provider={provider}", "model=grok-imagine-video")) == []


@pytest.mark.parametrize("model", options("model"))
def test_every_model_is_whole_and_says_where_its_data_comes_from(model, composed, loaded):
    request = composed(f"model={model}")["model"]["kind"]
    config = loaded(f"model={model}", f"request={request}")
    assert config.model.name == model
    assert config.model.source
    shipped = set(type(config.model).model_fields) - {"refreshed_from"}
    assert config.model.model_fields_set == shipped, "a field is left to its default"


@pytest.mark.parametrize("experiment", options("experiment"))
def test_every_experiment_is_valid_alone_and_brings_its_sweep(experiment, composed, loaded):
    assert check(loaded(f"+experiment={experiment}")) == []
    text = (CONF / "experiment" / f"{experiment}.yaml").read_text()
    assert "params:" in text


def test_a_litellm_gateway_is_told_not_to_repeat_requests(loaded):
    assert loaded("provider=litellm").provider.headers == (("x-litellm-num-retries", "0"),)
    assert loaded("provider=litellm", "provider.headers.x-litellm-num-retries=null").provider.headers == ()


@pytest.mark.parametrize("path", sorted(CONF.rglob("*.yaml")), ids=lambda path: str(path.relative_to(CONF)))
def test_every_key_is_explained_by_a_comment(path: Path):
    explained = False
    for line in path.read_text().splitlines():
        if not line.strip():
            explained = False
        elif line.lstrip().startswith("#") or " # " in line:
            explained = True
        elif re.match(r"^[a-z_]+:", line) and line != "defaults:":
            assert explained, f"{path.name}: no comment above {line!r}"
