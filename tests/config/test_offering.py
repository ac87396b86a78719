"""What the one who offers a model says of it: a first frame without a prompt, and how many images."""

from __future__ import annotations

import pytest

from runner.config.capability import check
from runner.config.price import estimate

IMAGE = "data:image/png;base64,iVBORw0KGgo="
FRAME = ["request.prompt=", f"request.image_list=['{IMAGE}']"]
IMAGES = ["model=grok-imagine-image-2.0", "request=image"]


@pytest.mark.parametrize("model", ["grok-imagine-video", "grok-imagine-video-1.5", "grok-imagine-video-1.5-lite"])
@pytest.mark.parametrize("provider", ["provider=xai", "provider.dialect=xai"])
def test_a_first_frame_needs_no_prompt_where_the_host_says_so(loaded, provider, model):
    assert check(loaded(provider, f"model={model}", *FRAME)) == []


def test_where_the_host_says_it_of_some_models_only_it_is_said(loaded):
    (problem,) = check(loaded("provider=openrouter", "model=veo-3.1", *FRAME))
    assert problem.severity == "warning"
    assert "no source says whether of veo-3.1; it refuses others, which costs nothing" in problem.message


@pytest.mark.parametrize("provider", ["openai", "litellm", "edenai", "together"])
def test_others_want_a_prompt_beside_an_image_too(loaded, provider):
    usual = (f"provider={provider}", "provider.retired_models=off", "request.duration_seconds=8")
    found = check(loaded(*usual, "model=sora-2", *FRAME))
    assert f"is empty, and {provider} needs one beside an image, too" in [each.message for each in found]
    (hint,) = [each.hint for each in check(loaded(*usual, "model=grok-imagine-video", *FRAME))
               if each.key == "request.prompt"]  # fmt: skip
    assert hint.endswith("or provider=xai, which takes a first frame alone")


@pytest.mark.parametrize(
    "images",
    [
        "request.image_list=[]",
        f"request.image_list=['{IMAGE}','{IMAGE}']",
        f"request.image_list=[{{role: last_frame, image: '{IMAGE}'}}]",
    ],
)
def test_without_a_first_frame_a_prompt_is_needed_everywhere(refused, images):
    (problem,) = refused("provider=xai", "model=grok-imagine-video-1.5", "request.prompt=' '", images)
    assert (problem.key, problem.message) == ("request.prompt", "is empty")


def test_an_image_is_never_made_without_a_prompt(refused):
    (problem,) = refused("provider=xai", *IMAGES, *FRAME)
    assert (problem.key, problem.message) == ("request.prompt", "is empty")


@pytest.mark.parametrize(
    ("overrides", "said", "typed"),
    [
        (
            "request.n=2",
            "2 images at once; grok-imagine-image-2.0 makes 1 at openrouter",
            "request.n=1, and -m replica=0,1 for more; provider=xai takes 2",
        ),
        (
            f"request.image_list=['{IMAGE}','{IMAGE}','{IMAGE}','{IMAGE}']",
            "grok-imagine-image-2.0 takes at most 3 images at openrouter, got 4",
            "provider=xai takes 4",
        ),
        ("request.n=11", "11 images at once; grok-imagine-image-2.0 makes 1 to 10", None),
    ],
)
def test_fewer_images_at_one_host_than_at_another_are_said_before_anything_is_sent(loaded, overrides, said, typed):
    for provider in ("provider=openrouter", "provider.dialect=openrouter"):
        (problem,) = check(loaded(provider, *IMAGES, overrides))
        assert (problem.severity, problem.message, problem.hint) == ("error", said, typed)


def test_the_other_host_takes_as_many_as_its_model_does(loaded):
    four = ",".join([f"'{IMAGE}'"] * 4)
    assert check(loaded("provider=xai", *IMAGES, "request.n=10", f"request.image_list=[{four}]")) == []


@pytest.mark.parametrize(
    ("overrides", "usd"),
    [([], 0.06), (["request.resolution=2K"], 0.08), (["request.quality=low", "request.resolution=2k"], 0.06)],
)
def test_an_image_of_xai_without_a_quality_is_one_in_medium(loaded, overrides, usd):
    assert estimate(loaded("provider=xai", *IMAGES, *overrides)) == pytest.approx(usd)
