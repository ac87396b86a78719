"""What the models' data says of hosts: names, prices by resolution, sound and images, and what is refused."""

from __future__ import annotations

import datetime as dt
import re

import pytest

from runner.config.capability import check
from runner.config.price import estimate, expected_price
from runner.config.shipped import names, option

HOST = ("provider=openrouter",)
IMAGE = "data:image/png;base64,iVBORw0KGgo="
LAST = f"{{role: last_frame, image: '{IMAGE}'}}"


def problems(config) -> list[str]:
    return [str(problem) for problem in check(config)]


@pytest.mark.parametrize(
    ("model", "overrides", "usd"),
    [
        ("veo-3.1", [], 8 * 0.40),
        ("veo-3.1", ["request.duration_seconds=null"], 4 * 0.40),
        ("veo-3.1", ["request.resolution=4k", "request.number_of_videos=2"], 16 * 0.60),
        ("veo-3.1", ["request.generate_audio=false"], 8 * 0.20),
        ("veo-3.1", ["request.generate_audio=false", "request.resolution=4K"], 8 * 0.40),
        ("veo-3.1", ["request.size=1920x1080"], 8 * 0.40),
        ("veo-3.1", ["request.size=2160x3840"], 8 * 0.60),
        ("veo-3.1-fast", [], 8 * 0.10),
        ("veo-3.1-fast", ["request.resolution=1080p"], 8 * 0.12),
        ("wan-3.0", ["request.resolution=480p"], 8 * 0.05),
        ("gen-4.5", [], 8 * 0.12),
        ("hailuo-3", [f"request.image_list=['{IMAGE}','{IMAGE}']"], 8 * 0.13 + 2 * 0.04),
        ("hailuo-3", [f"request.image_list=['{IMAGE}']"], 8 * 0.13),
        ("grok-imagine-video", [f"request.image_list=['{IMAGE}']"], 8 * 0.07 + 0.002),
        ("seedance-2.5", ["request.duration_seconds=4"], 1280 * 720 * 24 * 4 / 1024 * 10.7e-6),
        ("seedance-2.0", ["request.resolution=1080p"], 1920 * 1080 * 24 * 8 / 1024 * 7.7e-6),
        ("seedance-2.0", ["request.aspect_ratio='1:1'"], 720 * 720 * 24 * 8 / 1024 * 7e-6),
        ("seedance-2.0", ["request.aspect_ratio='9:21'"], 1280 * 720 * 24 * 8 / 1024 * 7e-6),
        ("seedance-2.5", ["request.aspect_ratio='4:3'"], 1112 * 834 * 24 * 8 / 1024 * 10.7e-6),
        (
            "seedance-2.5",
            ["request.aspect_ratio='21:9'", "request.resolution=480p"],
            992 * 432 * 24 * 8 / 1024 * 10.7e-6,
        ),
        *(
            (
                "seedance-2.5",
                ["model.validation=off", f"request.aspect_ratio='{ratio}'"],
                1280 * 720 * 24 * 8 / 1024 * 10.7e-6,
            )
            for ratio in ("wide:high", "16:0", "16:9:1", "nan:1")
        ),
        ("qwen-image-3", ["request=image", "request.n=2"], 0.06),
        ("grok-imagine-video-1.5", ["provider=xai", f"request.image_list=['{IMAGE}']"], 8 * 0.14 + 0.01),
        ("grok-imagine-image-2.0", ["provider=xai", "request=image", "request.quality=low"], 0.04),
        (
            "grok-imagine-image-2.0",
            ["provider=xai", "request=image", "request.quality=medium", "request.resolution=2k"],
            0.08,
        ),
        ("flux.2-pro", ["request=image", "request.size=2000x1000"], 0.06),
    ],
)
def test_a_price_goes_by_resolution_sound_and_images(loaded, model, overrides, usd):
    assert estimate(loaded(*HOST, f"model={model}", *overrides)) == pytest.approx(usd)


@pytest.mark.parametrize(
    "overrides",
    [
        ["model=sora-2"],
        ["model=gemini-3-pro-image", "request=image"],
        ["model=flux.2-pro", "request=image"],
        ["model=wan-3.0", "request.size=1234x618"],
        ["model=grok-imagine-image-2.0", "request=image", "request.quality=low"],
        ["provider=xai", "model=veo-3.1"],
        ["model=gpt-image-2", "request=image"],
    ],
)
def test_no_price_is_guessed_from_another_host_or_size(loaded, overrides):
    assert estimate(loaded(*HOST, *overrides)) is None


