from __future__ import annotations

import base64
import hashlib
import struct
import zlib

import pytest
from PIL import Image

from runner.artifacts.download import decode, sorted_out
from runner.artifacts.picture import examine, small_copy, write_thumbnail
from runner.errors import ArtifactError


@pytest.fixture
def png(tmp_path):
    path = tmp_path / "image-0.part"
    Image.effect_noise((640, 320), 50).save(path, "PNG")
    return path


def test_the_facts_come_from_the_file_itself(png):
    picture = examine(png)
    assert (picture.media_type, picture.extension, picture.width, picture.height) == ("image/png", "png", 640, 320)
    assert picture.small.size == (320, 160)


@pytest.mark.parametrize("kept", [0, 10, 1000, -20])
def test_a_cut_image_is_found_out(png, kept):
    png.write_bytes(png.read_bytes()[:kept])
    with pytest.raises(ArtifactError):
        examine(png)


@pytest.mark.parametrize("content", [b"<html></html>", b"%PDF-1.7", b"\x00\x00\x00\x18ftypheic", bytes(99)])
def test_what_is_no_image_is_refused(png, content):
    png.write_bytes(content)
    with pytest.raises(ArtifactError, match=r"looks like PDF|looks like HEIC|no image known|no SVG"):
        examine(png)


@pytest.fixture(params=["L", "RGB", "CMYK"])
def jpeg(request, tmp_path):
    path = tmp_path / "image-0.part"
    Image.effect_noise((1300, 900), 50).convert("RGB").convert(request.param).save(path, "JPEG")
    return path


def test_a_jpeg_that_is_decoded_small_has_its_own_size_and_a_thumbnail_as_wide_as_any(jpeg):
    picture = examine(jpeg)
    assert (picture.width, picture.height) == (1300, 900)
    assert picture.small.size == (320, 222)


@pytest.mark.parametrize("kept", [1000, -1000, -20, -3])
def test_a_cut_jpeg_is_found_out(jpeg, kept):
    jpeg.write_bytes(jpeg.read_bytes()[:kept])
    with pytest.raises(ArtifactError, match="cut"):
        examine(jpeg)


@pytest.mark.parametrize("mode", ["1", "P", "L", "LA", "RGB", "RGBA", "CMYK", "I", "F"])
@pytest.mark.parametrize(
    ("size", "small"),
    [((640, 320), (320, 160)), ((320, 9), (320, 9)), ((4, 6000), (2, 2560)), ((6000, 1), (320, 1))],
)
def test_a_small_copy_fits_the_thumbnail_whatever_its_colours(mode, size, small):
    assert small_copy(Image.new(mode, size)).size == small


PHOTO = Image.effect_noise((64, 48), 40).convert("RGB")


@pytest.mark.parametrize(
    ("form", "image", "options", "extension"),
    [
        ("MPO", PHOTO, {"save_all": True, "append_images": [PHOTO]}, "jpg"),
        ("JPEG", PHOTO, {"progressive": True}, "jpg"),
        ("JPEG", PHOTO.convert("CMYK"), {}, "jpg"),
        ("PNG", PHOTO, {"save_all": True, "append_images": [PHOTO.rotate(9)]}, "png"),
        ("WEBP", PHOTO, {"save_all": True, "append_images": [PHOTO.rotate(9)]}, "webp"),
        ("GIF", PHOTO, {"save_all": True, "append_images": [PHOTO.rotate(9)]}, "gif"),
        ("PNG", PHOTO.convert("1"), {}, "png"),
        ("AVIF", PHOTO, {}, "avif"),
        ("BMP", PHOTO, {}, "bmp"),
        ("TIFF", Image.new("F", (64, 48)), {}, "tif"),
        ("TIFF", Image.new("I;16", (64, 48)), {}, "tif"),
        ("JPEG2000", PHOTO, {}, "jp2"),
    ],
)
def test_odd_but_legal_pictures_are_known(tmp_path, form, image, options, extension):
    from PIL import features

    if form in ("AVIF", "JPEG2000") and not features.check({"AVIF": "avif", "JPEG2000": "jpg_2000"}[form]):
        pytest.skip("this Pillow was built without it")
    path = tmp_path / "image-0.part"
    image.save(path, form, **options)
    picture = examine(path)
    assert (picture.extension, picture.width, picture.height) == (extension, 64, 48)
    assert write_thumbnail(picture.small, tmp_path).width == 64


