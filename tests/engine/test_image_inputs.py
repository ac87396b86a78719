"""Input images at an address: here before anything is paid."""

from __future__ import annotations

import base64
import io

import pytest
from PIL import Image

from runner.artifacts.run_status import RunStatus
from runner.config.provider import CompatibleConfig
from runner.config.request import InputImage
from runner.errors import ServerError
from runner.providers.base import GeneratedImage, ImageBatch

CAT, MASK = "https://images.example/cat?signature=s", "https://images.example/mask.png"


def picture(size=(64, 48), form="PNG") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGBA", size).convert("RGB" if form == "JPEG" else "RGBA").save(buffer, form)
    return buffer.getvalue()


@pytest.fixture
def answered(provider):
    provider.on_generate.append(ImageBatch((GeneratedImage(base64.b64encode(picture()).decode(), None, "a grey cat"),)))


@pytest.mark.usefixtures("answered")
def test_they_lie_in_the_runs_directory_and_are_sent_as_files(engine, provider, image_runs, body, names):
    provider.on_fetch.extend([body(picture(form="JPEG")), body(picture())])
    (run,) = image_runs(request={"image_list": (CAT,), "mask_image": MASK})
    assert engine([run]).exit_code == 0
    sent = provider.sent_configs[0].request
    assert sent.image_list == (str(run.directory / "input-0.jpeg"),)
    assert sent.mask_image == str(run.directory / "input-mask_image.png")
    assert (run.directory / "input-0.jpeg").read_bytes() == picture(form="JPEG")
    assert [name for name in names(run.directory) if name.startswith("input")] == [
        "input-0.jpeg", "input-mask_image.png",
    ]  # fmt: skip


@pytest.mark.usefixtures("answered")
def test_what_was_asked_for_is_recorded_as_it_was(engine, provider, image_runs, body, stored):
    provider.on_fetch.append(body(picture()))
    (run,) = image_runs(request={"image_list": (CAT,)})
    engine([run])
    result = stored(run)
    assert result.config.request.image_list == (CAT,)
    assert result.artifacts[0].revised_prompt == "a grey cat"


@pytest.mark.parametrize(
    ("images", "mask", "said"),
    [
        ([b"<html>"], None, "no PNG, JPEG or WebP"),
        ([ServerError("502")], None, "could not be fetched: 502"),
        ([picture(), picture((32, 32))], MASK, "must be as large as the first image"),
        ([picture(), picture(form="JPEG")], MASK, "must be a PNG, and is JPEG"),
    ],
)
def test_one_that_cannot_be_used_costs_nothing(engine, provider, image_runs, body, stored, images, mask, said):
    provider.on_fetch.extend([body(image) if isinstance(image, bytes) else image for image in images])
    (run,) = image_runs(request={"image_list": (CAT,), "mask_image": mask})
    assert engine([run]).exit_code == 1
    result = stored(run)
    assert (result.status, provider.sent, result.attempts) == (RunStatus.FAILED, [], [])
    assert said in result.error.message


def test_a_gateway_that_fetches_nothing_is_sent_the_file(engine, provider, runs, configs, body):
    video_config, _ = configs
    config = video_config()
    gateway = CompatibleConfig(kind="compatible", dialect="litellm", base_url="https://fake.example/v1")
    request = config.request.model_copy(update={"image_list": (InputImage(image=CAT),)})
    provider.on_fetch.append(body(picture(form="JPEG")))
    (run,) = runs(1, config.model_copy(update={"provider": gateway, "request": request}))
    assert engine([run]).exit_code == 0
    assert provider.sent_configs[0].request.images == (str(run.directory / "input-0.jpeg"),)
    assert (run.directory / "input-0.jpeg").read_bytes() == picture(form="JPEG")


@pytest.mark.usefixtures("answered")
def test_what_is_at_hand_is_sent_upright_and_keeps_its_transparent_parts(engine, provider, image_runs, tmp_path):
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.new("RGB", (64, 48), "white").save(tmp_path / "phone.jpg", exif=turned)
    Image.new("LA", (48, 64), (255, 0)).save(tmp_path / "mask.png")
    Image.new("RGB", (8, 8)).save(tmp_path / "right.png")
    images = tuple(str(tmp_path / name) for name in ("phone.jpg", "right.png"))
    (run,) = image_runs(request={"image_list": images, "mask_image": str(tmp_path / "mask.png")})
    assert engine([run]).exit_code == 0
    sent = provider.sent_configs[0].request
    assert sent.image_list == (str(run.directory / "input-0.png"), images[1]), "what is right stays where it is"
    with Image.open(sent.image_list[0]) as phone, Image.open(sent.mask_image) as mask:
        assert (phone.size, phone.mode) == ((48, 64), "RGB")
        assert (mask.size, mask.mode, mask.getpixel((0, 0))) == ((48, 64), "RGBA", (255, 255, 255, 0))


def test_one_beyond_the_limit_is_broken_off(engine, provider, image_runs, body, stored, names):
    provider.on_fetch.append(body(picture(), length=60 * 1024 * 1024))
    (run,) = image_runs(request={"image_list": (CAT,)})
    engine([run])
    assert "larger than" in stored(run).error.message
    assert names(run.directory) == ["result.json"]
