"""The answer to an image request that comes as a stream: partial images, then the finished one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Any, TypeGuard

import httpx2
import openai

from .answer import Redact
from .base import ImageBatch, OnPartial, PartialImage
from .images import read_images
from .json_answer import kept

_PARTIAL, _COMPLETED = ".partial_image", ".completed"
_BROKEN = (openai.APIConnectionError, httpx2.HTTPError, httpx2.StreamError, ValueError, RecursionError)
"""ValueError: an event that was cut in the middle of its JSON; RecursionError: one that is nothing but brackets."""

_MOST_PARTIALS = 100
"""No API makes so many of one image; each becomes a file."""


def is_stream(response: httpx2.Response) -> bool:
    """Whether the server streams, as it was asked to; some answer in one piece all the same."""
    return response.headers.get("content-type", "").partition(";")[0].strip().lower() == "text/event-stream"


async def read_stream(
    events: AsyncIterator[Any],
    headers: Mapping[str, str],
    wanted: int,
    on_partial: OnPartial | None,
    redact: Redact,
) -> ImageBatch | None:
    """The `wanted` images, redacted; None if the stream ended without one. Raises as the SDK does where it breaks off.

    What came whole before the break counts: it is paid.
    """
    # Any: the SDK's events, lenient about what they hold
    finished: list[Mapping[str, Any]] = []  # Any: JSON
    try:
        async for event in events:
            raw = kept(_json(event), redact)
            await _tell(raw, on_partial)
            if _is(raw, _COMPLETED):
                finished.append(raw)
            if len(finished) == wanted:
                break
    except _BROKEN as error:
        if not finished and not isinstance(error, ValueError | RecursionError):
            raise
    if not finished:
        return None
    facts = {name: value for name, value in finished[-1].items() if name not in ("b64_json", "url", "revised_prompt")}
    return read_images({**facts, "data": list(map(_image, finished))}, headers)


async def _tell(raw: Mapping[str, Any], on_partial: OnPartial | None) -> None:  # Any: JSON
    b64, index = raw.get("b64_json"), raw.get("partial_image_index")
    if on_partial is not None and _is(raw, _PARTIAL) and isinstance(b64, str) and _counts(index):
        await on_partial(PartialImage(index, b64))


def _counts(index: object) -> TypeGuard[int]:
    """Whether this is a number that a file can be named by."""
    return isinstance(index, int) and not isinstance(index, bool) and 0 <= index < _MOST_PARTIALS


def _json(event: object) -> Mapping[str, Any]:  # Any: JSON
    raw: object = event
    with suppress(AttributeError):
        raw = event.to_dict(warnings=False)  # type: ignore[attr-defined]  # only the SDK's models have it
    raw = raw if isinstance(raw, dict) else {}
    if raw.get("type") == "error":
        # The SDK raises for {"error": …}; this is the flat form of other streams.
        raise openai.APIError(str(raw.get("message")), httpx2.Request("POST", "/"), body=raw)
    return raw


def _is(raw: Mapping[str, Any], kind: str) -> bool:  # Any: JSON
    return str(raw.get("type")).endswith(kind)


def _image(raw: Mapping[str, Any]) -> dict[str, Any]:  # Any: JSON
    return {name: raw[name] for name in ("b64_json", "url", "revised_prompt") if name in raw}