def test_a_price_by_tokens_is_an_estimate(loaded):
    assert expected_price(loaded(*HOST, "model=seedance-2.5")).basis == "tokens"


def test_the_emulator_takes_the_prices_of_the_host_that_it_stands_in_for(loaded):
    assert estimate(loaded("provider.dialect=openrouter", "model=veo-3.1")) == pytest.approx(3.2)


@pytest.mark.parametrize("name", ["new_api", "edenai", "together", "aquiles", "vllm_omni"])
def test_whose_prices_nobody_knows_is_no_cheaper_to_the_eye_when_it_is_emulated(loaded, name):
    usual = ("model=sora-2", "request.duration_seconds=4", "request.size=1280x720")
    assert estimate(loaded(f"provider={name}", *usual)) is None
    assert estimate(loaded(f"provider.dialect={name}", *usual)) is None
    assert estimate(loaded("provider.dialect=litellm", *usual)) == estimate(loaded("provider=litellm", *usual)) == 0.4


def test_what_is_sent_is_the_offer_s_name_unless_the_user_gives_one(loaded):
    assert loaded(*HOST, "model=veo-3.1").sent_model == "google/veo-3.1"
    assert loaded(*HOST, "model=veo-3.1", "model.deployment=google/veo-3.1-x").sent_model == "google/veo-3.1-x"
    assert loaded("provider=openai", "model=gpt-image-2", "request=image").sent_model == "gpt-image-2"


@pytest.mark.parametrize("model", [name for name in names("model") if "openrouter" in option("model", name)["offers"]])
def test_every_model_of_a_host_takes_what_its_data_offers(loaded, composed, model):
    if composed(f"model={model}")["model"]["kind"] == "image":
        assert check(loaded(*HOST, f"model={model}", "request=image")) == []
        return
    data = loaded(*HOST, f"model={model}").model
    for resolution in (*data.resolutions, "null"):
        config = loaded(*HOST, f"model={model}", "request.duration_seconds=null", f"request.resolution={resolution}")
        assert check(config) == []
        assert estimate(config) is not None
    assert data.default_duration in data.durations


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["model=veo-3.1", "request.duration_seconds=5"], "Invalid duration for openrouter (veo-3.1): 5 seconds"),
        (["model=veo-3.1", "request.resolution=480p"], "480p is not offered by veo-3.1. Allowed values: 720p, 1080p,"),
        (["model=veo-3.1", "request.aspect_ratio='1:1'"], "Invalid aspect ratio: 1:1. Supported ratios: 16:9, 9:16"),
        (["model=veo-3.1", "request.resolution=720p", "request.size=1280x720"], "both say how large it is"),
        (["model=veo-3.1", "request.size=1024x1024"], "1024x1024 is not offered by veo-3.1. Allowed values: 1280x720"),
        (["model=wan-3.0", "request.size=1280x720"], "wan-3.0 takes no exact size (request.resolution=480p"),
        (["model=kling-3.0-std", "request.seed=1"], "is not something kling-3.0-std can honour (model="),
        (["model=veo-3.1", "request.video=gen-vid-1"], "this server makes new videos only (openrouter)"),
        (["model=veo-3.1", "request.variants=[thumbnail]"], "this server gives no thumbnail of a video (openrouter)"),
        (["model=veo-3.1", "delete_remote=true"], "this server has no way to delete a video (openrouter)"),
        (["model=wan-3.0", f"request.image_list=[{LAST}]"],
         "wan-3.0 takes no last_frame (model=flux-3-video, hailuo-3, kling-3.0-pro"),
        (["model=veo-3.1", f"request.image_list=[{{role: first_frame, image: '{IMAGE}'}},'{IMAGE}']"],
         "frames and references do not go together"),
        (["model=veo-3.1", f"request.image_list=[{LAST},{LAST}]"], "is a second last_frame"),
        (["model=veo-3.1", f"request.image_list=[{{role: keyframe, image: '{IMAGE}', seconds: 2}}]"],
         "this server has no field for a keyframe (openrouter) (provider=xai can"),
        (["model=grok-imagine-video-1.5", f"request.image_list=[{LAST}]"],
         "grok-imagine-video-1.5 takes no last_frame at this host (openrouter) (provider=xai can; here model=flux-3-"),
        (["model=gen-4.5", f"request.image_list=['{IMAGE}','{IMAGE}']"],
         "got 2 (model=hailuo-3, seedance-2.0, seedance-2.5, veo-3.1 or veo-3.1-fast can)"),
        (["provider=edenai", "model=veo-3.1", "request.size=1280x720", f"request.image_list=['{IMAGE}','{IMAGE}']"],
         "this server makes a video of one image, got 2 (edenai) (provider=openrouter can)"),
        (["provider=openai", "model=sora-2", f"request.image_list=['{IMAGE}','{IMAGE}']"],
         "veo-3.1-fast on provider=openrouter can)"),
        (["provider=openai", "model=dall-e-2", "request=image", f"request.image_list=['{IMAGE}','{IMAGE}']"],
         "got 2 (model=gpt-image-2"),
        (["model=grok-imagine-image-2.0", "request=image", "request.quality=high"], "'high' is not offered"),
        (["model=seedream-5-5", "request=image", "request.resolution=8K"], "8K is not offered by seedream-5-5"),
    ],
)  # fmt: skip
def test_what_a_host_s_model_does_not_take_is_refused(loaded, overrides, said):
    found = problems(loaded(*HOST, *overrides))
    assert any(said in problem for problem in found), found


