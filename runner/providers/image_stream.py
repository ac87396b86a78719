"""Read the answer to an image request that comes as a stream: partial images, then the finished one."""

from __future__ import annotations

from collections.abc import AsyncIterable, Mapping
from typing import Any, TypeGuard

import httpx2
import openai

from .answer import Redact
from .base import ImageBatch, OnPartial, PartialImage
from .client import MAX_IMAGE_BYTES, media_type_of
from .images import is_partial, read_images
from .json_answer import stream_documents

_BROKEN = (openai.OpenAIError, httpx2.HTTPError, httpx2.StreamError, ValueError)
"""How a stream ends before its time."""

_MOST_PARTIALS = 100
"""No API makes so many of one image; each becomes a file."""

_MOST_OTHERS = 1000
"""Events that are kept of a stream that nobody understands."""


def is_stream(response: httpx2.Response) -> bool:
    """Return whether the server streams, as it was asked to; some answer in one piece all the same."""
    return media_type_of(response) == "text/event-stream"


async def read_stream(
    chunks: AsyncIterable[bytes],
    headers: Mapping[str, str],
    wanted: int,
    on_partial: OnPartial | None,
    redact: Redact,
    others: list[Any],  # Any: JSON
) -> ImageBatch | None:
    """Return the `wanted` images, redacted; None if the stream ended without one.

    Raises as the SDK does where it breaks off. What came whole before the break counts: it is paid. `others` takes what
    held no image.
    """
    finished: list[Any] = []  # Any: JSON
    count = 0
    try:
        async for raw in stream_documents(chunks, redact, MAX_IMAGE_BYTES):
            if is_partial(raw):
                await _tell(raw, on_partial)
            elif (batch := read_images([raw], headers)) is not None:
                finished.append(raw)
                count += len(batch.images)
            else:
                others += [raw] * (len(others) < _MOST_OTHERS)
                _raise_error(raw)
            if count >= wanted:
                break
    except _BROKEN as error:
        if not finished and not isinstance(error, ValueError):
            raise
    return read_images(finished, headers)


async def _tell(raw: Mapping[str, Any], on_partial: OnPartial | None) -> None:  # Any: JSON
    b64, index = raw.get("b64_json"), raw.get("partial_image_index")
    if on_partial is not None and isinstance(b64, str) and b64 and _counts(index):
        await on_partial(PartialImage(index, b64))


def _counts(index: object) -> TypeGuard[int]:
    """Return whether this is a number that a file can be named by."""
    return isinstance(index, int) and not isinstance(index, bool) and 0 <= index < _MOST_PARTIALS


def _raise_error(raw: object) -> None:
    """Raise what an error event tells, as the SDK does: it may be an object of its own, or flat."""
    if not isinstance(raw, dict):
        return
    told = raw.get("error") or (raw if raw.get("type") == "error" else None)
    if told:
        body = told if isinstance(told, dict) else {"message": str(told)}
        raise openai.APIError(str(body.get("message") or "no reason is given"), httpx2.Request("POST", "/"), body=body)
