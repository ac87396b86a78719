"""Keys beyond OpenAI's API: refused where nobody would read them, with the name of who would."""

from __future__ import annotations

import pytest

from runner.config.capability import check
from runner.config.dialect import DIALECTS, EXTENSIONS
from runner.config.request import VideoSampling

WAN = ("model=wan2.2-t2v",)
QWEN = ("model=qwen-image", "request=image")
PICTURE = "request.image_list=['data:image/png;base64,iVBORw0KGgo=']"


def errors(config) -> list[str]:
    return [str(problem) for problem in check(config) if problem.severity == "error"]


def test_every_sampling_key_is_an_extension_that_some_server_takes():
    assert set(VideoSampling.model_fields) <= EXTENSIONS
    for key in EXTENSIONS - {"resolution"}:
        assert any(key in DIALECTS[name].extensions for name in ("vllm_omni", "sglang")), key


def test_what_a_server_takes_and_a_model_honours_passes(loaded):
    knobs = ("request.fps=16", "request.seed=1", "request.flow_shift=12", "request.boundary_ratio=0.9")
    assert errors(loaded("provider=vllm_omni", *WAN, *knobs)) == []


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["provider=sglang", *WAN, "request.boundary_ratio=0.9"],
         "request.boundary_ratio: is not a field of this server's API (sglang) (provider=vllm_omni or litellm can"),
        (["provider=vllm_omni", *WAN, "request.enhance_prompt=true"],
         "request.enhance_prompt: is not something wan2.2-t2v can honour (provider=sglang can take it"),
        (["provider=openai", "provider.retired_models=off", "request.seed=1"],
         ("request.seed: is not something sora-2 can honour (model=hunyuanvideo-1.5, ltx-2, wan2.2-i2v or wan2.2-t2v "
         "on provider=vllm_omni, sglang or litellm can take it; remove it, or model.validation=warn to run")),
        (["provider=sglang", *WAN, "request.num_frames=81"],
         "request.num_frames: and request.duration_seconds both say how long the video is (request.duration_seconds=n"),
        (["provider=vllm_omni", "request.video=video_1"],
         "request.video: this server makes new videos only (vllm_omni) (provider=litellm can remix)"),
        (["provider=sglang", *WAN, "request.variants=[thumbnail]"],
         "request.variants: this server gives no thumbnail of a video (sglang) (request.variants=[]; request.thumb"),
        (["provider=litellm", "request.variants=[spritesheet]"],
         "request.variants: this server gives no spritesheet of a video (litellm) (request.variants=[]; request.thumb"),
        (["provider=litellm", "delete_remote=true"],
         "delete_remote: this server has no way to delete a video (litellm) (delete_remote=false; delete it where"),
        (["provider=vllm_omni", "model=wan2.2-i2v"],
         "request.image_list: wan2.2-i2v works from an image, and none is given (request.image_list=[PATH], or a mod"),
        (["provider=vllm_omni", *QWEN, "model.max_reference_images=1", PICTURE, "+request.extra_params.cfg_norm=1"],
         "request.extra_params.cfg_norm: is no field that this server reads where it edits images, and there is none "),
        (["provider=sglang", *QWEN, "model.max_reference_images=1", PICTURE, "+request.extra_params.cfg_norm=1"],
         "request.extra_params.cfg_norm: is no field that this server reads where it edits images, and there is none "),
        (["provider=vllm_omni", *QWEN, "model.parameters=[background]", "request.background=opaque"],
         "request.background: is no field that this server reads where it makes images (vllm_omni) (request."),
        (["provider=vllm_omni", *WAN, "request.size=830x480"],
         "request.size: 830x480 is not possible: both sides must be multiples of 16"),
        (["provider=vllm_omni", *WAN, "request.size=auto"], "request.size: auto is not a size that wan2.2-t2v makes"),
        (["provider=vllm_omni", *WAN, "request.guidance_scale=21"],
         "request.guidance_scale: 21 is too much for this server (vllm_omni) (at most 20)"),
    ],
)  # fmt: skip
def test_what_nobody_there_would_read_is_refused_naming_who_would(loaded, overrides, said):
    (error,) = errors(loaded(*overrides))
    assert error.startswith(said)


