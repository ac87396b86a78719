"""Draw pictures as real files: colours from a hash, a caption, the EMULATED mark."""

from __future__ import annotations

import base64
import colorsys
import hashlib
import io
import unicodedata
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal
from xml.sax.saxutils import escape

from PIL import Image, ImageDraw, ImageFont, ImageOps

MARK = "EMULATED"
INK = (255, 255, 255, 255)
PLATE = (8, 10, 18, 168)
MARK_FILL = (255, 196, 0, 255)

Font = ImageFont.ImageFont | ImageFont.FreeTypeFont
Box = tuple[int, int, int, int]


@lru_cache(maxsize=32)
def font(size: int) -> Font:
    """Return Pillow's own font at `size` pixels."""
    return ImageFont.load_default(size=size)


def printable(text: str) -> str:
    """Return the text on one line, without accents: the font has basic Latin only, and draws boxes for the rest."""
    plain = (c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return " ".join("".join(c if c.isprintable() else " " for c in plain).split())


def colour_field(size: tuple[int, int], key: str) -> Image.Image:
    """Return a smooth field of three colours, the same for the same key."""
    hue, left, top, *_ = hashlib.sha256(key.encode("utf-8", "replace")).digest()
    dark, middle, bright = (
        tuple(round(255 * part) for part in colorsys.hsv_to_rgb((hue / 256 + turn) % 1, 0.75, value))
        for turn, value in ((0.0, 0.3), (0.08, 0.65), (0.2, 0.95))
    )
    window = (left // 2, top // 2, left // 2 + 128, top // 2 + 128)
    field = Image.radial_gradient("L").crop(window).resize(size, Image.Resampling.BICUBIC)
    return ImageOps.colorize(field, dark, bright, mid=middle)


def backdrop(size: tuple[int, int], key: str, reference: Path | None) -> Image.Image:
    """Return what lies behind the caption: the reference image when there is one, else a colour field."""
    if reference is None:
        return colour_field(size, key)
    with Image.open(reference) as image:
        return ImageOps.fit(ImageOps.exif_transpose(image).convert("RGB"), size)


def _lines(draw: ImageDraw.ImageDraw, text: str, face: Font, width: int, most: int) -> list[str]:
    lines = [""]
    for word in text.split(" "):
        for piece in _pieces(draw, word, face, width):
            joined = f"{lines[-1]} {piece}".strip()
            if draw.textlength(joined, font=face) <= width:
                lines[-1] = joined
            elif len(lines) == most:
                lines[-1] += "..."
                return lines
            else:
                lines.append(piece)
    return lines


def _pieces(draw: ImageDraw.ImageDraw, word: str, face: Font, width: int) -> list[str]:
    if draw.textlength(word[:200], font=face) <= width and len(word) <= 200:
        return [word]
    length = max(1, width // max(1, round(draw.textlength("M", font=face))))
    return [word[start : start + length] for start in range(0, len(word), length)]


def caption(size: tuple[int, int], text: str, note: str) -> tuple[Image.Image, Box]:
    """Return a transparent layer with the text on a plate, the note below it and the mark; and the plate's box."""
    layer = Image.new("RGBA", size)
    draw = ImageDraw.Draw(layer)
    unit = max(8, min(size) // 24)
    margin, face, small = unit, font(round(unit * 1.25)), font(max(8, round(unit * 0.75)))
    width = size[0] - 4 * margin
    most = max(1, min(5, size[1] // (6 * unit)))
    lines = _lines(draw, printable(text)[:600] or " ", face, width, most)
    step = round(unit * 1.6)
    height = step * len(lines) + round(unit * 2.6)
    box = (margin, max(0, size[1] - margin - height), size[0] - margin, size[1] - margin)
    draw.rounded_rectangle(box, radius=unit // 2, fill=PLATE)
    for number, line in enumerate(lines):
        draw.text((2 * margin, box[1] + round(unit * 0.6) + number * step), line, font=face, fill=INK)
    draw.text((2 * margin, box[3] - round(unit * 1.5)), note, font=small, fill=(255, 255, 255, 200))
    _mark(draw, margin, unit)
    return layer, box


def _mark(draw: ImageDraw.ImageDraw, margin: int, unit: int) -> None:
    face = font(round(unit * 0.95))
    width = round(draw.textlength(MARK, font=face))
    draw.rounded_rectangle((margin, margin, 2 * margin + width, margin + round(unit * 1.7)), unit // 3, fill=MARK_FILL)
    draw.text((margin + margin // 2, margin + round(unit * 0.3)), MARK, font=face, fill=(20, 16, 0, 255))


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
    image = _joined(inputs, picture.size) if inputs else colour_field(picture.size, key).convert("RGBA")
    if picture.transparent:
        image.putalpha(_disc(picture.size))
    note = f"{picture.size[0]}x{picture.size[1]}  #{number}"
    image.alpha_composite(caption(picture.size, picture.prompt, note)[0])
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
    text = printable(f"EMULATED: {picture.prompt}")
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
