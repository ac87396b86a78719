from __future__ import annotations

import base64
import hashlib
import struct
import zlib

import pytest
from PIL import Image

from runner.artifacts.images import decode
from runner.artifacts.picture import examine
from runner.artifacts.thumbnail import write_thumbnail
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


@pytest.mark.parametrize("content", [b"<html></html>", b"%PDF-1.7", b"<svg xmlns='http://www.w3.org/2000/svg'/>"])
def test_what_is_no_image_is_refused(png, content):
    png.write_bytes(content)
    with pytest.raises(ArtifactError, match=r"no PNG|no SVG|how large"):
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


@pytest.mark.parametrize("text", ["abc", "ab!d", "äöüß"])
def test_what_is_not_base64_is_refused(tmp_path, text):
    with pytest.raises(ArtifactError, match="base64"):
        decode(text, tmp_path / "image-0.part")


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