def test_what_servers_read_passes(loaded):
    assert errors(loaded("provider=vllm_omni", *QWEN, "+request.extra_params.cfg_norm=1")) == []
    edit = ("provider=vllm_omni", *QWEN, "model.max_reference_images=1", PICTURE, "+request.extra_params.strength=0.5")
    assert errors(loaded(*edit)) == []
    assert errors(loaded("provider=vllm_omni", "model=wan2.2-i2v", PICTURE)) == []
    for provider in ("vllm_omni", "sglang"):
        assert errors(loaded(f"provider={provider}", *WAN, "delete_remote=true")) == []


@pytest.mark.parametrize(("provider", "made"), [
    ("vllm_omni", "a single frame at this server"), ("sglang", "4 seconds at this server"),
    ("litellm", "a single frame where vLLM-Omni is behind this server"),
])  # fmt: skip
def test_a_length_that_stands_in_for_the_server_s_own_is_said(loaded, provider, made):
    (problem,) = check(loaded(f"provider={provider}", *WAN, "request.duration_seconds=null"))
    assert problem.severity == "warning"
    assert str(problem).startswith(f"request.duration_seconds: null makes {made} ({provider}); 5 seconds")
    frames = ("request.duration_seconds=null", "request.num_frames=33")
    assert check(loaded(f"provider={provider}", *WAN, *frames)) == []


@pytest.mark.parametrize(("provider", "warned"), [("vllm_omni", 1), ("sglang", 1), ("litellm", 0), ("compatible", 0)])
def test_a_mark_that_no_list_tells_is_said(loaded, provider, warned):
    found = check(loaded(f"provider={provider}", *WAN, "provider.mark_field=user"))
    assert [problem.key for problem in found if problem.severity == "warning"] == ["provider.mark_field"] * warned
    assert errors(loaded(f"provider={provider}", *WAN, "provider.mark_field=user")) == []


def test_a_key_and_the_server_s_own_word_for_it_are_one_too_many(loaded):
    config = loaded("provider=vllm_omni", *WAN, "model.parameters=[generate_audio]", "request.generate_audio=true",
                    "+request.extra_params.generate_sound=false")  # fmt: skip
    assert errors(config) == ["request.extra_params.generate_sound: is given twice: request.generate_audio is set too"]


@pytest.mark.parametrize(("validation", "count"), [("warn", 0), ("off", 0), ("strict", 1)])
def test_validation_decides_here_too(loaded, validation, count):
    config = loaded("provider=sglang", *WAN, "request.boundary_ratio=0.9", f"model.validation={validation}")
    assert len(errors(config)) == count


def test_a_server_of_your_own_knows_no_retirement(loaded):
    assert check(loaded("provider=vllm_omni", "model=sora-2")) == []


@pytest.mark.parametrize(
    ("overrides", "key"),
    [
        (["request.fps=0"], "request.fps"),
        (["request.boundary_ratio=1.5"], "request.boundary_ratio"),
        (["request.guidance_scale=-1"], "request.guidance_scale"),
        (["provider=vllm_omni", "provider.dialect=vllm"], "provider.dialect"),
        (["provider=vllm_omni", "+provider.dialekt=plain"], "provider.dialekt"),
        (["provider=compatible", "provider.custom_llm_provider=openai"], "provider"),
        (["provider=litellm", "provider.custom_llm_provider=Open AI"], "provider.custom_llm_provider"),
    ],
)
def test_values_that_make_no_sense_are_named(refused, overrides, key):
    assert [problem.key for problem in refused(*overrides)] == [key]
