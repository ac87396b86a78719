"""Input images become what servers read, and look as they did."""

from __future__ import annotations

import io
import random
import struct
import zlib
from contextlib import suppress

import pytest
from PIL import Image, ImageChops, ImageCms

from runner.artifacts import picture
from runner.artifacts.picture import as_sent, look
from runner.errors import ConfigError

RED, BLUE, BLACK = (255, 0, 0), (0, 0, 255), (0, 0, 0)


def stored(image: Image.Image, form: str = "PNG", **options) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def plain(mode: str = "RGB", color=0, size=(8, 8)) -> Image.Image:
    return Image.new(mode, size, color)


def sent(content: bytes, *, keep_alpha: bool = False, **options) -> Image.Image:
    made = as_sent(content, keep_alpha=keep_alpha, **options)
    assert made is not None, "it is sent as it is"
    image = Image.open(io.BytesIO(made))
    assert (image.format, image.getexif(), image.info.get("icc_profile")) == ("PNG", {}, None)
    return image


def noted(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def palette(**options) -> bytes:
    image = plain("P", 1)
    image.putpalette([*BLACK, *RED])
    return stored(image, **options)


@pytest.mark.parametrize(
    "content",
    [
        stored(plain()),
        stored(plain("L", 9)),
        stored(plain("RGBA", (1, 2, 3, 255))),
        stored(plain(), "JPEG"),
        stored(plain("L", 9), "JPEG"),
        stored(plain(), "WEBP"),
        stored(plain(), icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()),
        stored(plain(), icc_profile=b"no profile at all" * 20),
        stored(plain(), "JPEG", exif=noted(9)),
    ],
)
def test_what_is_right_already_is_sent_byte_for_byte(content):
    assert as_sent(content, keep_alpha=False) is None
    assert as_sent(content, keep_alpha=True) is None
    assert as_sent(content, keep_alpha=False, size=(8, 8), way="crop") is None


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
@pytest.mark.parametrize("way", [None, "pad"])
def test_16_bits_are_scaled_to_8(form, way):
    deep = Image.new("I;16", (256, 4))
    for x in range(256):
        for y in range(4):
            deep.putpixel((x, y), x * 257)
    image = sent(stored(deep, form), size=(256, 8) if way else None, way=way)
    assert [image.getpixel((x, image.height // 2))[0] for x in (0, 64, 128, 255)] == [0, 64, 128, 255]


@pytest.mark.parametrize(("mode", "factor"), [("F", 1 / 255), ("F", 1), ("I", 257), ("I", 1), ("I", 8_000_000)])
def test_32_bits_are_scaled_by_the_range_that_they_use(mode, factor):
    wide = Image.linear_gradient("L").convert("F").point(lambda value: value * factor + 0).convert(mode)
    image = sent(stored(wide, "TIFF"))
    assert [image.getpixel((0, y)) for y in (0, 128, 255)] == [(0,) * 3, (128,) * 3, (255,) * 3]


def test_a_png_of_16_bits_in_colour_becomes_one_of_8():
    rows = (b"\0" + struct.pack(">3H", 65535, 257 * 128, 0) * 2) * 2
    content = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in (
            (b"IHDR", struct.pack(">IIBBBBB", 2, 2, 16, 2, 0, 0, 0)), (b"IDAT", zlib.compress(rows)), (b"IEND", b""),
        )
    )  # fmt: skip
    assert sent(content).getpixel((0, 0)) == (255, 128, 0)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_what_a_note_turns_is_judged_and_sent_upright(form, orientation):
    """One corner is red; where it is seen by whoever honours the note is where it is sent."""
    seen = {1: (0, 0), 2: (1, 0), 3: (1, 1), 4: (0, 1), 5: (0, 0), 6: (1, 0), 7: (1, 1), 8: (0, 1)}[orientation]
    picture = plain("RGB", "white", (64, 32))
    picture.paste(RED, (0, 0, 16, 16))
    content = stored(picture, form, exif=noted(orientation), **({"lossless": True} if form == "WEBP" else {}))
    size = (64, 32) if orientation < 5 else (32, 64)
    assert (look(content).size, look(content).turned) == (size, orientation > 1)
    if orientation == 1:
        assert as_sent(content, keep_alpha=False) is None
        return
    image = sent(content)
    assert image.size == size
    place = tuple(4 if at == 0 else side - 4 for at, side in zip(seen, size, strict=True))
    assert image.getpixel(place)[1] < 60


def test_a_picture_stored_in_the_asked_size_is_still_turned():
    content = stored(plain(size=(64, 32)), "JPEG", exif=noted(6))
    assert sent(content, size=(64, 32), way="crop").size == (64, 32)
    assert sent(content, size=(32, 64), way="crop").size == (32, 64)


@pytest.mark.parametrize(
    ("content", "kept"),
    [
        (stored(plain("RGBA", (255, 0, 0, 0))), None),
        (stored(plain("LA", (255, 0))), (255, 255, 255, 0)),
        (palette(transparency=1), (255, 0, 0, 0)),
        (stored(plain("RGB", RED), transparency=RED), (255, 0, 0, 0)),
        (stored(plain("L", 9), transparency=9), (9, 9, 9, 0)),
        (stored(plain("RGBA", (255, 0, 0, 0)), "WEBP", lossless=True, exact=True), None),
    ],
)
def test_transparent_parts_are_black_in_a_video_and_stay_in_an_edit(content, kept):
    assert look(content).transparent
    assert sent(content).getpixel((0, 0)) == BLACK
    if kept is None:
        assert as_sent(content, keep_alpha=True) is None
    else:
        assert sent(content, keep_alpha=True).getpixel((0, 0)) == kept


def test_half_of_a_colour_is_left_on_black():
    assert sent(stored(plain("RGBA", (255, 0, 0, 128)))).getpixel((0, 0)) == (128, 0, 0)


@pytest.mark.parametrize(
    ("content", "color"), [(palette(), RED), (stored(plain("1", 1)), (255,) * 3), (stored(plain("1", 0)), BLACK)]
)
def test_palettes_and_single_bits_become_colours(content, color):
    assert sent(content).getpixel((0, 0)) == color


def without_adobe(content: bytes) -> bytes:
    start = content.index(b"\xff\xee")
    return content[:start] + content[start + 2 + int.from_bytes(content[start + 2 : start + 4]) :]


@pytest.mark.parametrize("adobe", [True, False])
def test_four_inks_are_read_as_they_are_stored(adobe):
    inks = plain("RGB", (200, 40, 40)).convert("CMYK")
    content = stored(inks, "JPEG", quality=95) if adobe else without_adobe(
        stored(ImageChops.invert(inks), "JPEG", quality=95)
    )  # fmt: skip
    assert sent(content).getpixel((0, 0)) == pytest.approx((200, 40, 40), abs=4)


@pytest.mark.parametrize("form", ["PNG", "WEBP", "GIF", "MPO", "TIFF"])
def test_of_several_frames_the_first_is_sent(form):
    options = {"lossless": True} if form == "WEBP" else {}
    content = stored(plain("RGB", RED), form, save_all=True, append_images=[plain("RGB", BLUE)], **options)
    image = sent(content)
    assert (image.getpixel((0, 0)), getattr(image, "n_frames", 1)) == (pytest.approx(RED, abs=3), 1)


def test_another_colour_space_becomes_srgb():
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exchanged = srgb.replace(b"rXYZ", b"XYZr").replace(b"bXYZ", b"rXYZ").replace(b"XYZr", b"bXYZ")
    profile = exchanged.replace("sRGB".encode("utf-16-be"), "mine".encode("utf-16-be"))
    for mode, color in (("RGB", RED), ("RGBA", (*RED, 255))):
        image = sent(stored(plain(mode, color), icc_profile=profile))
        assert image.getpixel((0, 0)) == pytest.approx(BLUE, abs=3), "its red is blue"


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"])
@pytest.mark.parametrize("part", [0.3, 0.6, 0.9])
def test_a_cut_file_is_refused(form, part):
    content = stored(Image.effect_noise((99, 99), 80).convert("RGB"), form)
    with pytest.raises(ConfigError, match=r"the input image (is cut or damaged|cannot be read)"):
        look(content[: int(len(content) * part)])


def test_a_png_without_its_end_is_refused():
    with pytest.raises(ConfigError, match="cut or damaged"):
        look(stored(plain())[:-6])


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"])
def test_a_damaged_file_is_refused_or_read_and_nothing_else(form):
    dice, whole = random.Random(form), stored(Image.effect_noise((40, 40), 80).convert("RGB"), form)
    for _ in range(60):
        content = bytearray(whole)
        for _ in range(dice.choice((1, 5, 30))):
            content[dice.randrange(len(content))] = dice.randrange(256)
        for examine in (look, lambda data: as_sent(data, keep_alpha=False)):
            with suppress(ConfigError):
                examine(bytes(content))


def test_a_picture_of_too_many_pixels_is_refused(monkeypatch):
    monkeypatch.setattr(picture, "MAX_PIXELS", 63)
    with pytest.raises(ConfigError, match="8x8, which is too large"):
        look(stored(plain()))


def test_what_would_be_too_large_as_a_png_becomes_a_jpeg(monkeypatch):
    monkeypatch.setattr(picture, "MAX_INPUT_BYTES", 50)
    made = as_sent(stored(plain(), "BMP"), keep_alpha=False)
    assert made[:2] == b"\xff\xd8"
