"""Draw what clips and images show: colours from a hash, a caption, the EMULATED mark."""

from __future__ import annotations

import colorsys
import hashlib
import unicodedata
from functools import lru_cache
from pathlib import Path

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
