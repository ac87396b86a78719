"""Files that are whole and not what was asked for."""

from __future__ import annotations

import base64
import functools
import io

import pytest
from PIL import Image

from runner.providers.base import GeneratedImage, ImageBatch, Job, JobStatus


@functools.cache
def image(form="PNG", size=(512, 512)) -> GeneratedImage:
    buffer = io.BytesIO()
    Image.effect_noise(size, 40).save(buffer, form)
    return GeneratedImage(base64.b64encode(buffer.getvalue()).decode(), None)


@pytest.fixture
def sent(provider):
    """Say what the request asks for."""

    def say(**fields) -> None:
        provider.body = lambda config: {"operation": "create", "prompt": config.request.prompt, **fields}

    return say


@pytest.mark.parametrize(
    ("fields", "came", "said"),
    [
        ({"size": "1024x1024", "output_format": "webp"}, image(), "asked for 1024x1024 webp, got 512x512 png"),
        ({"size": "512x512", "output_format": "jpeg"}, image("WEBP"), "asked for 512x512 jpeg, got 512x512 webp"),
        ({"width": 256, "height": 512}, image(), "asked for 256x512, got 512x512"),
        ({"aspect_ratio": "16:9"}, image(), "asked for 16:9, got 512x512"),
        (
            {"size": "510x500"},
            image(),
            "asked for 510x500, got 512x512 (the size is rounded: each side differs by less than 16 pixels)",
        ),
    ],
)
def test_an_image_that_is_not_what_was_asked_for_is_warned_of(engine, provider, image_runs, sent, fields, came, said):
    sent(**fields)
    provider.on_generate.append(ImageBatch((came,)))
    outcome = engine(image_runs())
    assert outcome.exit_code == 0
    assert outcome.results[0].warnings == [said]
    assert said in engine.notes


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"size": "auto"},
        {"size": "512x512"},
        {"size": "512x512", "output_format": "png"},
        {"output_format": "PNG"},
        {"aspect_ratio": "1:1"},
        {"aspect_ratio": "auto"},
        {"size": "large"},
    ],
)
def test_nothing_is_said_where_it_is_or_nobody_knows(engine, provider, image_runs, sent, fields):
    sent(**fields)
    provider.on_generate.append(ImageBatch((image(),)))
    assert engine(image_runs()).results[0].warnings == []


def test_a_jpeg_is_what_jpeg_means(engine, provider, image_runs, sent):
    sent(output_format="jpeg")
    provider.on_generate.append(ImageBatch((image("JPEG"),)))
    assert engine(image_runs()).results[0].warnings == []


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"size": "1280x720", "seconds": "4"}, ["asked for 1280x720 of 4 s, got 64x48 of 1 s"]),
        ({"size": "64x48", "seconds": "2"}, ["asked for 64x48 of 2 s, got 64x48 of 1 s"]),
        ({"seconds": "1.4"}, []),
        ({"seconds": "4", "num_frames": 12}, []),
        ({"seconds": "4", "operation": "extend"}, []),
        ({"seconds": "about 4"}, []),
    ],
)
def test_a_video_of_another_size_or_length_is_warned_of(engine, runs, sent, fields, said):
    sent(**fields)
    outcome = engine(runs())
    assert outcome.exit_code == 0
    assert outcome.results[0].warnings == said


def test_one_job_for_two_requests_is_noticed_and_not_deleted(engine, provider, runs, configs):
    video_config, _ = configs
    provider.created["video_0"] = 0
    provider.on_submit.extend(Job("video_0", JobStatus.QUEUED, "queued") for _ in range(2))
    config = video_config().model_copy(update={"delete_remote": True})
    first, second = engine(runs(2, config)).results
    assert any("job video_0 is also the answer to run 0" in warning for warning in second.warnings)
    assert any("job video_0 is also the answer to run 1" in warning for warning in first.warnings)
    assert provider.deleted == []


def test_the_same_bytes_for_another_request_are_noticed(engine, provider, runs, configs):
    video_config, _ = configs
    one = video_config()
    other = one.model_copy(update={"request": one.request.model_copy(update={"prompt": "another"})})
    (first,), (second,), (again,) = runs(1, one), runs(1, other), runs(1, one)
    outcome = engine([first, second, again])
    said = [result for result in outcome.results if any("byte for byte" in text for text in result.warnings)]
    assert 1 <= len(said) <= 2
    assert outcome.exit_code == 0


def test_equal_requests_may_have_equal_files(engine, runs):
    assert [result.warnings for result in engine(runs(2)).results] == [[], []]
