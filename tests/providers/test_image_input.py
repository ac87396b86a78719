"""What an edit uploads, judged before anything is sent."""

from __future__ import annotations

import base64
import io

import pytest
from PIL import Image

from runner.errors import ConfigError
from runner.providers.body import check_body

IMAGE = {"kind": "image"}


def picture(size=(64, 48), mode="RGBA", form="PNG", **options) -> bytes:
    file = io.BytesIO()
    Image.new(mode, size).save(file, form, **options)
    return file.getvalue()


def data_url(content: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"


def found(config_of, *, model=None, **request):
    return [f"{p.severity} {p.key} {p.message}" for p in check_body(config_of(None, IMAGE | (model or {}), **request))]


@pytest.fixture
def file(tmp_path):
    def write(name, content):
        path = tmp_path / name
        path.write_bytes(content)
        return str(path)

    return write


@pytest.mark.parametrize("key", ["mask_image", "markup_image"])
@pytest.mark.parametrize("where", ["file", "data"])
def test_a_mask_that_fits_is_taken(config_of, file, key, where):
    mask, image = picture(), picture(mode="RGB", form="JPEG")
    given = [file("a.png", mask), file("b.jpg", image)] if where == "file" else [data_url(mask), data_url(image)]
    assert found(config_of, image_list=[given[1]], **{key: given[0]}) == []


@pytest.mark.parametrize(
    ("mask", "said"),
    [
        (picture(size=(48, 64)), "must be as large as the first image: it is 48x64, the image 64x48"),
        (picture(mode="RGB"), "has no transparent parts: its alpha channel says what to change"),
        (picture(form="WEBP"), "must be a PNG, and is WEBP"),
        (b"\x89PNG\r\n\x1a\n" + bytes(8), "the input image cannot be read: "),
        (picture()[:-30], "the input image is cut or damaged: "),
    ],
)
@pytest.mark.parametrize("key", ["mask_image", "markup_image"])
def test_one_that_does_not_is_refused_with_the_reason(config_of, file, key, mask, said):
    (problem,) = found(config_of, image_list=[file("b.png", picture())], **{key: file("a.png", mask)})
    assert problem.startswith(f"error request.{key} {said}")


@pytest.mark.parametrize(("validation", "expected"), [("warn", ["warning"]), ("off", [])])
def test_a_server_with_other_masks_can_be_asked_all_the_same(config_of, file, validation, expected):
    given = {"image_list": [file("b.png", picture())], "mask_image": file("a.png", picture(mode="L"))}
    problems = found(config_of, model={"validation": validation}, **given)
    assert [problem.split()[0] for problem in problems] == expected


@pytest.mark.parametrize(("size", "misfits"), [((48, 64), 0), ((64, 48), 1)])
def test_a_picture_on_its_side_is_masked_as_it_is_seen_and_sent(config_of, file, size, misfits):
    turned = Image.Exif()
    turned[0x0112] = 6
    image = file("b.jpg", picture(mode="RGB", form="JPEG", exif=turned))
    problems = found(config_of, image_list=[image], mask_image=file("a.png", picture(size=size)))
    assert ["the image 48x64, upright" in problem for problem in problems] == [True] * misfits


def test_a_palette_may_be_transparent(config_of, file):
    mask = file("a.png", picture(mode="P", transparency=0))
    assert found(config_of, image_list=[file("b.png", picture())], mask_image=mask) == []


@pytest.mark.parametrize("url", ["https://images.example/cat.png", "http://127.0.0.1:1/cat.png", "http://localhost/c"])
def test_addresses_are_taken_for_later(config_of, url):
    request = {"image_list": [url], "mask_image": data_url(picture())}
    assert found(config_of, **request) == []


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://images.example/cat.png", "would be downloaded unencrypted from images.example"),
        ("https://images.example:no/cat.png", "the address has a port or host that is not valid"),
    ],
)
def test_addresses_that_are_not_fetched_are_refused(config_of, url, said):
    assert found(config_of, image_list=[url]) == [f"error request.image_list.0 {said}"]


async def test_an_address_is_described_and_never_sent_as_a_file(wire, connect, config_of):
    config = config_of(None, IMAGE, image_list=["https://images.example/cat.png"])
    provider = connect(config)
    assert provider.body(config)["image"] == {"url": "https://images.example/cat.png"}
    with pytest.raises(ConfigError, match="lies at an address"):
        await provider.generate(config)
    assert wire.requests == []


async def test_markup_and_the_further_parameters_are_sent(wire, connect, config_of, file):
    given = {"safety_identifier": "user-7", "complexity": "high"}
    config = config_of(
        None, IMAGE, image_list=[file("b.png", picture())], markup_image=file("a.png", picture()), **given
    )
    await connect(config).generate(config)
    assert [(name, name_of) for name, name_of, *_ in wire.form if name_of] == [
        ("image", "b.png"),
        ("markup", "a.png"),
    ]
    assert wire.fields == {"prompt": "a cat", "model": "gpt-image-2", "n": "1", **given}
