"""A body streamed to a `.part` file, hashed on the way."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
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
"""A body that sends nothing for so long is asked for again."""


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


async def download(body: Body, part: Path, *, limit: int = MAX_BYTES) -> Stored:
    """Write `body` to `part`; raises `ArtifactError` if it is cut, empty or beyond `limit` bytes.

    Writes stay on the event loop: a piece into the page cache costs less than handing it to a thread.
    """
    _refuse_beyond(limit, body.length or 0)
    digest, size = hashlib.sha256(), 0
    with disk_errors(part):
        file = part.open("wb")
    try:
        async with _stalling() as timeout:
            async for chunk in body.chunks():
                size += len(chunk)
                _refuse_beyond(limit, size)
                digest.update(chunk)
                with disk_errors(part):
                    file.write(chunk)
                timeout.reschedule(_patience())
    finally:
        with disk_errors(part):
            file.close()
    if size == 0:
        raise ArtifactError("the download is empty")
    if body.length is not None and size != body.length:
        raise ArtifactError(f"the download was cut: {size:,} of {body.length:,} bytes came")
    return Stored(part, size, digest.hexdigest())


@asynccontextmanager
async def _stalling() -> AsyncIterator[asyncio.Timeout]:
    """A time limit that whoever gets a piece puts off."""
    try:
        async with asyncio.timeout_at(_patience()) as timeout:
            yield timeout
    except TimeoutError as error:
        raise ArtifactError(f"the download stalled: nothing came for {STALL_SECONDS:.0f} s") from error


def _patience() -> float:
    return asyncio.get_running_loop().time() + STALL_SECONDS


def _refuse_beyond(limit: int, size: int) -> None:
    if size > limit:
        raise ArtifactError(f"the download is larger than {limit:,} bytes and was broken off", code=TOO_LARGE)
