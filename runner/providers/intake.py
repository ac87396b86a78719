"""What every answer passes on its way in: its headers lose our secrets, its body has limits where memory holds it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import httpx2

MAX_BYTES = 32 * 1024**2
"""A page of a hundred jobs with the longest prompts has a tenth of it."""

MAX_IMAGE_BYTES = 512 * 1024**2
"""Ten images of the largest size, as base64."""

MAX_PAID_BYTES = 128 * 1024**2
"""What a paid request for a video may be answered with: some servers send the video itself."""

MAX_STREAM_BYTES = 4 * 1024**3
"""An image stream, which is never in memory as a whole: its partial images come and go."""

# Without compression, Content-Length counts the file's bytes; videos and images do not compress anyway.
PLAIN = {"Accept-Encoding": "identity"}
"""The headers by which a download asks for its body as it is; everything else is read into memory."""


class Intake:
    """An HTTP client's hook for responses, before their bodies are read; `answered` says whether there was one."""

    def __init__(self, redact: Callable[[str], str]) -> None:
        self._redact = redact
        self.answered = False

    async def __call__(self, response: httpx2.Response) -> None:
        """Take the response in."""
        self.answered = True
        items = response.headers.multi_items()
        clean = [(name, self._redact(value)) for name, value in items]
        if clean != items:
            response.headers = httpx2.Headers(clean)
        limit = _limit(response)
        if limit is not None:
            deadline = response.extensions.get(_DEADLINE)
            response.stream = _Bounded(_decoded(response), limit, deadline if isinstance(deadline, float) else None)


class TimedTransport(httpx2.AsyncBaseTransport):
    """Another transport, whose requests have their read timeout for all: connecting, sending, and the whole answer.

    The timeouts of HTTP clients are for each piece. `Intake` bounds the body, except of files, which may take long
    while they make progress.
    """

    def __init__(self, transport: httpx2.AsyncBaseTransport) -> None:
        self._transport = transport

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request; raises `httpx2.ReadTimeout` where the answer's head is not there in time."""
        seconds = request.extensions.get("timeout", {}).get("read")
        deadline = None if seconds is None else asyncio.get_running_loop().time() + seconds
        try:
            async with asyncio.timeout_at(deadline):
                response = await self._transport.handle_async_request(request)
        except TimeoutError as error:
            raise httpx2.ReadTimeout("the request took too long", request=request) from error
        response.extensions = {**response.extensions, _DEADLINE: deadline}
        return response

    async def aclose(self) -> None:
        """Close the other transport."""
        await self._transport.aclose()


_DEADLINE = "runner_deadline"


async def received(
    response: httpx2.Response, limit: int = MAX_IMAGE_BYTES
) -> tuple[httpx2.Response, httpx2.HTTPError | httpx2.StreamError | None]:
    """Return an open response with what came of its body, and why that may not be all; closes the connection."""
    pieces: list[bytes] = []
    broken: httpx2.HTTPError | httpx2.StreamError | None = None
    stream = _Bounded(_Unpacked(response), limit, None)
    try:
        async for piece in stream:
            pieces.append(piece)  # noqa: PERF401 - what came before the break counts
    except (httpx2.HTTPError, httpx2.StreamError) as error:
        broken = error
    finally:
        await response.aclose()
    headers = [(name, value) for name, value in response.headers.multi_items() if name not in _OF_THE_PACKED]
    whole = httpx2.Response(response.status_code, headers=headers, content=b"".join(pieces), request=response.request)
    return whole, broken


def _kind(response: httpx2.Response) -> str:
    return response.headers.get("content-type", "").partition(";")[0].strip().lower()


def _limit(response: httpx2.Response) -> int | None:
    """Return how many bytes the body may have; None where whoever writes it to disk counts them."""
    request = response.request
    if not response.is_success:
        return MAX_BYTES
    if request.headers.get("accept-encoding") == PLAIN["Accept-Encoding"]:
        return None
    if request.method != "POST":
        return MAX_BYTES
    if "/images/" not in request.url.path:
        return MAX_PAID_BYTES
    return MAX_STREAM_BYTES if _kind(response) == "text/event-stream" else MAX_IMAGE_BYTES


def _decoded(response: httpx2.Response) -> httpx2.AsyncByteStream:
    """Return the body without its compression, so that what is counted is what memory would hold."""
    if response.headers.get("content-encoding", "identity") == "identity" and isinstance(
        response.stream, httpx2.AsyncByteStream
    ):
        return response.stream
    packed = httpx2.Response(response.status_code, headers=response.headers, stream=response.stream)
    headers = [(name, value) for name, value in response.headers.multi_items() if name not in _OF_THE_PACKED]
    response.headers = httpx2.Headers(headers)
    return _Unpacked(packed)


_OF_THE_PACKED = frozenset({"content-encoding", "content-length"})


class _Unpacked(httpx2.AsyncByteStream):
    def __init__(self, packed: httpx2.Response) -> None:
        self._packed = packed

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._packed.aiter_bytes():
            yield chunk

    async def aclose(self) -> None:
        await self._packed.aclose()


class _Bounded(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream, limit: int, deadline: float | None) -> None:
        """`deadline` in the event loop's time."""
        self._stream = stream
        self._limit = limit
        self._deadline = deadline

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        chunks = aiter(self._stream)
        while (chunk := await self._next(chunks)) is not None:
            size += len(chunk)
            if size > self._limit:
                raise httpx2.ReadError(f"it was larger than {self._limit:,} bytes and was broken off")
            yield chunk

    async def _next(self, chunks: AsyncIterator[bytes]) -> bytes | None:
        try:
            async with asyncio.timeout_at(self._deadline):
                return await anext(chunks, None)
        except TimeoutError as error:
            raise httpx2.ReadTimeout("the answer took too long") from error

    async def aclose(self) -> None:
        await self._stream.aclose()
