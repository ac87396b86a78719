"""Files that are small on disk and huge when they are opened."""

from __future__ import annotations

import base64
import struct
import subprocess
import sys
import tracemalloc
import zlib

import pytest
from PIL import Image

from runner.artifacts.download import decode
from runner.artifacts.picture import MAX_PIXELS, examine
from runner.artifacts.probe import probe
from runner.errors import TOO_LARGE, ArtifactError

SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="6" height="4">{}</svg>'


def chunk(name: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4) + name + data + zlib.crc32(name + data).to_bytes(4)


def bomb(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds a few bytes."""
    header = width.to_bytes(4) + height.to_bytes(4) + bytes([8, 2, 0, 0, 0])
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def refused(path, check) -> ArtifactError:
    tracemalloc.start()
    with pytest.raises(ArtifactError) as caught:
        check(path)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 50_000_000
    return caught.value


@pytest.mark.parametrize("size", [(8001, 8000), (9_500, 9_500), (12_000, 12_000), (60_000, 60_000), (2**31 - 1, 1)])
def test_an_image_beyond_the_limit_is_an_error_that_no_other_try_changes(tmp_path, size):
    assert size[0] * size[1] > MAX_PIXELS
    path = tmp_path / "image-0.part"
    path.write_bytes(bomb(*size))
    assert refused(path, examine).code == TOO_LARGE


def test_the_image_library_prints_no_warning_of_its_own(tmp_path):
    path = tmp_path / "image-0.part"
    path.write_bytes(bomb(9_500, 9_500))
    program = (
        "import sys, pathlib; from runner.artifacts.picture import examine; from runner.errors import ArtifactError\n"
        "try: examine(pathlib.Path(sys.argv[1]))\nexcept ArtifactError as error: print(error.code)"
    )
    done = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("too_large\n", "")


def test_text_in_an_image_that_unpacks_to_gigabytes_is_refused(tmp_path):
    path = tmp_path / "image-0.part"
    Image.new("RGB", (8, 8)).save(path, "PNG")
    content = path.read_bytes()
    text = b"prompt\0\0" + zlib.compress(bytes(200_000_000), 9)
    path.write_bytes(content[:33] + chunk(b"zTXt", text) + content[33:])
    try:
        examine(path)
    except ArtifactError as error:
        assert "damaged" in str(error)  # noqa: PT017 - either is safe: refused, or the text left packed


def test_base64_beyond_the_limit_is_not_decoded(tmp_path):
    part = tmp_path / "image-0.part"
    with pytest.raises(ArtifactError) as caught:
        decode(base64.b64encode(bytes(1000)).decode(), part, limit=999)
    assert caught.value.code == TOO_LARGE
    assert not part.exists()
    assert decode(base64.b64encode(bytes(1000)).decode(), part, limit=1002).bytes == 1000


@pytest.mark.parametrize("size", [(16, 17_000), (17_000, 16)])
def test_a_video_of_absurd_sides_is_refused(clip, size):
    path = clip(f"{size[0]}x{size[1]}.avi", codec="rawvideo", seconds=1, size=size)
    error = refused(path, probe)
    assert error.code == TOO_LARGE
    assert f"{size[0]}x{size[1]}" in str(error)


def test_a_strip_of_a_video_has_a_small_first_frame(clip):
    video = probe(clip("strip.avi", codec="rawvideo", seconds=1, size=(2, 4000)), thumbnail=True)
    assert (video.thumbnail.width, video.thumbnail.height) == (320, 2560)


def test_a_video_that_would_be_decoded_for_hours_is_given_up(clip):
    path = clip("plain.mp4")
    everything = 24 * 64 * 48
    assert probe(path, thorough=True, limit=everything).duration_seconds == 2
    assert refused(path, lambda path: probe(path, thorough=True, limit=64 * 48 - 1)).code == TOO_LARGE


def lying(clip, path, seconds: float):
    content = bytearray(clip("years.webm", codec="libvpx").read_bytes())
    place = content.index(b"\x44\x89\x88") + 3  # Matroska's Duration, in milliseconds
    content[place : place + 8] = struct.pack(">d", seconds * 1000)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("seconds", [10**6, 1e12, -5.0])
def test_a_video_that_lies_about_its_length_is_refused_at_once(clip, tmp_path, seconds):
    refused(lying(clip, tmp_path / "video.mp4.part", seconds), probe)


@pytest.mark.parametrize("seconds", [1e300, float("inf"), float("nan")])
def test_a_length_that_is_none_is_counted_within_limits(clip, tmp_path, seconds):
    path = lying(clip, tmp_path / "video.mp4.part", seconds)
    assert probe(path).duration_seconds == 2
    assert refused(path, lambda path: probe(path, limit=64 * 48 * 20)).code == TOO_LARGE


@pytest.mark.parametrize(
    "text",
    [
        SVG.format("<g>" * 200_000),
        '<!DOCTYPE svg [<!ENTITY a "aaaa">]>' + SVG.format("&a;"),
        '<!DOCTYPE svg SYSTEM "file:///etc/passwd">' + SVG.format(""),
        SVG.replace("6", "9" * 400).format(""),
    ],
    ids=["deep", "entities", "another file", "digits"],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le"])
def test_a_drawing_is_no_way_in(tmp_path, text, encoding):
    path = tmp_path / "image-0.part"
    path.write_bytes(text.encode(encoding))
    refused(path, examine)


def test_a_drawing_of_a_million_elements_takes_no_memory(tmp_path):
    path = tmp_path / "image-0.part"
    path.write_text(SVG.format("<g/>" * 1_000_000))
    tracemalloc.start()
    assert examine(path).width == 6
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 5_000_000
