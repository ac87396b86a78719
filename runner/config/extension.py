"""Whether a server has a field for what a request asks beyond OpenAI's API."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from .dialect import DIALECTS, EXTENSIONS, Dialect
from .problem import Problem
from .provider import dialect_of
from .request import VideoRequest
from .run import RunConfig

_LENIENT = "model.validation=warn to run without it"


def check_extensions(config: RunConfig) -> Iterator[Problem]:
    """What the provider's server would leave unread, or read otherwise than it was meant."""
    dialect = dialect_of(config.provider)
    for key in sorted(given(config) & config.model.parameters - dialect.extensions):
        yield Problem(f"request.{key}", f"is not a field of this server's API ({spoken(config)})", takers(key))
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
        if request.video is not None and dialect.video_operations == {"create"}:
            yield Problem("request.video", f"this server makes new videos only ({spoken(config)})",
                          f"{_providers(lambda other: len(other.video_operations) > 1)} can remix")  # fmt: skip


def given(config: RunConfig) -> frozenset[str]:
    """The keys beyond OpenAI's API that the request sets."""
    request = config.request
    return frozenset(key for key in EXTENSIONS & request.model_fields_set if getattr(request, key) is not None)


def takers(key: str) -> str:
    """Where a key beyond OpenAI's API can be sent, and what else can be done."""
    if all(key in dialect.extensions for dialect in DIALECTS.values()):
        return f"open models on servers of your own take it; remove it, or {_LENIENT}"
    return f"{_providers(lambda dialect: key in dialect.extensions)} can take it; remove it, or {_LENIENT}"


def spoken(config: RunConfig) -> str:
    """The name of the dialect that the provider's server speaks."""
    return getattr(config.provider, "dialect", config.provider.kind)


def _providers(able: Callable[[Dialect], bool]) -> str:
    names = [name for name, dialect in DIALECTS.items() if name != "plain" and able(dialect)]
    return "provider=" + " or ".join(names)
