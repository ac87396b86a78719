"""Open downloads: a body piece by piece, whose breaking off is an error of ours."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx2

from runner.errors import (
    ExpiredError,
    JobNotFoundError,
    ProviderError,
    RunnerError,
    ServerError,
    UnexpectedAnswerError,
)

from .allowance import date_of, finite, moment, server_time
from .base import Job
from .client import ADDRESSES, PLAIN, media_type_of, unpacked
from .endpoint import Proxy, origin, proxy_of
from .file_address import Reach, joined, look_up

Translate = Callable[[Exception], RunnerError]
MakeClient = Callable[[Proxy | None], httpx2.AsyncClient]

MAX_MESSAGE_BYTES = 256 * 1024**2
"""JSON that stands in place of a file is in memory as a whole; it may hold the file as base64."""

_MAX_REDIRECTS = 5
_HEAD = 64
_MOST_BLANKS = 64 * 1024
_PIECE = 1024**2
_MESSAGES = (b"{", b"[", b'"', b"http://", b"https://", b"<!doctype html", b"<html", b"<head", b"<body")
"""How JSON, an address alone, and pages begin; no picture and no video does."""
_TIMES = ("X-Amz-Expires", "X-Goog-Expires", "Expires", "se")
"""Where the common kinds of storage write how long an address holds."""
_CLOCKS = 300.0
"""Seconds by which clocks may differ."""


class Download:
    """Read the body of an HTTP response that was not read yet."""

    def __init__(self, response: httpx2.Response, translate: Translate) -> None:
        self._response = response
        self._translate = translate
        self._pieces = unpacked(response)
        self._head = bytearray()

    @property
    def length(self) -> int | None:
        """Return the Content-Length in bytes, if it counts what `chunks` gives."""
        text = self._response.headers.get("content-length", "")
        encoded = self._response.headers.get("content-encoding", "identity") != "identity"
        return int(text) if text.isdecimal() and not encoded else None

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body, piece by piece; raises a retryable error where it breaks off."""
        if self._head:
            yield bytes(self._head)
        async for chunk in self._rest():
            yield chunk

    async def message(self) -> httpx2.Response | None:
        """Return the whole answer where it is empty, or JSON or a page about a file, by its first bytes; else None.

        What its headers say is only asked where the bytes say nothing. Raises `ServerError` beyond `MAX_MESSAGE_BYTES`.
        """
        async for chunk in self._rest():
            self._head += chunk
            if len(self._head.lstrip()) >= _HEAD or len(self._head) > _MOST_BLANKS:
                break
        if self._head and not _is_message(self._head, media_type_of(self._response)):
            return None
        async for chunk in self._rest():
            self._head += chunk
            if len(self._head) > MAX_MESSAGE_BYTES:
                raise ServerError(f"the answer in place of a file was larger than {MAX_MESSAGE_BYTES:,} bytes")
        headers = {"content-type": self._response.headers.get("content-type", "")}
        return httpx2.Response(
            self._response.status_code, headers=headers, content=bytes(self._head), request=self._response.request
        )

    async def aclose(self) -> None:
        """Close the response."""
        await self._response.aclose()

    async def _rest(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._pieces:
                yield chunk
        except (httpx2.HTTPError, httpx2.StreamError) as error:
            raise self._translate(error) from None


class TextFile:
    """Hold a file that stood in an answer as base64, or a data URL; whoever checks it decodes it."""

    length = None

    def __init__(self, text: str) -> None:
        self._text = text

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the text, piece by piece."""
        for start in range(0, len(self._text), _PIECE):
            yield self._text[start : start + _PIECE].encode(errors="replace")

    async def aclose(self) -> None:
        """Do nothing."""


def _is_message(head: bytearray, media_type: str) -> bool:
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:_HEAD].lower()
    if not start:
        return media_type in ("application/json", "text/html")
    return start.startswith(_MESSAGES)


def redirected(response: httpx2.Response) -> str | None:
    """Return where a redirect leads; None if the response is none."""
    if response.has_redirect_location:
        return joined(str(response.url), response.headers["location"])
    return None


def late(error: RunnerError, job: Job) -> RunnerError:
    """Return what a completed job's missing file means: gone for good where the server says so, else not there yet.

    When the server answered goes along: whether the job's time is over is for who has tried often enough to judge.
    """
    status = error.status_code if isinstance(error, ProviderError) else None
    if not isinstance(error, ExpiredError | JobNotFoundError) and status not in (404, 409, 410):
        return error
    if isinstance(error, ExpiredError):
        return ExpiredError(f"the file of {job.id} is no longer kept: {error.message}", **_details(error, job))
    message = f"the file of {job.id} is not there yet: {error.message}"
    hint = "the download is tried again; nothing is paid twice"
    if isinstance(error, JobNotFoundError):
        return JobNotFoundError(message, hint=hint, server_time=error.server_time, **_details(error, job))
    return ServerError(message, hint=hint, **_details(error, job))


def gone(error: RunnerError, response: httpx2.Response) -> RunnerError:
    """Return what a refusal by an address that a server had named means: no longer there, or not there yet.

    Storage replicates, clocks differ, gateways are restarted: gone for good is only an address whose own time is over
    by the clock of the server that refuses it, unless there is a job that can be asked for another.
    """
    status = response.status_code
    if status not in (401, 403, 404, 409, 410):
        return error
    details: dict[str, Any] = {"provider": error.provider, "job_id": error.job_id, "code": error.code}  # Any: as below
    if error.job_id is None and _is_over(response):
        return ExpiredError(f"the address that the server gave no longer leads to the file ({status})", **details)
    return ServerError(f"the address that the server gave does not lead to the file at present ({status})",
                       hint="the download is tried again; nothing is paid twice", **details)  # fmt: skip


def _is_over(response: httpx2.Response) -> bool:
    """Return whether the time that an address carries in its signature has passed where it leads to."""
    asked, now = dict(response.url.params), server_time(response.headers)
    ends = [end for name in _TIMES if name in asked and (end := _end(asked, name)) is not None]
    return now is not None and any(now > end + _CLOCKS for end in ends)


def _end(asked: Mapping[str, str], name: str) -> float | None:
    """Return when the signature's time ends, in Unix seconds; S3 counts from its beginning, Azure writes a date."""
    if name not in ("X-Amz-Expires", "X-Goog-Expires"):
        return moment(asked[name])
    begun, seconds = date_of(asked.get(name.replace("Expires", "Date"), "")), finite(asked[name])
    return None if begun is None or seconds is None else begun + seconds


class FileClient:
    """Open files at addresses that a server or a user names.

    On the endpoint itself they are asked for with its key and headers; elsewhere by clients of their own, which have
    neither, keep no cookies, and connect only to what `Reach` has found to be allowed.
    """

    def __init__(self, own: httpx2.AsyncClient, make: MakeClient, home: str, *, resolve: bool) -> None:
        self._own = own
        self._make = make
        self._home = home
        self._resolve = look_up if resolve else None
        self._reach: dict[str, Reach] = {}
        self._others: dict[str | None, httpx2.AsyncClient] = {}

    async def open(self, address: str, *, by_user: bool = False) -> httpx2.Response:
        """Return the response to a GET of `address` and its redirects, unread.

        An address may be relative to the endpoint. What a user names (`by_user`) may be anywhere; where it redirects
        to is judged as if its host were the endpoint. Raises `UnexpectedAnswerError` for an address that must not be
        asked.
        """
        url = joined(f"{self._home}/", address)
        base = url if by_user else self._home
        for _ in range(_MAX_REDIRECTS):
            response = await self._get(url, base)
            if not response.has_redirect_location:
                return response
            await response.aclose()
            url = joined(url, response.headers["location"])
        raise UnexpectedAnswerError(f"{urlsplit(url).hostname} redirects without end")

    async def close(self) -> None:
        """Close the connections to other hosts."""
        for client in self._others.values():
            await client.aclose()

    def is_own(self, url: str) -> bool:
        """Return whether `url` is on the endpoint itself: the same scheme, host and port."""
        return origin(urlsplit(url)) == origin(urlsplit(self._home))

    async def _get(self, url: str, base: str) -> httpx2.Response:
        reach = self._reach_of(base)
        try:
            addresses = await reach.addresses(url)
        except (OSError, UnicodeError) as error:
            raise httpx2.ConnectError(f"{urlsplit(url).hostname} does not resolve") from error
        if self.is_own(url):
            return await self._own.send(self._own.build_request("GET", url, headers=PLAIN), stream=True)
        client = self._other(proxy_of(url))
        request = client.build_request("GET", url, headers=PLAIN, extensions={ADDRESSES: addresses})
        response = await client.send(request, auth=None, stream=True)
        client.cookies.clear()
        return response

    def _reach_of(self, base: str) -> Reach:
        if base not in self._reach:
            self._reach = {base: Reach(base, self._resolve)}
        return self._reach[base]

    def _other(self, proxy: Proxy | None) -> httpx2.AsyncClient:
        key = None if proxy is None else proxy.url
        if key not in self._others:
            self._others[key] = self._make(proxy)
        return self._others[key]


def _details(error: RunnerError, job: Job) -> dict[str, Any]:  # Any: keyword arguments of the errors
    return {"provider": error.provider, "job_id": job.id, "code": error.code, "request_id": error.request_id}
