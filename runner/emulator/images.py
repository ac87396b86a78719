"""Draw pictures as real PNG, WebP or JPEG files of the asked size."""

from __future__ import annotations

import base64
import io
import zlib
from dataclasses import dataclass
from typing import Literal
from xml.sax.saxutils import escape

from PIL import Image, ImageDraw, ImageOps

from runner.emulator import drawing

Format = Literal["png", "webp", "jpeg", "gif", "svg"]

COARSEST = 64
"""Pixels that become one in the first sketch; each later one has twice as many."""


@dataclass(frozen=True)
class DrawnPicture:
    """Describe a picture: `size` in pixels, `compression` 0 to 100 (higher keeps more), `number` among its siblings."""

    prompt: str
    label: str
    size: tuple[int, int]
    number: int = 0
    format: Format = "png"
    compression: int = 100
    transparent: bool = False
    inputs: tuple[bytes, ...] = ()


def draw(picture: DrawnPicture) -> bytes:
    """Return the encoded picture; the same picture gives the same bytes."""
    if picture.format == "svg":
        return _drawn(picture)
    image = _transparent(picture) if picture.transparent else _opaque(picture)
    note = f"{picture.label}  {picture.size[0]}x{picture.size[1]}  #{picture.number}"
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


def _key(picture: DrawnPicture) -> str:
    return f"{picture.prompt}\n{picture.number}"


def _opaque(picture: DrawnPicture) -> Image.Image:
    if not picture.inputs:
        return drawing.colour_field(picture.size, _key(picture)).convert("RGBA")
    image = Image.new("RGBA", picture.size)
    share = -(-picture.size[0] // len(picture.inputs))
    for index, content in enumerate(picture.inputs):
        with Image.open(io.BytesIO(content)) as source:
            part = ImageOps.fit(ImageOps.exif_transpose(source).convert("RGBA"), (share, picture.size[1]))
            image.paste(part, (index * share, 0))
    return image


def _transparent(picture: DrawnPicture) -> Image.Image:
    width, height = picture.size
    mask = Image.new("L", picture.size)
    ImageDraw.Draw(mask).ellipse((width // 6, height // 6, width - width // 6, height - height // 6), fill=255)
    image = _opaque(picture)
    image.putalpha(mask)
    return image


def _drawn(picture: DrawnPicture) -> bytes:
    """Return an SVG of the asked size: the prompt on one of 360 colours."""
    width, height = picture.size
    hue = zlib.crc32(_key(picture).encode()) % 360
    text = f"EMULATED {picture.label}: {picture.prompt}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">'
        f'<rect width="100%" height="100%" fill="hsl({hue},60%,40%)"/>'
        f'<text x="5%" y="50%" fill="white" font-size="{height // 24}">{escape(_printable(text))}</text></svg>'
    ).encode()


def _printable(text: str) -> str:
    """Return the text without what XML cannot hold."""
    return "".join(char if char.isprintable() else " " for char in text)


def _encode(image: Image.Image, picture: DrawnPicture) -> bytes:
    file = io.BytesIO()
    if picture.format == "png":
        image.save(file, "PNG", compress_level=1)
    elif picture.format == "webp":
        image.save(file, "WEBP", quality=picture.compression, method=1)
    elif picture.format == "gif":
        image.save(file, "GIF")
    else:
        image.convert("RGB").save(file, "JPEG", quality=picture.compression)
    return file.getvalue()
