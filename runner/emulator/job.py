"""Describe a video job, what determines its clip, and what it looks like at a moment of the clock."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Status = Literal["queued", "in_progress", "completed", "failed"]
QUEUED_SHARE = 0.1


@dataclass(frozen=True)
class JobOutcome:
    """Describe how a job departs from a good end: never ends, fails with a code, or reports a strange status word."""

    stuck: bool = False
    code: str | None = None
    message: str | None = None
    word: str | None = None
    when: Literal["running", "done"] = "running"


@dataclass(frozen=True)
class EmulatedJob:
    """Describe one row of the state; `created` is Unix time, `latency` and `retention` are real seconds."""

    id: str
    created: float
    latency: float
    retention: float
    operation: str
    model: str
    prompt: str
    seconds: int
    size: str
    usd: float
    source: str | None = None
    reference: str | None = None
    outcome: JobOutcome = JobOutcome()
    parameters: Mapping[str, object] = field(default_factory=dict)
    """What the request asked beyond OpenAI's API, as it was understood."""

    def status(self, now: float) -> Status:
        """Return the job's status at Unix time `now`; a clock that runs backwards makes it younger, never odd."""
        elapsed = now - self.created
        if self.outcome.stuck or elapsed < self.latency:
            return "queued" if elapsed < self.latency * QUEUED_SHARE else "in_progress"
        return "failed" if self.outcome.code else "completed"

    def progress(self, now: float) -> int:
        """Return percent done, 0 while queued and 100 only when completed."""
        status = self.status(now)
        if status == "queued":
            return 0
        if status == "completed":
            return 100
        share = (now - self.created) / self.latency if self.latency else 1.0
        return min(99, max(0, int(100 * (share - QUEUED_SHARE) / (1 - QUEUED_SHARE))))

    def expired(self, now: float) -> bool:
        """Say whether the job's files are gone."""
        return now >= self.created + self.retention

    def resource(self, now: float) -> dict[str, object]:
        """Return the job as the API's `VideoResource`."""
        status = self.status(now)
        ended = status in ("completed", "failed")
        return {
            "id": self.id,
            "object": "video",
            "model": self.model,
            "status": self.word(status) or status,
            "progress": self.progress(now),
            "created_at": int(self.created),
            "completed_at": int(self.created + self.latency) if ended else None,
            "expires_at": int(self.created + self.retention) if status == "completed" else None,
            "prompt": self.prompt,
            "size": self.size,
            "seconds": str(self.seconds),
            "remixed_from_video_id": self.source,
            "error": self.error() if status == "failed" else None,
        }

    def word(self, status: Status) -> str | None:
        """Return the foreign word that stands in for `status`, if this job has one."""
        moment = "done" if status == "completed" else "running"
        return self.outcome.word if self.outcome.when == moment and status != "queued" else None

    def error(self) -> dict[str, object]:
        """Return the payload that explains why the job failed."""
        return {"code": self.outcome.code, "message": self.outcome.message or "The video could not be generated."}


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
