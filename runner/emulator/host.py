"""Hold what requests to hosts come to: shapes by resolution and aspect ratio, and pictures inside the JSON."""

from __future__ import annotations

import re
from dataclasses import dataclass

from . import reference
from .images import Format
from .surface import Refusal

_SHORT_SIDES = {
    "360p": 360, "480p": 480, "720p": 720, "768p": 768, "1080p": 1080, "512": 512, "768": 768, "1K": 1024, "1k": 1024,
    "1.5K": 1536, "2K": 1440, "2k": 1440, "4K": 2160,
}  # fmt: skip
_RATIO = re.compile(r"([1-9]\d?(?:\.\d+)?):([1-9]\d?(?:\.\d+)?)")


@dataclass(frozen=True)
class HostOrder:
    """Describe what is asked for, and its price: one video of so many seconds, or `count` images."""

    model: str
    prompt: str
    size: tuple[int, int]
    pictures: tuple[bytes, ...]
    parameters: dict[str, object]
    usd: float
    seconds: int = 0
    count: int = 1
    format: Format = "png"


def shape(resolution: str, ratio: str) -> tuple[int, int]:
    """Return width and height in pixels; raises Refusal(400) for a name or a ratio that is none."""
    sides = _RATIO.fullmatch(ratio)
    if resolution not in _SHORT_SIDES or sides is None:
        raise Refusal(400, f"resolution {resolution} or its aspect_ratio is not supported")
    wide, high, short = float(sides[1]), float(sides[2]), _SHORT_SIDES[resolution]
    return (_even(short * wide / high), short) if wide >= high else (short, _even(short * high / wide))


def _even(side: float) -> int:
    return 2 * round(side / 2)


def linked_picture(address: object, name: str) -> bytes:
    """Return the picture that a data URL is; raises Refusal(400) for anything else."""
    content = reference.linked_image({"image_url": str(address)}, name)
    reference.image_size(content, name)
    return content
