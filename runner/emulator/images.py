"""Draw pictures as real PNG, WebP or JPEG files of the asked size."""

from __future__ import annotations

import base64
import io
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from xml.sax.saxutils import escape

from PIL import Image, ImageDraw, ImageOps

from runner.emulator import drawing

Format = Literal["png", "webp", "jpeg", "gif", "svg"]

COARSEST = 64
"""Pixels that become one in the first sketch; each later one has twice as many."""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """Describe a picture: `size` in pixels, `compression` 0 to 100 (higher keeps more)."""

    prompt: str
    model: str
    size: tuple[int, int]
    format: Format = "png"
    compression: int = 100
    transparent: bool = False


def draw(picture: Picture, number: int, inputs: Sequence[bytes] = ()) -> bytes:
    """Return the encoded picture; the same picture with the same `number` among its siblings gives the same bytes."""
    # Each model has colours of its own, and no name: who compares two without their names must not read them.
    key = f"{picture.prompt}\n{picture.model}\n{number}"
    if picture.format == "svg":
        return _drawn(picture, key)
    image = _joined(inputs, picture.size) if inputs else drawing.colour_field(picture.size, key).convert("RGBA")
    if picture.transparent:
        image.putalpha(_disc(picture.size))
    note = f"{picture.size[0]}x{picture.size[1]}  #{number}"
    image.alpha_composite(drawing.caption(picture.size, picture.prompt, note)[0])
    return _encode(image, picture)


def sketched(encoded: str, form: Format, step: int) -> str:
    """Return a base64 picture as it may have looked while it was made: the earlier the step, the coarser."""
    if form == "svg":
        return encoded
    with Image.open(io.BytesIO(base64.b64decode(encoded))) as image:
        coarse = image.reduce(COARSEST >> step).resize(image.size, Image.Resampling.BICUBIC)
    file = io.BytesIO()
    coarse.save(file, form, quality=80)
    return base64.b64encode(file.getvalue()).decode()


def _joined(inputs: Sequence[bytes], size: tuple[int, int]) -> Image.Image:
    """Return the input images side by side."""
    image = Image.new("RGBA", size)
    share = -(-size[0] // len(inputs))
    for index, content in enumerate(inputs):
        with Image.open(io.BytesIO(content)) as source:
            part = ImageOps.fit(ImageOps.exif_transpose(source).convert("RGBA"), (share, size[1]))
            image.paste(part, (index * share, 0))
    return image


def _disc(size: tuple[int, int]) -> Image.Image:
    """Return the mask that leaves the corners transparent."""
    width, height = size
    mask = Image.new("L", size)
    ImageDraw.Draw(mask).ellipse((width // 6, height // 6, width - width // 6, height - height // 6), fill=255)
    return mask


def _drawn(picture: Picture, key: str) -> bytes:
    """Return an SVG of the asked size: the prompt on one of 360 colours."""
    width, height = picture.size
    hue = zlib.crc32(key.encode()) % 360
    text = drawing.printable(f"EMULATED: {picture.prompt}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">'
        f'<rect width="100%" height="100%" fill="hsl({hue},60%,40%)"/>'
        f'<text x="5%" y="50%" fill="white" font-size="{height // 24}">{escape(text)}</text></svg>'
    ).encode()


def _encode(image: Image.Image, picture: Picture) -> bytes:
    file = io.BytesIO()
    match picture.format:
        case "png":
            image.save(file, "PNG", compress_level=1)
        case "webp":
            image.save(file, "WEBP", quality=picture.compression, method=1)
        case "gif":
            image.save(file, "GIF")
        case _:
            image.convert("RGB").save(file, "JPEG", quality=picture.compression)
    return file.getvalue()
