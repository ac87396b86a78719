"""Open downloads: a body piece by piece, whose breaking off is an error of ours."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx2

from runner.errors import ExpiredError, ProviderError, RunnerError, ServerError, UnexpectedAnswerError

from .base import Job
from .endpoint import is_loopback, origin, split
from .intake import PLAIN

Translate = Callable[[Exception], RunnerError]

_MAX_REDIRECTS = 5
_TIMES = ("X-Amz-Expires", "X-Goog-Expires", "Expires", "se")
"""Where the common kinds of storage write how long an address holds."""
_CLOCKS = 300.0
"""Seconds by which clocks may differ."""


class Download:
    """The body of an HTTP response that was not read yet."""

    def __init__(self, response: httpx2.Response, translate: Translate) -> None:
        self._response = response
        self._translate = translate

    @property
    def media_type(self) -> str | None:
        """The Content-Type without its parameters."""
        return self._response.headers.get("content-type", "").partition(";")[0].strip().lower() or None

    @property
    def length(self) -> int | None:
        """The Content-Length in bytes, if it counts what `chunks` gives."""
        text = self._response.headers.get("content-length", "")
        encoded = self._response.headers.get("content-encoding", "identity") != "identity"
        return int(text) if text.isdecimal() and not encoded else None

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body, piece by piece; raises a retryable error where it breaks off."""
        try:
            async for chunk in self._response.aiter_bytes():
                yield chunk
        except (httpx2.HTTPError, httpx2.StreamError) as error:
            raise self._translate(error) from None


def elsewhere(response: httpx2.Response, job: Job) -> str | None:
    """Where else a file can be had that `response` refused: a redirect's target, or the address that the job names."""
    if response.has_redirect_location:
        return str(response.url.join(response.headers["location"]))
    address = job.raw.get("url")
    # SGLang answers 400 once it has uploaded the file; a 5xx says nothing about where the file is.
    refused = response.status_code in (400, 404)
    return str(response.url.join(address)) if refused and isinstance(address, str) and address else None


def late(error: RunnerError, job: Job, now: float) -> RunnerError:
    """What a completed job's missing file means: gone for good, or not there yet."""
    status = error.status_code if isinstance(error, ProviderError) else None
    if not isinstance(error, ExpiredError) and status not in (404, 409, 410):
        return error
    words = f"{error.code} {error.message}".lower()
    if (
        status == 410
        or error.code == "gone"
        or "expired" in words
        or (job.expires_at is not None and now >= job.expires_at)
    ):
        return ExpiredError(f"the file of {job.id} is no longer kept: {error.message}", **_details(error, job))
    return ServerError(f"the file of {job.id} is not there yet: {error.message}",
                       hint="the download is tried again; nothing is paid twice", **_details(error, job))  # fmt: skip


def gone(error: RunnerError, response: httpx2.Response) -> RunnerError:
    """What a refusal by an address that a server had signed means: no longer there, or not there yet.

    Storage replicates, clocks differ, gateways are restarted: gone for good is only what says so, and an address whose
    own time is over by the clock of the server that refuses it.
    """
    status = error.status_code if isinstance(error, ProviderError) else None
    if status not in (401, 403, 404, 409, 410):
        return error
    details: dict[str, Any] = {"provider": error.provider, "job_id": error.job_id, "code": error.code}  # Any: as below
    if status == 410 or _is_over(response):
        return ExpiredError(f"the address that the server gave no longer leads to the file ({status})", **details)
    return ServerError(f"the address that the server gave does not lead to the file at present ({status})",
                       hint="the download is tried again; nothing is paid twice", **details)  # fmt: skip


def _is_over(response: httpx2.Response) -> bool:
    """Whether the time that an address carries in its signature has passed where it leads to."""
    asked = dict(response.url.params)
    try:
        now = parsedate_to_datetime(response.headers.get("date", "")).timestamp()
        return any(now > _end(asked, name) + _CLOCKS for name in _TIMES if name in asked)
    except (ValueError, OverflowError):
        return False


def _end(asked: Mapping[str, str], name: str) -> float:
    """When the signature's time ends, in Unix seconds; S3 counts from its beginning, Azure writes a date."""
    if name in ("X-Amz-Expires", "X-Goog-Expires"):
        begun = asked.get(name.replace("Expires", "Date"), "")
        return dt.datetime.strptime(begun, "%Y%m%dT%H%M%S%z").timestamp() + float(asked[name])
    if name == "se":
        return dt.datetime.fromisoformat(asked[name]).timestamp()
    return float(asked[name])


def next_address(url: str, location: str) -> str:
    """Where a redirect leads; raises `UnexpectedAnswerError` if it leaves its scheme."""
    try:
        target = urljoin(url, location)
        stays = urlsplit(target).scheme == urlsplit(url).scheme
    except ValueError:
        stays = False
    if not stays:
        raise UnexpectedAnswerError(f"{urlsplit(url).hostname} redirects a download to another scheme",
                                    hint="it is not followed")  # fmt: skip
    return target


def absolute(url: str, home: str) -> str:
    """Return `url`, which may be relative to the endpoint `home`, as a whole address; one that is none as it is."""
    try:
        return urljoin(home, url.strip())
    except ValueError:
        return url


def check_address(url: str, home: str) -> None:
    """Raise `UnexpectedAnswerError` unless `url` is https, on this machine, or on the endpoint `home` itself."""
    try:
        parts = split(url)
    except ValueError as error:
        raise UnexpectedAnswerError(f"the server named an address that {error}") from None
    if "@" in parts.netloc:
        raise UnexpectedAnswerError(f"the server named an address with a user or password at {parts.hostname}",
                                    hint="it is not fetched: the HTTP client would sign in there")  # fmt: skip
    if parts.scheme != "https" and not _is_here(parts.hostname) and origin(parts) != origin(urlsplit(home)):
        raise UnexpectedAnswerError(f"the server named an unencrypted address at {parts.hostname}",
                                    hint="only https addresses are fetched")  # fmt: skip


def _is_here(host: str | None) -> bool:
    """Whether a server's word for a host means this machine: x.localhost may be anywhere, where a DNS says so."""
    return is_loopback(host) and not (host or "").rstrip(".").lower().endswith(".localhost")


async def open_address(http: httpx2.AsyncClient, url: str, home: str) -> httpx2.Response:
    """The response to a GET of `url` and its redirects, unread and without our credentials."""
    for _ in range(_MAX_REDIRECTS):
        check_address(url, home)
        response = await http.send(http.build_request("GET", url, headers=PLAIN), auth=None, stream=True)
        if not response.has_redirect_location:
            return response
        await response.aclose()
        url = next_address(url, response.headers["location"])
    raise UnexpectedAnswerError(f"{urlsplit(url).hostname} redirects without end")


def _details(error: RunnerError, job: Job) -> dict[str, Any]:  # Any: keyword arguments of the errors
    return {"provider": error.provider, "job_id": job.id, "code": error.code, "request_id": error.request_id}
