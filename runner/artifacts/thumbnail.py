"""The small picture that lists and galleries show."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .atomic import write_bytes

if TYPE_CHECKING:
    from PIL.Image import Image

NAME = "thumbnail.webp"
WIDTH = 320
"""Pixels; the height follows the picture."""


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """The file as it was written."""

    content: bytes
    width: int
    height: int


def write_thumbnail(image: Image, directory: Path) -> Thumbnail:
    """Write `thumbnail.webp` from `image`, made small if it is not."""
    small = image
    if image.width > WIDTH:
        small = image.resize((WIDTH, max(1, round(image.height * WIDTH / image.width))))
    buffer = io.BytesIO()
    small.convert("RGBA" if small.has_transparency_data else "RGB").save(buffer, "WEBP", quality=75, method=0)
    content = buffer.getvalue()
    # It can be made again from the artifact at any time, so that a power cut may have it.
    write_bytes(directory / NAME, content, durable=False)
    return Thumbnail(content, small.width, small.height)
