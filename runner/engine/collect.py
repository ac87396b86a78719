"""Collect a finished file: download and check it, again if need be; it is never generated again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, suppress
from pathlib import Path
from typing import TypeVar

from tenacity import RetryCallState

from runner.artifacts.atomic import discard
from runner.artifacts.download import ByteSource, Stored, download
from runner.errors import TOO_LARGE, ArtifactError, DiskError, ProviderError, RateLimitError, UncertainError
from runner.providers.base import FORBIDDEN

from .clock import Backoff
from .endpoint import Endpoint
from .recorder import RunRecorder
from .store import StoreLostError

T = TypeVar("T")

TRIES = 8
"""Downloads of one file, over about a minute: some servers say completed before they can deliver."""

_AGAIN = Backoff(base=0.5, cap=20, floor=0.5)

_TROUBLE = (ProviderError, ArtifactError, UncertainError)
"""What a download can meet without being lost; `ExpiredError` is none of these."""

_LEFT = (DiskError, asyncio.CancelledError)
"""After what nothing is kept: the one wants space, of the other somebody may go on at any time."""


async def collect(
    endpoint: Endpoint,
    recorder: RunRecorder,
    opened: Callable[[], AbstractAsyncContextManager[ByteSource]],
    part: Path,
    check: Callable[[Stored], Awaitable[T]],
    arrived: Callable[[Stored], Awaitable[None]] | None = None,
    tries: int = TRIES,
    unverified: Path | None = None,
) -> tuple[Stored, T]:
    """Download to `part` and `check` it, until both succeed; `arrived` is awaited between the two.

    Raises `ArtifactError` after the last try and `ExpiredError` at once. No `.part` file stays behind, unless
    nothing can be recorded any more. What came and did not pass the check stays as `unverified`, if that is given,
    until something passes.
    """
    tried = 0

    async def once() -> tuple[Stored, T]:
        nonlocal tried
        tried, whole = tried + 1, False
        try:
            stored = await _transfer(endpoint, opened, part)
            whole = True
            if arrived is not None:
                await arrived(stored)
            found = await check(stored)
        except StoreLostError:
            raise  # another process may be writing to the directory by now
        except BaseException as error:
            if unverified is not None and not isinstance(error, _LEFT) and (whole or tried >= tries):
                _set_aside(part, unverified, instead=whole)
            discard(part)
            raise
        if unverified is not None:
            discard(unverified)
        return stored, found

    def mention(state: RetryCallState) -> None:
        if state.attempt_number == 1 and state.outcome is not None:
            recorder.tell(note=f"the download failed and is tried again: {state.outcome.exception()}")

    retrying = _AGAIN.tries(endpoint.clock, tries, _may_pass, mention)
    try:
        return await retrying(once)
    except _TROUBLE as error:
        raise _given_up(recorder, tried, error, unverified) from error


def _set_aside(part: Path, unverified: Path, *, instead: bool) -> None:
    """Keep what came, if anything did; `instead` of what came before."""
    with suppress(OSError):
        if part.stat().st_size and (instead or not unverified.exists()):
            part.replace(unverified)


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, _TROUBLE) and error.code not in (TOO_LARGE, FORBIDDEN)


async def _transfer(
    endpoint: Endpoint, opened: Callable[[], AbstractAsyncContextManager[ByteSource]], part: Path
) -> Stored:
    async with endpoint.transfer():
        sent_at = endpoint.clock.elapsed()
        try:
            async with opened() as content:
                stored = await download(content, part, min_bytes_per_second=endpoint.config.min_bytes_per_second)
        except RateLimitError as error:
            endpoint.refused(error, sent_at, paid=False)
            raise
    endpoint.limits.reads.accepted(sent_at)
    return stored


def _given_up(recorder: RunRecorder, tries: int, error: Exception, unverified: Path | None) -> ArtifactError:
    job_id = recorder.result.job_id
    what = f"the file of job {job_id}" if job_id else "the file"
    times = "once" if tries == 1 else f"{tries} times"
    hint = "it is paid and stays at the provider until it expires; only the download has to be repeated"
    where = ""
    if unverified is not None and unverified.exists():
        where = f"; what came is kept as {unverified.name}"
        hint = f"{hint}: resume looks at {unverified.name} again, and then downloads again"
    return ArtifactError(
        f"{what} could not be collected, tried {times}: {error}{where}",
        hint=hint,
        code=getattr(error, "code", None),
        job_id=job_id,
    )
