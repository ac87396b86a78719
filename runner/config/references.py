"""Check what a model makes of references: some make shorter or smaller videos of them."""

from __future__ import annotations

from collections.abc import Iterator

from .model import VideoModel
from .problem import Problem
from .run import RunConfig, sent_resolution, video_seconds


def check_references(config: RunConfig, model: VideoModel) -> Iterator[Problem]:
    """Yield what the model does not make of references, the only images of a request or some of them."""
    resolution, offered = sent_resolution(config), model.reference_resolutions
    if resolution is not None and offered is not None and resolution not in offered:
        yield Problem("request.resolution", f"{model.name} makes videos of references in {' or '.join(offered)} only, "
                      f"and is asked for {resolution}", f"request.resolution={offered[-1]}")  # fmt: skip
    seconds, most = video_seconds(config), model.max_reference_seconds
    if seconds is not None and most is not None and seconds > most:
        yield Problem("request.duration_seconds", f"{model.name} makes videos of references of up to {most} seconds, "
                      f"and is asked for {seconds}", f"request.duration_seconds={most}")  # fmt: skip
