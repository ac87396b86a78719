"""What a remix, an edit or an extension hears of a request, by the API's own description."""

from __future__ import annotations

from collections.abc import Iterator

from .problem import Problem
from .request import VideoRequest

EXTENSION_SECONDS = (4, 8, 12, 16, 20)
"""By how much a video can be extended."""

_NAMES = {"remix": "a remix", "edit": "an edit", "extend": "an extension"}


def check_source(request: VideoRequest) -> Iterator[Problem]:
    """What the operation has no place for, or lacks; it would be left out in silence."""
    if request.video is None:
        if request.operation is not None:
            yield Problem("request.operation", f"{_NAMES[request.operation]} starts from a finished video, and none is "
                          "named", "request.video=ID, or =DIR of the run that made it")  # fmt: skip
        return
    name = _NAMES[request.made_by]
    if request.image_list:
        yield Problem("request.image_list", f"has no place in {name}, which takes a video and a prompt",
                      "request.image_list=[]")  # fmt: skip
    if request.made_by == "extend" and request.duration_seconds is None:
        yield Problem("request.duration_seconds", "an extension needs to know by how much",
                      f"one of {_seconds()}")  # fmt: skip


def check_extension(request: VideoRequest, provider: str) -> Iterator[Problem]:
    """Whether a video can be extended by so much."""
    given = request.duration_seconds
    if request.made_by == "extend" and given is not None and given not in EXTENSION_SECONDS:
        yield Problem("request.duration_seconds", f"Invalid duration for an extension by {provider}: {given} seconds. "
                      f"Allowed values: {_seconds()}")  # fmt: skip


def check_kept(request: VideoRequest) -> Iterator[Problem]:
    """Say what the new video takes over from its source, whatever the request says."""
    if request.video is None:
        return
    fixed = ["size", "aspect_ratio"] if request.made_by == "extend" else ["duration_seconds", "size", "aspect_ratio"]
    idle = [f"request.{key}" for key in fixed if getattr(request, key) is not None]
    if idle:
        what = "size" if request.made_by == "extend" else "length and size"
        yield Problem("request.video", f"{_NAMES[request.made_by]} keeps its source's {what} and model; not sent: "
                      f"{', '.join(idle)}", severity="warning")  # fmt: skip


def _seconds() -> str:
    return ", ".join(map(str, EXTENSION_SECONDS))
