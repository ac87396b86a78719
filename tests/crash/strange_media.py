"""Small files as models make them, each unlike all others: they carry a token where their format has room for it."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from functools import cache

import av
from PIL import Image

SIDE = 64
"""Pixels of every picture."""
FRAMES = 8
"""Frames of every video, which is one second long."""


class _Pipe:
    """What can be written to and not gone back in, so that no header tells the length."""

    def __init__(self) -> None:
        self.buffer = io.BytesIO()

    def write(self, data: bytes) -> int:
        return self.buffer.write(data)


@cache
def _clip(container: str, codec: str, *, live: bool) -> bytes:
    target = _Pipe() if live else io.BytesIO()
    with av.open(target, "w", format=container) as output:
        stream = output.add_stream(codec, rate=FRAMES)
        stream.width = stream.height = SIDE
        stream.pix_fmt = "yuv420p"
        for number in range(FRAMES):
            frame = av.VideoFrame(SIDE, SIDE, "yuv420p")
            for plane, value in zip(frame.planes, (number * 30, 128, 128), strict=True):
                plane.update(bytes([value]) * plane.buffer_size)
            for packet in stream.encode(frame):
                output.mux(packet)
        for packet in stream.encode():
            output.mux(packet)
    return target.buffer.getvalue() if isinstance(target, _Pipe) else target.getvalue()


@cache
def _picture(name: str) -> bytes:
    image, target = Image.linear_gradient("L").resize((SIDE, SIDE)).convert("RGB"), io.BytesIO()
    more = {"save_all": True, "append_images": [image]} if name == "MPO" else {}
    image.save(target, name, **more)
    return target.getvalue()


def mp4(token: bytes) -> bytes:
    """An MP4 with a `free` box at its end."""
    return _clip("mp4", "mpeg4", live=False) + struct.pack(">I4s", 8 + len(token), b"free") + token


def live_webm(token: bytes) -> bytes:
    """A WebM as it is streamed, which does not say how long it is; with a `Void` element at its end."""
    return _clip("webm", "libvpx", live=True) + bytes([0xEC, 0x80 | len(token)]) + token


def transport_stream(token: bytes) -> bytes:
    """An MPEG transport stream, which has no header at all; with an empty packet at its end."""
    return _clip("mpegts", "mpeg2video", live=True) + b"\x47\x1f\xff\x10" + token.ljust(184, b"\xff")


def png(token: bytes) -> bytes:
    """A PNG with a text in it."""
    chunk = b"tEXttoken\0" + token
    text = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return _picture("PNG")[:-12] + text + _picture("PNG")[-12:]


def jpeg(token: bytes) -> bytes:
    """A JPEG with a comment."""
    return _commented(_picture("JPEG"), token)


def mpo(token: bytes) -> bytes:
    """A JPEG with a second picture behind the first, as telephones make them."""
    return _commented(_picture("MPO"), token)


def webp(token: bytes) -> bytes:
    """A WebP with a chunk of its own."""
    body = _picture("WEBP")[12:] + b"tokn" + struct.pack("<I", len(token)) + token + b"\0" * (len(token) % 2)
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def gif(token: bytes) -> bytes:
    """A GIF with a comment."""
    return _picture("GIF")[:-1] + b"\x21\xfe" + bytes([len(token)]) + token + b"\0\x3b"


def _commented(picture: bytes, token: bytes) -> bytes:
    return picture[:2] + b"\xff\xfe" + struct.pack(">H", 2 + len(token)) + token + picture[2:]


VIDEOS: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "mp4": (mp4, "video/mp4"),
    "live_webm": (live_webm, "video/webm"),
    "transport_stream": (transport_stream, "video/mp2t"),
}
"""Makers of videos, each with its content type."""
IMAGES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "png": (png, "image/png"),
    "jpeg": (jpeg, "image/jpeg"),
    "mpo": (mpo, "image/jpeg"),
    "webp": (webp, "image/webp"),
    "gif": (gif, "image/gif"),
}
"""The same for images."""
