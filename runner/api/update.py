"""What a progress callback is told."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field

from runner.config.frozen import Frozen

Status = Literal["queued", "processing", "completed", "failed"]


class GenerationUpdate(Frozen):
    """One answer about the work.

    Attributes:
        request_id: the job's id; images have no job, so that theirs is the request's.
        status: queued, processing, completed or failed.
        progress_percent: 0 to 100.
        update: the server's own status word, and the provider and model at work.
        error: what was said when it failed.
    """

    request_id: str
    status: Status
    progress_percent: int
    update: Mapping[str, str] = Field(default_factory=dict)
    error: str | None = None


class VideoGenerationUpdate(GenerationUpdate):
    """One answer about a video's job."""


class ImageGenerationUpdate(GenerationUpdate):
    """How far an image request is.

    Attributes:
        partial_image: a sketch of the image, where `partial_images` asked for some and this one has just come.
    """

    partial_image: Path | None = None
