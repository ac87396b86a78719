"""Judge from data alone whether a video can be made of a finished one: a remix, an edit or an extension."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .dialect import Dialect
from .problem import Problem
from .provider import dialect_of
from .request import VideoRequest
from .run import RunConfig
from .shipped import names, option

_NAMES = {"remix": "a remix", "edit": "an edit", "extend": "an extension"}


def check_source(request: VideoRequest, dialect: Dialect) -> Iterator[Problem]:
    """Yield what the operation has no place for, or lacks; it would be left out in silence."""
    if request.video is None:
        if request.operation is not None:
            yield Problem("request.operation", f"{_NAMES[request.operation]} starts from a finished video, and none is "
                          "named", "request.video=ID, or =DIR of the run that made it")  # fmt: skip
        return
    name = _NAMES[request.made_by]
    if request.image_list:
        yield Problem("request.image_list", f"has no place in {name}, which takes a video and a prompt",
                      "request.image_list=[]")  # fmt: skip
    if request.made_by == "extend" and request.duration_seconds is None and dialect.default_extension is None:
        yield Problem("request.duration_seconds", "an extension needs to know by how much",
                      f"one of {_seconds(dialect)}")  # fmt: skip


def check_added_seconds(request: VideoRequest, dialect: Dialect, provider: str) -> Iterator[Problem]:
    """Yield what speaks against extending a video by so much."""
    given = request.duration_seconds
    if request.made_by == "extend" and given is not None and given not in dialect.extension_seconds:
        yield Problem("request.duration_seconds", f"Invalid duration for an extension by {provider}: {given} seconds. "
                      f"Allowed values: {_seconds(dialect)}")  # fmt: skip


def check_kept(config: RunConfig, overrides: Iterable[str] | None = None) -> Iterator[Problem]:
    """Say what the new video takes over from its source, whatever the request says.

    With `overrides`, what was typed, nothing is said of values that only the shipped options gave.
    """
    request = config.request
    if not isinstance(request, VideoRequest) or request.video is None or config.model.validation == "off":
        return
    chosen = dialect_of(config.provider).source_by_address  # the model is sent, and nothing of the video's form
    fixed = [] if request.made_by == "extend" else ["duration_seconds"]
    fixed += ["size", "aspect_ratio", *(["resolution", "generate_audio"] if chosen else [])]
    idle = [key for key in fixed if getattr(request, key) is not None]
    if overrides is not None:
        typed = {line.partition("=")[0].lstrip("+") for line in overrides}
        idle = [key for key in idle if f"request.{key}" in typed or getattr(request, key) not in _shipped(key)]
    if idle:
        what = "size" if request.made_by == "extend" else "length and size"
        unsent = ", ".join(f"request.{key}" for key in idle)
        kept = what if chosen else f"{what} and model"
        yield Problem("request.video", f"{_NAMES[request.made_by]} keeps its source's {kept}; not sent: {unsent}",
                      severity="warning")  # fmt: skip


def _shipped(key: str) -> set[object]:
    """Return what the options of `conf/request` give a key."""
    return {(option("request", name) or {}).get(key) for name in names("request")}


def _seconds(dialect: Dialect) -> str:
    return ", ".join(map(str, dialect.extension_seconds))
