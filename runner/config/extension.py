"""Whether a server has a field for what a request asks beyond OpenAI's API."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from .dialect import EXTENSIONS, Dialect
from .problem import Problem
from .provider import dialect_of
from .request import VideoRequest
from .run import RunConfig
from .taker import providers, servers_taking


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
    if isinstance(request, VideoRequest):
        if request.num_frames is not None and request.duration_seconds is not None:
            yield Problem("request.num_frames", "and request.duration_seconds both say how long the video is",
                          "request.duration_seconds=null")  # fmt: skip
        yield from _beyond_creating(request, dialect, spoken(config))


def given(config: RunConfig) -> frozenset[str]:
    """The keys beyond OpenAI's API that the request sets."""
    request = config.request
    return frozenset(key for key in EXTENSIONS & request.model_fields_set if getattr(request, key) is not None)


def spoken(config: RunConfig) -> str:
    """The name of the dialect that the provider's server speaks."""
    return getattr(config.provider, "dialect", config.provider.kind)


def _beyond_creating(request: VideoRequest, dialect: Dialect, spoken: str) -> Iterator[Problem]:
    made_by = request.made_by
    if made_by not in dialect.video_operations:
        only = "makes new videos only" if dialect.video_operations == {"create"} else f"cannot {made_by} videos"
        able = providers(lambda other: made_by in other.video_operations)
        yield Problem("request.video", f"this server {only} ({spoken})", f"{able} can {made_by}, as can openai")
    for variant in request.variants:
        if variant not in dialect.variants:
            able = providers(partial(_keeps, variant))
            yield Problem("request.variants", f"this server keeps no {variant} of a video ({spoken})",
                          f"{able} does, as does openai")  # fmt: skip


def _keeps(variant: str, dialect: Dialect) -> bool:
    return variant in dialect.variants
