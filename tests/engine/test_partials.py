"""Partial images: what is written and told while the finished one is awaited."""

from __future__ import annotations

import base64
import io

import pytest
from PIL import Image

from runner.artifacts.run_status import RunStatus
from runner.errors import GenerationFailedError, UncertainError
from runner.providers.base import GeneratedImage, ImageBatch, PartialImage


def b64(form="PNG", size=(64, 48)) -> str:
    buffer = io.BytesIO()
    Image.effect_noise(size, 40).convert("RGB").save(buffer, form)
    return base64.b64encode(buffer.getvalue()).decode()


@pytest.fixture
def sketching(provider, image_runs):
    """A run with so many partial images, which come as they are told, and the finished image after them."""

    def make(*partials: str, asked: int = 2):
        provider.partials = [PartialImage(index, text) for index, text in enumerate(partials)]
        provider.on_generate.append(ImageBatch((GeneratedImage(b64(), None),)))
        return image_runs(request={"partial_images": asked})[0]

    return make


def test_they_are_written_by_content_recorded_apart_and_stay(engine, sketching, names, stored):
    run = sketching(b64(), b64("WEBP"))
    assert engine([run]).exit_code == 0
    assert names(run.directory) == ["image-0.png", "partial-0.png", "partial-1.webp", "result.json", "thumbnail.webp"]
    result = stored(run)
    assert [artifact.path for artifact in result.artifacts] == ["image-0.png", "thumbnail.webp"]
    assert [(a.path, a.media_type, a.width) for a in result.partial_images] == [
        ("partial-0.png", "image/png", 64), ("partial-1.webp", "image/webp", 64),
    ]  # fmt: skip


def test_each_is_progress_and_can_be_looked_at_when_it_is_told(engine, sketching):
    run = sketching(b64(), b64(), asked=3)
    seen = []
    engine.listeners.append(lambda event: event.partial and seen.append((event.partial.stat().st_size > 0, event)))
    engine([run])
    assert [whole for whole, _ in seen] == [True, True]
    assert [(event.progress, event.partial.name, event.status) for _, event in seen] == [
        (25, "partial-0.png", RunStatus.SUBMITTING), (50, "partial-1.png", RunStatus.SUBMITTING),
    ]  # fmt: skip
    assert engine.events[-1].progress == 100


@pytest.mark.parametrize("damaged", ["no base64!", base64.b64encode(b"no image").decode()])
def test_a_damaged_one_is_only_warned_of(engine, sketching, names, stored, damaged):
    run = sketching(damaged, b64())
    assert engine([run]).exit_code == 0
    expected = ["image-0.png", "partial-0.unverified", "partial-1.png", "result.json", "thumbnail.webp"]
    assert names(run.directory) == expected
    (warning,) = stored(run).warnings
    assert warning.startswith("partial image 0: ")
    assert warning.endswith("what came is kept as partial-0.unverified")


@pytest.mark.parametrize(("error", "status"), [(UncertainError, "uncertain"), (GenerationFailedError, "failed")])
def test_what_came_before_the_end_stays_and_nothing_is_sent_again(
    engine, provider, sketching, names, stored, error, status
):
    run = sketching(b64())
    provider.on_generate[0] = error("the stream ended")
    engine([run])
    assert names(run.directory) == ["partial-0.png", "result.json"]
    result = stored(run)
    assert (result.status, result.partial_images[0].path, result.artifacts) == (status, "partial-0.png", [])
    assert len(provider.sent) == 1
