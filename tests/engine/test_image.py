from __future__ import annotations

import base64
import io

import pytest
from PIL import Image

from runner.artifacts import RunStatus
from runner.errors import ArtifactError, BadRequestError, ServerError, UncertainError
from runner.providers import GeneratedImage, ImageBatch, ImageUsage


def encoded(form="PNG", size=(640, 480)):
    buffer = io.BytesIO()
    Image.effect_noise(size, 40).convert("RGB").save(buffer, form)
    return buffer.getvalue()


def b64(data):
    return GeneratedImage(base64.b64encode(data).decode(), None)


def batch(*images, usage=None):
    return ImageBatch(tuple(images), usage, "req_1", {"created": 1, "data": []})


def test_an_image_is_decoded_checked_and_recorded(engine, provider, image_runs, names, stored):
    data = encoded()
    provider.on_generate.append(batch(b64(data), usage=ImageUsage(10, 0, 1000)))
    (run,) = image_runs()
    outcome = engine([run])
    assert outcome.exit_code == 0
    assert names(run.directory) == ["image-0.png", "result.json", "thumbnail.webp"]
    assert (run.directory / "image-0.png").read_bytes() == data
    result = stored(run)
    assert (result.artifacts[0].width, result.artifacts[0].height) == (640, 480)
    assert result.artifacts[0].media_type == "image/png"
    assert result.request_id == "req_1"
    assert result.cost.estimated_usd == 0.01
    assert result.cost.actual_usd == pytest.approx((10 * 5 + 1000 * 30) / 1e6)


@pytest.mark.parametrize(("form", "extension"), [("PNG", "png"), ("WEBP", "webp"), ("JPEG", "jpg")])
def test_the_extension_is_the_contents(engine, provider, image_runs, form, extension, names):
    provider.on_generate.append(batch(b64(encoded(form))))
    (run,) = image_runs()
    engine([run])
    assert f"image-0.{extension}" in names(run.directory)


def test_several_images_are_numbered_and_share_one_thumbnail(engine, provider, image_runs, names):
    provider.on_generate.append(batch(*(b64(encoded(size=(32 * n, 32))) for n in (1, 2, 3))))
    (run,) = image_runs(n=3)
    engine([run])
    assert names(run.directory) == ["image-0.png", "image-1.png", "image-2.png", "result.json", "thumbnail.webp"]


def test_an_image_at_an_address_is_fetched_with_retries(engine, provider, image_runs, body, names):
    provider.on_generate.append(batch(GeneratedImage(None, "https://cdn.example/../../x.png")))
    provider.on_fetch.extend([ServerError("502"), body(encoded("WEBP"))])
    (run,) = image_runs(max_concurrent_requests=1)
    assert engine([run]).exit_code == 0
    assert names(run.directory) == ["image-0.webp", "result.json", "thumbnail.webp"]
    assert len(provider.sent) == 1


@pytest.mark.parametrize("damaged", ["not base64!", base64.b64encode(b"no image").decode(), ""])
def test_a_damaged_image_fails_the_run_and_is_not_paid_again(engine, provider, image_runs, damaged, names):
    provider.on_generate.append(batch(GeneratedImage(damaged, None)))
    (run,) = image_runs()
    outcome = engine([run])
    assert outcome.results[0].status is RunStatus.FAILED
    assert isinstance(outcome.errors[0], ArtifactError)
    assert len(provider.sent) == 1
    assert not [name for name in names(run.directory) if name.startswith("image") and not name.endswith(".part")]


def test_whole_images_are_kept_although_one_is_damaged(engine, provider, image_runs, stored):
    provider.on_generate.append(batch(b64(encoded()[:-500]), b64(encoded())))
    (run,) = image_runs(n=2)
    outcome = engine([run])
    assert outcome.exit_code == 1
    assert [artifact.path for artifact in stored(run).artifacts] == ["image-1.png", "thumbnail.webp"]


def test_fewer_images_than_asked_for_are_warned_of(engine, provider, image_runs, stored):
    provider.on_generate.append(batch(b64(encoded())))
    (run,) = image_runs(n=2)
    engine([run])
    assert len(stored(run).warnings) == 1


def test_an_answer_without_images_fails_the_run(engine, provider, image_runs):
    provider.on_generate.append(batch())
    assert engine(image_runs()).results[0].status is RunStatus.FAILED


def test_a_lost_answer_is_uncertain_and_a_refusal_a_failure(engine, provider, image_runs):
    provider.on_generate.extend([UncertainError("dropped"), BadRequestError("no")])
    outcome = engine(image_runs(2, max_concurrent_jobs=1))
    assert [result.status for result in outcome.results] == ["uncertain", "failed"]


def test_a_second_ctrl_c_leaves_an_image_request_uncertain(engine, provider, image_runs, stored):
    provider.latency = 500
    (run,) = image_runs()
    engine.interrupted([run], 10, 20)
    assert engine.seconds < 25
    assert stored(run).status is RunStatus.UNCERTAIN


def test_an_interrupted_image_request_is_awaited_and_kept(engine, provider, image_runs, names, stored):
    provider.latency = 30
    provider.on_generate.append(batch(b64(encoded())))
    first, second = image_runs(2, max_concurrent_jobs=1)
    outcome = engine.interrupted([first, second], 10)
    assert outcome.exit_code == 130
    assert stored(first).status is RunStatus.VERIFIED
    assert "image-0.png" in names(first.directory)
    assert stored(second).status is RunStatus.PLANNED
    assert len(provider.sent) == 1
