"""Images through the real SDK and over HTTP: streams, edits and what they cost."""

from __future__ import annotations

import io

import openai
import pytest
from PIL import Image

from runner.artifacts.result_file import read_result
from runner.artifacts.run_status import RunStatus
from runner.engine.execution import run_all
from runner.engine.run import Run

KEY = "sk-canary-7f3a"


def picture(size=(64, 48), mode="RGBA") -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, size, 3).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def done(loaded, tmp_path, monkeypatch):
    """Run one image request at an emulator; the events, the directory and the result."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)

    def execute(emulator, *overrides: str):
        place = tmp_path / "run"
        place.mkdir()
        config = loaded(
            "provider=openai", "provider.retired_models=off", f"provider.base_url={emulator.base_url}",
            "model=gpt-image-2", "request=image", *overrides,
        )  # fmt: skip
        events = []
        run_all([Run(0, config, place)], observer=events.append)
        return events, place, read_result(place)

    return execute


@pytest.fixture
def file(tmp_path):
    def write(name: str, content: bytes) -> str:
        (tmp_path / name).write_bytes(content)
        return str(tmp_path / name)

    return write


def test_partial_images_come_before_the_finished_one(emulator, done):
    events, place, result = done(emulator, "request.partial_images=3", "request.quality=low", "request.size=1024x1024")
    assert result.status is RunStatus.VERIFIED
    assert [event.progress for event in events if event.partial] == [25, 50, 75]
    assert [partial.path for partial in result.partial_images] == ["partial-0.png", "partial-1.png", "partial-2.png"]
    for name in ("partial-0.png", "partial-2.png", "image-0.png"):
        with Image.open(place / name) as image:
            assert image.size == (1024, 1024)
    assert len({(place / f"partial-{n}.png").read_bytes() for n in range(3)}) == 3
    assert "b64_json" not in str(result.raw_response).replace("'b64_json': '<", "")


def test_the_cost_is_that_of_the_tokens_partial_images_included(emulator, done):
    overrides = ["model=gpt-image-1.5", "request.partial_images=2", "request.quality=low", "request.size=1024x1024"]
    _, _, result = done(emulator, *overrides)
    assert (result.usage.image_in, result.usage.image_out) == (0, 272 + 200)
    assert result.cost.actual_usd == pytest.approx((result.usage.text_in * 5 + 472 * 32) / 1e6)
    assert result.cost.estimated_usd == pytest.approx(0.009 + 200 * 32 / 1e6)
    assert emulator.ledger()["image_usd"] == pytest.approx(result.cost.actual_usd, abs=1e-6)


@pytest.mark.parametrize("events", [0, 1, 2])
def test_a_cut_stream_is_uncertain_and_never_sent_again(make_emulator, done, events):
    emulator = make_emulator(rules=[{"match": {"operation": "image"}, "fault": "stream_cut", "events": events}])
    _, place, result = done(emulator, "request.partial_images=2")
    assert result.status is RunStatus.UNCERTAIN
    assert result.error.type == "UncertainError"
    assert len(result.partial_images) == len([*place.glob("partial-*.png")]) == events
    assert emulator.ledger()["images"] == 1
    assert len(result.attempts) == 1


def test_a_connection_that_breaks_after_the_finished_image_has_lost_nothing(make_emulator, done):
    emulator = make_emulator(rules=[{"match": {"operation": "image"}, "fault": "stream_cut", "events": 3}])
    assert done(emulator, "request.partial_images=2")[2].status is RunStatus.VERIFIED


def test_an_error_in_the_stream_fails_the_run_once(make_emulator, done):
    emulator = make_emulator(rules=[{"match": {"operation": "image"}, "fault": "stream_error", "message": "no luck"}])
    _, _, result = done(emulator, "request.partial_images=1")
    assert (result.status, result.error.type, result.error.code) == ("failed", "GenerationFailedError", "server_error")
    assert "no luck" in result.error.message
    assert len(result.partial_images) == 1
    assert emulator.ledger()["images"] == 1


@pytest.mark.parametrize("model", ["gpt-image-2.5-flare", "gpt-image-2.6-sunburst"])
@pytest.mark.parametrize("overlay", ["mask_image", "markup_image"])
def test_several_images_are_edited_under_an_overlay(emulator, done, file, model, overlay):
    images = f"request.image_list=['{file('a.png', picture())}','{file('b.png', picture((32, 32), 'L'))}']"
    _, place, result = done(
        emulator, f"model={model}", images, f"request.{overlay}={file('m.png', picture())}", "request.quality=xhigh",
        "request.output_format=webp", "request.output_compression=60", "request.partial_images=1",
        "request.complexity=low", "request.safety_identifier=user-7", "request.moderation=low",
    )  # fmt: skip
    assert result.status is RunStatus.VERIFIED, result.error
    assert result.usage.image_in > 0
    assert sorted(path.name for path in place.glob("*-0.webp")) == ["image-0.webp", "partial-0.webp"]
    assert result.artifacts[0].media_type == "image/webp"
    sent = result.request_sent
    assert (sent["operation"], len(sent["image"]), sent[overlay.removesuffix("_image")]["file"]) == ("edit", 2, "m.png")


def test_an_edit_starts_from_an_image_at_an_address(emulator, done):
    with openai.OpenAI(base_url=emulator.base_url, api_key=KEY) as client:
        url = client.images.generate(model="dall-e-3", prompt="A cat", size="1024x1024").data[0].url
    _, place, result = done(emulator, f"request.image_list=['{url}']", "request.quality=low")
    assert result.status is RunStatus.VERIFIED, result.error
    assert (place / "input-0.png").exists()
    assert result.request_sent["image"]["bytes"] == (place / "input-0.png").stat().st_size
    assert emulator.ledger()["images"] == 2


def test_an_answer_that_names_an_address_is_fetched(make_emulator, done):
    emulator = make_emulator(dialect="sglang")
    _, place, result = done(
        emulator, "provider=compatible", "~provider.retired_models", "model=qwen-image",
        "request.size=512x512", "request.n=2",
    )  # fmt: skip
    assert result.status is RunStatus.VERIFIED, result.error
    assert sorted(path.name for path in place.glob("image-*")) == ["image-0.png", "image-1.png"]
    assert all(image["url"].startswith("http://127.0.0.1") for image in result.raw_response["data"])


@pytest.mark.parametrize(("form", "media_type"), [("gif", "image/gif"), ("svg", "image/svg+xml")])
def test_formats_in_preview_are_kept_as_they_come(emulator, done, form, media_type):
    _, place, result = done(emulator, f"request.output_format={form}", "request.quality=low", "request.size=1024x1024")
    assert result.status is RunStatus.VERIFIED, result.error
    artifact = result.artifacts[0]
    assert (artifact.path, artifact.media_type) == (f"image-0.{form}", media_type)
    assert (artifact.width, artifact.height) == (1024, 1024)
    assert (place / "thumbnail.webp").exists() is (form == "gif")
