from __future__ import annotations

import base64
import functools
import hashlib
import io
from dataclasses import replace
from urllib.parse import quote

import pytest
from PIL import Image

from runner.artifacts.result import Usage
from runner.artifacts.run_status import RunStatus
from runner.errors import (
    ArtifactError,
    BadRequestError,
    ExpiredError,
    IncompleteAnswerError,
    ServerError,
    UncertainError,
    UnexpectedAnswerError,
)
from runner.providers.base import FORBIDDEN, GeneratedImage, ImageBatch


@functools.cache
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
    provider.on_generate.append(batch(b64(data), usage=Usage(text_in=10, image_in=0, image_out=1000)))
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


PNG = encoded()
PLAIN = base64.b64encode(PNG).decode()


@pytest.mark.parametrize("field", ["b64", "url"])
@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        f"data:image/png;base64,{PLAIN}",
        f"data:image/png;charset=utf-8;base64, {PLAIN}",
        f"DATA:;BASE64,{PLAIN.replace('+', '%2B').replace('=', '%3D')}",
        "data:image/png," + quote(PNG),
        base64.encodebytes(PNG).decode().replace("\n", "\r\n"),
        f"  {PLAIN}\n",
        base64.urlsafe_b64encode(PNG).decode().rstrip("="),
        f"data:image/webp;base64,{base64.urlsafe_b64encode(PNG).decode()}",
    ],
    ids=["plain", "data", "parameters", "percent", "no base64", "lines", "blanks", "url-safe", "both"],
)
def test_an_image_is_read_however_it_is_spelled(engine, provider, image_runs, field, text, names):
    provider.on_generate.append(batch(GeneratedImage(**{"b64": None, "url": None, field: text})))
    (run,) = image_runs()
    assert engine([run]).exit_code == 0
    assert names(run.directory) == ["image-0.png", "result.json", "thumbnail.webp"]
    assert (run.directory / "image-0.png").read_bytes() == PNG


def test_an_image_that_was_coded_twice_is_read(engine, provider, image_runs):
    provider.on_generate.append(batch(GeneratedImage(base64.b64encode(PLAIN.encode()).decode(), None)))
    assert engine(image_runs()).exit_code == 0


@pytest.mark.parametrize("address", ["https://cdn.example/x", "/files/x.png", "files/x.png?sig=1", "../x"])
def test_an_address_is_fetched_also_where_data_should_be(engine, provider, image_runs, body, address):
    provider.on_generate.append(batch(GeneratedImage(address, None)))
    provider.on_fetch.append(body(PNG))
    assert engine(image_runs()).exit_code == 0
    assert provider.fetched == [address]


def test_the_address_is_used_where_the_data_is_broken(engine, provider, image_runs, body):
    provider.on_generate.append(batch(GeneratedImage("%%%", "https://cdn.example/x")))
    provider.on_fetch.append(body(PNG))
    assert engine(image_runs()).exit_code == 0


def test_an_address_may_lead_to_base64(engine, provider, image_runs, body, names):
    provider.on_generate.append(batch(GeneratedImage(None, "https://cdn.example/x")))
    provider.on_fetch.append(body(PLAIN.encode()))
    (run,) = image_runs()
    assert engine([run]).exit_code == 0
    assert (run.directory / "image-0.png").read_bytes() == PNG


def test_a_thousand_images_for_one_stop_near_it(engine, provider, image_runs, names):
    provider.on_generate.append(batch(*[b64(encoded(size=(8, 8)))] * 1000))
    (run,) = image_runs()
    assert engine([run]).exit_code == 0
    assert len([name for name in names(run.directory) if name.startswith("image")]) == 11


def test_an_image_at_an_address_is_fetched_with_retries(engine, provider, image_runs, body, names):
    provider.on_generate.append(batch(GeneratedImage(None, "https://cdn.example/../../x.png")))
    provider.on_fetch.extend([ServerError("502"), body(encoded("WEBP"))])
    (run,) = image_runs(max_concurrent_requests=1)
    assert engine([run]).exit_code == 0
    assert names(run.directory) == ["image-0.webp", "result.json", "thumbnail.webp"]
    assert len(provider.sent) == 1


def test_an_address_that_stays_closed_leaves_a_run_that_resumes(engine, provider, image_runs, body, names, stored):
    provider.on_generate.append(batch(b64(PNG), GeneratedImage(None, "https://cdn.example/x")))
    provider.on_fetch.extend([ServerError("403")] * 8)
    (run,) = image_runs(n=2)
    assert engine([run]).exit_code == 4
    assert len(provider.fetched) == 8
    assert stored(run).status is RunStatus.COMPLETED
    provider.on_fetch.append(body(PNG))
    assert engine([replace(run, earlier=stored(run))]).exit_code == 0
    assert names(run.directory) == ["image-0.png", "image-1.png", "result.json", "thumbnail.webp"]
    assert (len(provider.sent), len(provider.fetched)) == (1, 9)


