"""Describe what determines a rendered clip, and the name that its files are cached under; needs no codec."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Literal

Variant = Literal["video", "thumbnail", "spritesheet"]
SUFFIXES: dict[Variant, str] = {"video": ".mp4", "thumbnail": ".webp", "spritesheet": ".jpg"}
MEDIA_TYPES: dict[Variant, str] = {"video": "video/mp4", "thumbnail": "image/webp", "spritesheet": "image/jpeg"}
RENDERING = 5
"""Raise it when the drawing changes, so that no stale file is served."""


FRAME_RATE = 24
"""Frames per second, unless a request says otherwise."""


BEST_GUIDANCE = 6.5
"""Where a clip is sharpest: as of real models, the picture softens with less guidance, and with more."""


@dataclass(frozen=True)
class Clip:
    """Describe a clip to render: `width` and `height` in pixels, `reference` the name of a file in the media folder."""

    prompt: str
    model: str
    width: int
    height: int
    seconds: int
    reference: str | None = None
    min_bytes: int = 0
    fps: int = FRAME_RATE
    frames: int = 0
    """How many; 0: as many as its seconds take."""
    guidance: float | None = None
    """How closely the prompt is to be followed; None: as the model is used to, which is neither too little nor much."""
    silent: bool = False

    @property
    def length(self) -> int:
        """Return its number of frames."""
        return self.frames or self.seconds * self.fps

    @property
    def softness(self) -> float:
        """Return the radius in pixels by which its pictures are blurred."""
        return 0.0 if self.guidance is None else min(8.0, abs(self.guidance - BEST_GUIDANCE) / 2)

    def name(self) -> str:
        """Return the cached files' common stem."""
        key = json.dumps([RENDERING, *vars(self).values()])
        return hashlib.sha256(key.encode()).hexdigest()[:32]