@pytest.mark.parametrize(
    ("moments", "said"),
    [
        ([0, 0.33, 0.67, 4], None),
        ([0, 1, 2, 3, 4], "5 keyframes; this server takes 4 (xai)"),
        ([1, 4.5], "a keyframe at 4.5 s lies behind the end of the video (4 s)"),
        ([2, 1, 2], "keyframes at 2 and 2 s: at least 0.33 s lie between two (xai)"),
    ],
)
def test_keyframes_have_their_place_in_the_video(loaded, moments, said):
    images = ",".join(f"{{role: keyframe, image: '{IMAGE}', seconds: {moment}}}" for moment in moments)
    usual = ("provider=xai", "model=grok-imagine-video-1.5", "request.duration_seconds=4")
    found = problems(loaded(*usual, f"request.image_list=[{images}]"))
    assert len(found) == (said is not None)
    assert all(said in problem for problem in found)


@pytest.mark.parametrize("provider", ["openai", "vllm_omni", "emulator"])
def test_who_takes_no_ratio_or_last_frame_names_who_does(loaded, provider):
    usual = (f"provider={provider}", "provider.retired_models=off")
    (problem,) = problems(loaded(*usual, "model=veo-3.1", "provider.base_url=http://127.0.0.1:1/v1")
                          if provider == "vllm_omni" else loaded(*usual, "model=veo-3.1"))  # fmt: skip
    assert "is asked for a ratio and no size" in problem
    assert re.search(r"provider=(\w+(, | or ))*openrouter\b.* can", problem)
    found = problems(loaded(*usual, "model=veo-3.1", "request.aspect_ratio=null", f"request.image_list=[{LAST}]"))
    assert any("no field for a last_frame" in each and "openrouter" in each for each in found)


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["model=gpt-image-2", "request=video"], "(request=image; no video model that is offered there is known)"),
        (["model=qwen-image-3", "request=video", *HOST], "(add model=flux-3-video, or another video model"),
        (["provider=vllm_omni", "model=wan2.2-t2v", "request=image"], "(add model=qwen-image, or another image model"),
        (["provider=emulator", "model=gpt-image-2", "request=video"], "(add model=sora-2, or another video model"),
    ],
)
def test_who_asks_for_the_other_kind_is_told_a_model_that_lives_there(loaded, overrides, said):
    (problem,) = problems(loaded("provider=openai", *overrides))
    assert said in problem


def test_a_model_that_no_source_has_at_a_host_is_warned_about(loaded):
    (problem,) = check(loaded(*HOST, "model=sora-2"))
    assert (problem.severity, problem.message) == ("warning", "no source says that openrouter offers sora-2")


def test_an_end_is_announced_thirty_days_before_with_the_successor(loaded):
    config = loaded("provider=openai", "model=gpt-image-1.5", "request=image")
    end = dt.date(2026, 12, 1)
    assert check(config, today=end - dt.timedelta(days=31)) == []
    (near,) = check(config, today=end - dt.timedelta(days=30))
    assert near.severity == "warning"
    assert near.message == ("gpt-image-1.5 will be retired by openai on 2026-12-01; use model=gpt-image-2.6-sunburst")
    (last,) = check(config, today=end)
    assert last.severity == "warning"
    assert last.message.startswith("gpt-image-1.5 is retired by openai today and may be gone already, 2026-12-01; use")
    (over,) = check(config, today=end + dt.timedelta(days=1))
    assert over.severity == "error"
    assert over.message == "gpt-image-1.5 was retired by openai on 2026-12-01; use model=gpt-image-2.6-sunburst"
