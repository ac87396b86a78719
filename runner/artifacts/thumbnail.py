"""The small picture that lists and galleries show."""

from __future__ import annotations

import io
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from .atomic import write_bytes

if TYPE_CHECKING:
    from av.video import VideoFrame
    from PIL.Image import Image

NAME = "thumbnail.webp"
WIDTH = 320
"""Pixels; the height follows the picture."""

_QUALITY = 75


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """Describe the file as it was written."""

    content: bytes
    width: int
    height: int


def write_thumbnail(image: Image, directory: Path) -> Thumbnail:
    """Write `thumbnail.webp` from `image`, made small if it is not."""
    small = image
    if image.width > WIDTH:
        small = image.resize((WIDTH, max(1, round(image.height * WIDTH / image.width))))
    buffer = io.BytesIO()
    small.convert("RGBA" if small.has_transparency_data else "RGB").save(buffer, "WEBP", quality=_QUALITY, method=0)
    return _written(buffer.getvalue(), small.width, small.height, directory)


def small_frame(frame: VideoFrame) -> VideoFrame:
    """The frame as the thumbnail shows it, in WebP's own colours: it need not become red, green and blue on its way."""
    # A strip of a few columns would otherwise grow to gigabytes.
    height = min(WIDTH * 8, max(2, round(frame.height * WIDTH / frame.width)))
    return frame.reformat(
        *(WIDTH, height, "yuv420p"),
        dst_colorspace="ITU601",
        dst_color_range="MPEG",
        interpolation="AREA",
        threads=1,
    )


def write_frame(small: VideoFrame, directory: Path) -> Thumbnail:
    """Write `thumbnail.webp` from a `small_frame`."""
    import av

    if "libwebp" not in av.codecs_available:  # as where FFmpeg comes from elsewhere than PyAV's own packages
        return write_thumbnail(small.to_image(), directory)  # type: ignore[no-untyped-call]  # PyAV leaves it so
    encoder = av.CodecContext.create("libwebp", "w")
    encoder.width, encoder.height, encoder.pix_fmt = small.width, small.height, small.format.name
    encoder.time_base = Fraction(1)
    encoder.options = {"compression_level": "0", "quality": str(_QUALITY)}
    small.pts = 0
    packets = [*encoder.encode(small), *encoder.encode(None)]
    return _written(b"".join(map(bytes, packets)), small.width, small.height, directory)


def _written(content: bytes, width: int, height: int, directory: Path) -> Thumbnail:
    # It can be made again from the artifact at any time, so that a power cut may have it.
    write_bytes(directory / NAME, content, durable=False)
    return Thumbnail(content, width, height)
