"""What determines a rendered clip, and the name that its files are cached under."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Literal

Variant = Literal["video", "thumbnail", "spritesheet"]
SUFFIXES: dict[Variant, str] = {"video": ".mp4", "thumbnail": ".webp", "spritesheet": ".jpg"}
MEDIA_TYPES: dict[Variant, str] = {"video": "video/mp4", "thumbnail": "image/webp", "spritesheet": "image/jpeg"}
RENDERING = 1
"""Raise it when the drawing changes, so that no stale file is served."""


@dataclass(frozen=True)
class Clip:
    """A clip to render: `width` and `height` in pixels, `reference` the name of a file in the media folder."""

    prompt: str
    label: str
    width: int
    height: int
    seconds: int
    reference: str | None = None
    min_bytes: int = 0

    def name(self) -> str:
        """The cached files' common stem."""
        key = json.dumps([RENDERING, *vars(self).values()])
        return hashlib.sha256(key.encode()).hexdigest()[:32]
