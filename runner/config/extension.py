"""Whether a server has a field for what a request asks beyond OpenAI's API."""

from __future__ import annotations

from collections.abc import Iterator

from .defaults import video_seconds
from .dialect import EXTENSIONS, Dialect
from .problem import Problem
from .provider import dialect_of
from .request import ImageRequest, VideoRequest
from .run import RunConfig
from .taker import providers, servers_taking

_IMAGE_KEYS = {
    "quality": "quality", "style": "style", "background": "background", "moderation": "moderation",
    "output_format": "output_format", "output_compression": "output_compression", "complexity": "complexity",
    "input_fidelity": "input_fidelity", "partial_images": "stream", "safety_identifier": "safety_identifier",
    "mask_image": "mask", "markup_image": "markup",
}  # fmt: skip
"""What an image request's keys are called on the wire."""


def check_extensions(config: RunConfig) -> Iterator[Problem]:
    """What the provider's server would leave unread, or read otherwise than it was meant."""
    dialect = dialect_of(config.provider)
    for key in sorted(given(config) & config.model.parameters - dialect.extensions):
        yield Problem(f"request.{key}", f"is not a field of this server's API ({spoken(config)})", servers_taking(key))
    request = config.request
    for key, most in dialect.limits.items():
        value = getattr(request, key, None)
        if value is not None and value > most:
            yield Problem(f"request.{key}", f"{value:g} is too much for this server ({spoken(config)})",
                          f"at most {most:g}")  # fmt: skip
    for key in sorted(given(config)):
        if dialect.name(key) != key and dialect.name(key) in request.extra_params:
            yield Problem(f"request.extra_params.{dialect.name(key)}", f"is given twice: request.{key} is set too")
    if isinstance(request, ImageRequest):
        yield from _image_fields(request, dialect, spoken(config))
    elif isinstance(request, VideoRequest):
        if request.num_frames is not None and request.duration_seconds is not None:
            yield Problem("request.num_frames", "and request.duration_seconds both say how long the video is",
                          "request.duration_seconds=null")  # fmt: skip
        yield from _unnamed_length(config, request, dialect)
        yield from _beyond_creating(request, dialect, spoken(config))
        yield from _afterwards(config, dialect)


def _afterwards(config: RunConfig, dialect: Dialect) -> Iterator[Problem]:
    """Say what cannot be done with a job once it is there."""
    if config.delete_remote and not dialect.deletes:
        yield Problem("delete_remote", f"this server has no way to delete a video ({spoken(config)})",
                      "delete_remote=false; delete it where the gateway's backend keeps its own")  # fmt: skip
    field = getattr(config.provider, "mark_field", None)
    if field is not None and not dialect.tells_mark:
        message = (
            f"this server's list tells no {field} ({spoken(config)}): none is sent, and lost jobs are sought without"
        )
        yield Problem("provider.mark_field", message, "provider.mark_field=null", severity="warning")


def given(config: RunConfig) -> frozenset[str]:
    """The keys beyond OpenAI's API that the request sets."""
    request = config.request
    return frozenset(key for key in EXTENSIONS & request.model_fields_set if getattr(request, key) is not None)


def spoken(config: RunConfig) -> str:
    """The name of the dialect that the provider's server speaks."""
    return getattr(config.provider, "dialect", config.provider.kind)


def _unnamed_length(config: RunConfig, request: VideoRequest, dialect: Dialect) -> Iterator[Problem]:
    """Say which length stands in for the server's own, which nobody would expect."""
    seconds = video_seconds(config)
    if request.video is None and request.duration_seconds is None and seconds is not None:
        yield Problem("request.duration_seconds", f"null makes {dialect.unnamed_length} "
                      f"({spoken(config)}); {seconds} seconds are sent, as model.default_duration says",
                      "request.duration_seconds=N, or request.num_frames=N", severity="warning")  # fmt: skip


def _image_fields(request: ImageRequest, dialect: Dialect, spoken: str) -> Iterator[Problem]:
    """Name what the server would leave unread; what new images' own `extra_params` carry is read."""
    editing = bool(request.image_list)
    fields = dialect.edit_fields if editing else dialect.image_fields
    if fields is None:
        return
    making = "edits images" if editing else "makes images"
    for key, name in _IMAGE_KEYS.items():
        if getattr(request, key) is not None and name not in fields:
            yield Problem(f"request.{key}", f"is no field that this server reads where it {making} ({spoken})",
                          f"request.{key}=null")  # fmt: skip
    for key in sorted(request.extra_params.keys() - fields) if editing else ():
        yield Problem(f"request.extra_params.{key}", f"is no field that this server reads where it {making}, and there "
                      f"is none for others ({spoken})", "remove it")  # fmt: skip


def _beyond_creating(request: VideoRequest, dialect: Dialect, spoken: str) -> Iterator[Problem]:
    made_by = request.made_by
    if made_by not in dialect.video_operations:
        only = "makes new videos only" if dialect.video_operations == {"create"} else f"cannot {made_by} videos"
        able = providers(lambda other: made_by in other.video_operations)
        yield Problem("request.video", f"this server {only} ({spoken})", f"{able} can {made_by}, as can openai")
    for variant in request.variants:
        if variant not in dialect.variants:
            yield Problem("request.variants", f"this server gives no {variant} of a video ({spoken})",
                          "request.variants=[]; request.thumbnail=true makes a thumbnail here")  # fmt: skip
