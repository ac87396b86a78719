"""What a progress callback is told."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from runner.config.frozen import Frozen

from .response import ImageGenerationResponse, VideoGenerationResponse

Status = Literal["queued", "processing", "completed", "failed"]


class GenerationUpdate(Frozen):
    """One answer about the work.

    Attributes:
        request_id: the job's id; images have no job, so that theirs is the request's.
        status: queued, processing, completed or failed.
        progress_percent: 0 to 100; None only from a provider of your own.
        update: the server's own status word, and the provider and model at work.
        error: what was said when it failed.
    """

    request_id: str
    status: Status
    progress_percent: int | None = Field(None, ge=0, le=100)
    update: Mapping[str, Any] = Field(default_factory=dict)  # Any: what a provider of your own puts there
    error: str | None = None


class VideoGenerationUpdate(GenerationUpdate):
    """One answer about a video's job.

    Attributes:
        result: None, as the file is not there yet when the job is completed; for updates that are built by hand.
    """

    result: VideoGenerationResponse | None = None


class ImageGenerationUpdate(GenerationUpdate):
    """How far an image request is.

    Attributes:
        partial_image: a sketch of the image, where `partial_images` asked for some and this one has just come.
        result: None; for updates that are built by hand.
    """

    result: ImageGenerationResponse | None = None
    partial_image: Path | None = None


ProgressCallback = Callable[[VideoGenerationUpdate], Awaitable[None] | None]
ImageProgressCallback = Callable[[ImageGenerationUpdate], Awaitable[None] | None]
