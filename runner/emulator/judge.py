"""Judge pictures as a vision model would be asked to: by their sharpness and colours alone, always in the same way."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image, ImageFilter, ImageStat

SHARPEST = 40.0
"""The deviation of the edges' brightness (of 255) from which on a picture counts as perfectly sharp."""

CLOSE = 0.02
"""A difference that is too small to see: of two such pictures, this judge prefers the one that it is shown first."""

_SIDE = 256
"""Pixels to which pictures are scaled down before they are looked at."""

_PIXELS_PER_TOKEN = 750


@dataclass(frozen=True)
class Look:
    """Hold what was seen, each from 0 to 1, and what it took."""

    sharpness: float
    colour: float
    tokens: int

    @property
    def merit(self) -> float:
        """Return how good the picture is."""
        return 0.7 * self.sharpness + 0.3 * self.colour


def look(pictures: Sequence[bytes]) -> Look:
    """Return what is seen on pictures, as the mean of them."""
    each = [_looked(picture) for picture in pictures]
    count = len(each)
    return Look(
        sum(one.sharpness for one in each) / count,
        sum(one.colour for one in each) / count,
        sum(one.tokens for one in each),
    )


def _looked(content: bytes) -> Look:
    with Image.open(io.BytesIO(content)) as image:
        tokens = -(-image.width * image.height // _PIXELS_PER_TOKEN)
        picture = image.convert("RGB")
    picture.thumbnail((_SIDE, _SIDE))
    edges = ImageStat.Stat(picture.convert("L").filter(ImageFilter.FIND_EDGES)).stddev[0]
    saturation = ImageStat.Stat(picture.convert("HSV")).mean[1] / 255
    return Look(min(1.0, edges / SHARPEST), saturation, tokens)


def answer(schema: Mapping[str, Any], looks: Sequence[Look], shift: int = 0) -> dict[str, Any]:  # Any: JSON
    """Return what fills a schema of criteria with reason and score, or of which of two is `better`.

    `shift` is added to each score, as by chance.
    """
    properties: Mapping[str, Any] = schema.get("properties") or {}  # Any: JSON
    if "better" in properties:
        return {"reason": _compared(looks), "better": _better(looks)}
    return {name: _scored(name, looks[0], shift) for name in properties}


def _scored(name: str, seen: Look, shift: int) -> dict[str, object]:
    coloured = any(word in name for word in ("colour", "color", "beauty", "style"))
    what, merit = ("colours", seen.colour) if coloured else ("sharpness", seen.sharpness)
    if name == "overall":
        what, merit = "all", seen.merit
    score = min(5, max(1, 1 + round(4 * merit) + shift))
    return {"reason": f"EMULATED: {what} {merit:.2f} of 1", "score": score}


def _better(looks: Sequence[Look]) -> str:
    first, second = (each.merit for each in looks[:2])
    if max(first, second) == 0:
        return "both_bad"
    return "second" if second - first > CLOSE else "first"


def _compared(looks: Sequence[Look]) -> str:
    return f"EMULATED: {looks[0].merit:.2f} beside {looks[1].merit:.2f} of 1"
