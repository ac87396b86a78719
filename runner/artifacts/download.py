"""A body streamed to a `.part` file, hashed on the way."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from runner.errors import ArtifactError

from .atomic import disk_errors
from .limits import TOO_LARGE

MAX_BYTES = 8 * 1024**3
"""No generated file is larger; what is, is an attack or a fault."""

STALL_SECONDS = 60.0
"""A body that sends nothing, or less than it should, for so long is asked for again."""


class Body(Protocol):
    """What is downloaded; the provider's `Content` is one."""

    @property
    def length(self) -> int | None:
        """The announced length in bytes."""

    def chunks(self) -> AsyncIterator[bytes]:
        """The bytes, piece by piece."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What lies on disk now, not yet at its final name."""

    path: Path
    bytes: int
    sha256: str


async def download(
    body: Body, part: Path, *, limit: int = MAX_BYTES, min_bytes_per_second: float | None = None
) -> Stored:
    """Write `body` to `part`; raises `ArtifactError` if it is cut, empty, beyond `limit` bytes or too slow.

    Writes stay on the event loop: a piece into the page cache costs less than handing it to a thread.
    """
    _refuse_beyond(limit, body.length or 0)
    digest, size = hashlib.sha256(), 0
    with disk_errors(part):
        file = part.open("wb")
    try:
        async with _progress(min_bytes_per_second or 0) as progress:
            async for chunk in body.chunks():
                size += len(chunk)
                _refuse_beyond(limit, size)
                digest.update(chunk)
                with disk_errors(part):
                    file.write(chunk)
                progress(size)
    finally:
        with disk_errors(part):
            file.close()
    if size == 0:
        raise ArtifactError("the download is empty")
    if body.length is not None and size != body.length:
        raise ArtifactError(f"the download was cut: {size:,} of {body.length:,} bytes came")
    return Stored(part, size, digest.hexdigest())


@asynccontextmanager
async def _progress(rate: float) -> AsyncIterator[Callable[[int], None]]:
    """Give what is to be told the size so far; raises `ArtifactError` where a minute brings nothing, or too little."""
    needed, counted, came = max(1.0, rate * STALL_SECONDS), 0, 0
    loop = asyncio.get_running_loop()

    def progress(size: int) -> None:
        nonlocal counted, came
        came = size
        if size - counted >= needed:
            counted = size
            timeout.reschedule(loop.time() + STALL_SECONDS)

    try:
        async with asyncio.timeout(STALL_SECONDS) as timeout:
            yield progress
    except TimeoutError as error:
        if came == counted:
            raise ArtifactError(f"the download stalled: nothing came for {STALL_SECONDS:.0f} s") from error
        raise ArtifactError(
            f"the download was too slow: {came - counted:,} bytes came in {STALL_SECONDS:.0f} s, fewer than "
            f"provider.min_bytes_per_second={rate:g} asks for (null waits as long as anything comes)"
        ) from error


def _refuse_beyond(limit: int, size: int) -> None:
    if size > limit:
        raise ArtifactError(f"the download is larger than {limit:,} bytes and was broken off", code=TOO_LARGE)
