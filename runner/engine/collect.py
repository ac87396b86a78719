"""Bringing a finished file home: downloaded and checked again and again, never generated again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TypeVar

from runner.artifacts.atomic import discard
from runner.artifacts.download import TOO_LARGE, Stored, download
from runner.errors import ArtifactError, ExpiredError, ProviderError, RateLimitError, UncertainError
from runner.providers.base import Content

from .backoff import Backoff
from .endpoint import Endpoint
from .journal import Journal
from .threads import Threads

T = TypeVar("T")

TRIES = 8
"""Downloads of one file, over about a minute: some servers say completed before they can deliver."""

_AGAIN = Backoff(base=0.5, cap=20, floor=0.5)


async def collect(
    endpoint: Endpoint,
    journal: Journal,
    threads: Threads,
    opened: Callable[[], AbstractAsyncContextManager[Content]],
    part: Path,
    check: Callable[[Path], T],
    arrived: Callable[[], Awaitable[None]] | None = None,
    tries: int = TRIES,
) -> tuple[Stored, T]:
    """Download to `part` and `check` it in a thread, until both succeed; `arrived` is awaited between the two.

    Raises `ArtifactError` after the last try and `ExpiredError` at once. No `.part` file stays behind.
    """
    failures = 0
    while True:
        try:
            stored = await _transfer(endpoint, opened, part)
            if arrived is not None:
                await arrived()
            return stored, await threads.media(check, part)
        except BaseException as error:
            discard(part)
            if not isinstance(error, ProviderError | ArtifactError | UncertainError) or isinstance(error, ExpiredError):
                raise
            failures += 1
            if failures >= tries or error.code == TOO_LARGE:
                raise _given_up(journal, failures, error) from error
            if failures == 1:
                journal.tell(note=f"the download failed and is tried again: {error}")
        await endpoint.clock.sleep(_AGAIN.seconds(failures, endpoint.clock))


async def _transfer(
    endpoint: Endpoint, opened: Callable[[], AbstractAsyncContextManager[Content]], part: Path
) -> Stored:
    async with endpoint.transfer():
        sent_at = endpoint.clock.elapsed()
        try:
            async with opened() as content:
                stored = await download(content, part)
        except RateLimitError as error:
            endpoint.reads.refused(error, sent_at)
            raise
    endpoint.reads.accepted(sent_at)
    return stored


def _given_up(journal: Journal, tries: int, error: Exception) -> ArtifactError:
    job_id = journal.result.job_id
    what = f"the file of job {job_id}" if job_id else "the file"
    times = "once" if tries == 1 else f"{tries} times"
    return ArtifactError(
        f"{what} could not be brought home, tried {times}: {error}",
        hint="it is paid and stays at the provider until it expires; only the download has to be repeated",
        code=getattr(error, "code", None),
        job_id=job_id,
    )
