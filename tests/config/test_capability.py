from __future__ import annotations

import datetime as dt

import pytest

from runner.config.capability import check

TODAY = dt.date(2026, 11, 23)


def problems(config) -> list[str]:
    return [f"{p.key}: {p.message}" for p in check(config, today=TODAY) if p.severity == "error"]


def warnings(config) -> list[str]:
    return [p.message for p in check(config, today=TODAY) if p.severity == "warning"]


def test_a_duration_not_offered_names_those_that_are(loaded):
    assert problems(loaded("request.duration_seconds=5")) == [
        "request.duration_seconds: Invalid duration for emulator (sora-2): 5 seconds. Allowed values: 4, 8, 12"
    ]


def test_an_aspect_ratio_not_offered_names_those_that_are(loaded):
    assert problems(loaded("request.aspect_ratio='4:3'")) == [
        "request.aspect_ratio: Invalid aspect ratio: 4:3. Supported ratios: 16:9, 9:16"
    ]


def test_the_large_sizes_are_the_pro_models(loaded):
    assert problems(loaded("request.size=1792x1024"))
    assert problems(loaded("request.size=1792x1024", "model=sora-2-pro")) == []


def test_a_deployments_name_says_nothing_about_its_capabilities(loaded):
    config = loaded("provider=azure_openai", "model.deployment=prod-sora", "request.duration_seconds=12")
    assert problems(config) == []


@pytest.mark.parametrize(("validation", "errors", "warned"), [("strict", 1, 0), ("warn", 0, 1), ("off", 0, 0)])
def test_validation_decides_how_grave_it_is(loaded, validation, errors, warned):
    config = loaded("request.duration_seconds=5", f"model.validation={validation}")
    assert (len(problems(config)), len(warnings(config))) == (errors, warned)


def test_a_field_that_the_model_cannot_honour_is_never_dropped_in_silence(loaded):
    assert problems(loaded("request.seed=7")) == ["request.seed: is not something sora-2 can honour"]


def test_two_reference_images_are_one_too_many(loaded):
    assert problems(loaded("request.image_list=[a.png,b.png]")) == [
        "request.image_list: sora-2 only supports 1 reference image, got 2"
    ]


def test_an_image_request_needs_an_image_model(loaded):
    assert problems(loaded("request=image")) == ["request: asks for image, but sora-2 is a video model"]


@pytest.mark.parametrize(
    ("provider", "errors", "warned"), [("openai", 1, 0), ("azure_openai", 0, 1), ("emulator", 0, 0)]
)
def test_retired_models_are_refused_warned_about_or_served(loaded, provider, errors, warned):
    config = loaded(f"provider={provider}")
    assert (len(problems(config)), len(warnings(config))) == (errors, warned)


def test_a_retirement_names_its_date_and_successor(loaded):
    (problem,) = problems(loaded("provider=openai", "model=gpt-image-1", "request=image"))
    assert problem == "model: gpt-image-1 was retired by openai on 2026-10-23; use model=gpt-image-2"


@pytest.mark.parametrize(
    ("size", "fault"),
    [
        ("1000x1000", "multiples of 16"),
        ("3840x1024", "ratio"),
        ("3840x3840", "at most 3840x2160"),
        ("256x256", "pixels"),
    ],
)
def test_arbitrary_image_sizes_keep_to_the_models_rules(loaded, size, fault):
    (problem,) = problems(loaded("model=gpt-image-2", "request=image", f"request.size={size}"))
    assert fault in problem


@pytest.mark.parametrize("size", ["1536x1024", "3840x2160", "2160x3840", "auto", "1024x1024"])
def test_sizes_within_the_rules_pass(loaded, size):
    assert problems(loaded("model=gpt-image-2", "request=image", f"request.size={size}")) == []


@pytest.mark.parametrize(
    ("overrides", "key"),
    [
        (["request.quality=xhigh"], "request.quality"),
        (["request.n=11"], "request.n"),
        (["request.background=transparent", "request.output_format=jpeg"], "request.background"),
        (["request.output_compression=50"], "request.output_compression"),
        (["request.mask_image=mask.png"], "request.mask_image"),
        (["request.style=vivid"], "request.style"),
        (["request.partial_images=1", "request.n=2"], "request.partial_images"),
        (["model=gpt-image-2.5-flare", "request.markup_image=a.png"], "request.markup_image"),
        (["request.image_list=[b.png]", "request.markup_image=a.png"], "request.markup_image"),
        (
            [
                "model=gpt-image-2.6-sunburst",
                "request.image_list=[b.png]",
                "request.mask_image=a.png",
                "request.markup_image=a.png",
            ],
            "request.markup_image",
        ),
        (["model=dall-e-3", "provider=emulator", "request.partial_images=1"], "request.partial_images"),
        (["model=gpt-image-1.5", "request.complexity=low"], "request.complexity"),
    ],
)
def test_what_an_image_model_does_not_offer_is_named(loaded, overrides, key):
    (problem,) = problems(loaded("model=gpt-image-2", "request=image", *overrides))
    assert problem.startswith(f"{key}: ")


def test_partial_images_are_for_the_models_that_stream(loaded):
    for model in ("gpt-image-2", "gpt-image-2.5-sunburst", "gpt-image-1.5", "gpt-image-1-mini"):
        assert problems(loaded(f"model={model}", "request=image", "request.partial_images=3")) == []


@pytest.mark.parametrize("number", [-1, 4, 1.5, "true"])
def test_at_most_three_partial_images_can_be_asked_for(refused, number):
    (problem,) = refused("model=gpt-image-2", "request=image", f"request.partial_images={number}")
    assert problem.key == "request.partial_images"


def test_newer_models_have_more_qualities(loaded):
    assert problems(loaded("model=gpt-image-2.5-flare", "request=image", "request.quality=xhigh")) == []


def test_a_provider_that_no_source_names_is_only_warned_about(loaded):
    config = loaded("provider=azure_openai", "model=sora-2-pro")
    assert problems(config) == []
    assert warnings(config) == ["no source says that azure_openai offers sora-2-pro"]