def test_an_address_that_is_never_asked_is_tried_once_and_leaves_a_run_that_resumes(
    engine, provider, image_runs, stored
):
    provider.on_generate.append(batch(GeneratedImage(None, "http://169.254.169.254/x")))
    provider.on_fetch.append(UnexpectedAnswerError("it leads into the local link", code=FORBIDDEN))
    (run,) = image_runs()
    assert engine([run]).exit_code == 4
    assert len(provider.fetched) == 1
    assert stored(run).status is RunStatus.COMPLETED


def test_an_interrupt_is_heard_at_once_while_an_address_is_tried_again(engine, provider, image_runs, body, stored):
    provider.on_generate.append(batch(b64(PNG), GeneratedImage(None, "https://cdn.example/x")))
    provider.on_fetch.extend([ServerError("503")] * 8)
    (run,) = image_runs(n=2)
    outcome = engine.interrupted([run], 3)
    assert outcome.exit_code == 130
    assert engine.seconds < 4
    assert stored(run).status is RunStatus.COMPLETED
    provider.on_fetch.clear()
    provider.on_fetch.append(body(PNG))
    assert engine([replace(run, earlier=stored(run))]).exit_code == 0
    assert [artifact.path for artifact in stored(run).artifacts] == ["image-0.png", "image-1.png", "thumbnail.webp"]
    assert len(provider.sent) == 1


def test_an_image_that_is_gone_does_not_take_its_siblings_along(engine, provider, image_runs, stored):
    provider.on_generate.append(batch(GeneratedImage(None, "https://cdn.example/x"), b64(PNG)))
    provider.on_fetch.append(ExpiredError("gone for good"))
    (run,) = image_runs(n=2)
    outcome = engine([run])
    assert (outcome.exit_code, outcome.results[0].status) == (1, RunStatus.FAILED)
    assert isinstance(outcome.errors[0], IncompleteAnswerError)
    assert outcome.results[0].error.retryable is False
    assert stored(run).artifacts[0].path == "image-1.png"


@pytest.mark.parametrize("damaged", ["not base64!", base64.b64encode(b"no image").decode(), b64(encoded()[:-500]).b64])
def test_a_damaged_image_is_kept_to_be_looked_at_again_and_not_paid_again(
    engine, provider, image_runs, damaged, names, stored
):
    provider.on_generate.append(batch(GeneratedImage(damaged, None)))
    (run,) = image_runs()
    outcome = engine([run])
    assert (outcome.results[0].status, outcome.exit_code) == (RunStatus.COMPLETED, 4)
    assert isinstance(outcome.errors[0], ArtifactError)
    assert "image-0.unverified" in str(outcome.errors[0])
    assert names(run.directory) == ["image-0.unverified", "result.json"]
    (pending,) = stored(run).pending
    kept = (run.directory / pending.path).read_bytes()
    assert (pending.bytes, pending.sha256) == (len(kept), hashlib.sha256(kept).hexdigest())
    assert stored(run).attempts[0].usd == 0.01
    again = engine([replace(run, earlier=stored(run))])
    assert (again.exit_code, len(provider.sent)) == (4, 1)
    assert names(run.directory) == ["image-0.unverified", "result.json"]


def test_an_answer_with_nothing_in_it_fails_the_run(engine, provider, image_runs):
    provider.on_generate.append(batch(GeneratedImage("", None)))
    outcome = engine(image_runs())
    assert outcome.results[0].status is RunStatus.FAILED
    assert isinstance(outcome.errors[0], ArtifactError)


def test_what_a_later_version_can_read_is_verified_by_resuming(
    engine, provider, image_runs, names, stored, monkeypatch
):
    def unreadable(path):
        raise ArtifactError("of a kind that nobody knows")

    data = encoded("WEBP")
    provider.on_generate.append(batch(b64(data), b64(encoded())))
    (run,) = image_runs(n=2)
    with monkeypatch.context() as patch:
        patch.setattr("runner.engine.image.examine", unreadable)
        assert engine([run]).exit_code == 4
    assert engine([replace(run, earlier=stored(run))]).exit_code == 0
    assert names(run.directory) == ["image-0.webp", "image-1.png", "result.json", "thumbnail.webp"]
    assert (run.directory / "image-0.webp").read_bytes() == data
    assert (stored(run).pending, len(provider.sent)) == ([], 1)


def test_whole_images_are_kept_although_one_is_damaged(engine, provider, image_runs, stored):
    provider.on_generate.append(batch(b64(encoded()[:-500]), b64(encoded())))
    (run,) = image_runs(n=2)
    outcome = engine([run])
    assert outcome.exit_code == 4
    assert "1 of 2 images are here" in str(outcome.errors[0])
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