@pytest.mark.parametrize("surprise", [KeyError("MPO"), RuntimeError, IndexError, struct.error, MemoryError, TypeError])
def test_no_surprise_of_a_decoder_is_more_than_a_damaged_image(png, monkeypatch, surprise):
    def raises(*_args, **_options):
        raise surprise

    monkeypatch.setattr(Image, "open", raises)
    with pytest.raises(ArtifactError, match="damaged"):
        examine(png)


@pytest.mark.parametrize("side", [9_000, 11_000, 60_000])
def test_a_decompression_bomb_is_never_unpacked(png, side):
    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    png.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    )
    with pytest.raises(ArtifactError):
        examine(png)


@pytest.mark.parametrize("size", [0, 1, 2, 3, 65_536 * 3, 1_000_001])
def test_base64_is_decoded_piece_by_piece(tmp_path, size):
    data = bytes(index % 251 for index in range(size))
    part = tmp_path / "image-0.part"
    if not size:
        with pytest.raises(ArtifactError, match="empty"):
            decode("", part)
        return
    for text in (base64.b64encode(data).decode(), "data:image/png;base64," + base64.b64encode(data).decode()):
        stored = decode(text, part)
        assert part.read_bytes() == data
        assert (stored.bytes, stored.sha256) == (size, hashlib.sha256(data).hexdigest())


@pytest.mark.parametrize(
    "text", ["-_-_", "+/+/", "-/+_", "YWJjYQ", "YWJjYQ==", "YWJjYR==", "YWJj\nYQ", "YWJjYQ=", "YW=="]
)
def test_base64_is_read_in_either_alphabet_and_with_loose_ends(tmp_path, text):
    plain = text.replace("-", "+").replace("_", "/").replace("\n", "").rstrip("=")
    data = base64.b64decode(plain + "=" * (-len(plain) % 4))
    assert decode(text, tmp_path / "image-0.part").path.read_bytes() == data


@pytest.mark.parametrize("text", ["abcde", "ab!d", "äöüß", "ab\ud800d"])
def test_what_is_not_base64_is_refused(tmp_path, text):
    with pytest.raises(ArtifactError, match="base64"):
        decode(text, tmp_path / "image-0.part")


@pytest.mark.parametrize("start", [b"\xff\x0a", b"\xff\xd8\xff", b"\xff\x4f\xff\x51"])
def test_base64_that_begins_like_a_path_is_no_address(start):
    text = base64.b64encode(start + bytes(100)).decode()
    assert text.startswith("/")
    assert sorted_out(text, None) == (text, None)
    assert sorted_out("/files/1", None) == (None, "/files/1")


def test_base64_in_lines_is_understood(tmp_path):
    data = bytes(range(256)) * 100
    assert decode(base64.encodebytes(data).decode(), tmp_path / "i.part").bytes == len(data)


@pytest.mark.parametrize(
    ("mode", "size"), [("RGB", (1280, 720)), ("RGBA", (100, 50)), ("P", (640, 640)), ("I;16", (400, 9))]
)
def test_a_thumbnail_is_small_and_webp(tmp_path, mode, size):
    made = write_thumbnail(Image.new(mode, size), tmp_path)
    with Image.open(tmp_path / "thumbnail.webp") as thumbnail:
        assert thumbnail.format == "WEBP"
        assert thumbnail.size == (made.width, made.height)
    assert made.width == min(320, size[0])
    assert (tmp_path / "thumbnail.webp").read_bytes() == made.content
