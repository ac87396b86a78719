"""Bring a batch's results to disk, line by line, and finish the run of each line as any other."""

from __future__ import annotations

import asyncio
import gzip
import mmap
import os
import re
import secrets
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import BinaryIO, NamedTuple

from pydantic_core import from_json

from runner.artifacts.atomic import discard, disk_errors, require_space, write_bytes
from runner.artifacts.download import ByteSource, progressing
from runner.errors import (
    ArtifactError,
    BadRequestError,
    ExpiredError,
    JobNotFoundError,
    ProviderError,
    RateLimitError,
    RunnerError,
)
from runner.providers.batch import Batch, ResultLine, read_line
from runner.providers.batch_api import BatchAPI
from runner.providers.json_answer import read_documents

from .clock import Backoff
from .endpoint import Endpoint

TRIES = 8
"""Downloads that bring nothing further, over about a minute."""

KEPT_SECONDS = 30 * 86_400.0
"""How long a provider keeps the files of a batch, at most."""

KINDS = ("output", "errors")
"""What comes of a batch: a file each."""

AT_ONCE = 8 * 1024**2
"""Bytes of lines that are worked on at the same time, which bounds the pixels in memory; a longer one is alone."""

_PIECE = 1024**2
_HEAD = 2048
_CUT = 3
"""Times that a file is asked for which may be cut; then it is taken as it is."""

_TAIL = 64
"""Bytes in which the end of a file's last line lies."""

_GZIP = b"\x1f\x8b"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_ARRAY = re.compile(rb"\s*\[\s*[{\]]")
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|["{}\[\],]', re.DOTALL)

_AGAIN = Backoff(base=0.5, cap=20, floor=0.5)
_NAME = 100
"""Characters of what stands for base64 and is taken for some."""

_DATA = re.compile(rb'"([A-Za-z0-9+/]{65536,}={0,2})"')
_CUSTOM_ID = re.compile(rb'"custom_id"\s*:\s*"([\w.:-]{1,200})"')


_Opened = Callable[[int], AbstractAsyncContextManager[tuple[int, ByteSource]]]
"""Opens a file of results from a byte on, and says at which it does begin."""

Wanted = Callable[[str], bool]
"""Tells by a line's `custom_id` whether it is of use."""


async def fetch(endpoint: Endpoint, api: BatchAPI, batch: Batch, file_id: str, path: Path, wanted: Wanted) -> None:
    """Download a file of results to `path`; one that breaks off goes on where it broke, also in a later process.

    Lines that are not `wanted` may be left out. Raises `ExpiredError` where the provider no longer keeps the file.
    """
    if os.path.exists(path):  # noqa: ASYNC240, PTH110 - a moment
        return
    part = path.with_suffix(".part")
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    require_space(path.parent)
    rate = (endpoint.config.min_bytes_per_second or 0.0) if api.paced else 0.0
    failures = asked = 0
    while True:
        before = _size(part)
        try:
            await _pull(endpoint, partial(api.content, batch.id, file_id, wanted=wanted), part, rate)
            asked += 1
            came, whole = await asyncio.to_thread(_unpacked, part)
            if whole or asked >= _CUT:
                break
            _discard_part(path)  # cut on its way, or something else than results
            await endpoint.clock.sleep(_AGAIN.seconds(asked, endpoint.clock))
        except (ProviderError, ArtifactError) as error:
            if before and isinstance(error, BadRequestError):
                # What is here may be of another file, or the server takes no ranges: from the beginning, then.
                discard(part)
                continue
            failures = 0 if _size(part) > before else failures + 1
            if failures >= TRIES or not error.retryable:
                raise _given_up(error, batch, file_id) from error
            wait = error.retry_after if isinstance(error, RateLimitError) else None
            await endpoint.clock.sleep(wait or _AGAIN.seconds(max(1, failures), endpoint.clock))
    with disk_errors(path):
        came.replace(path)
    discard(part)


def _given_up(error: RunnerError, batch: Batch, file_id: str) -> RunnerError:
    what = f"the file {file_id} with the results of batch {batch.id}"
    if isinstance(error, JobNotFoundError):
        now, created = error.server_time, batch.created_at
        if now is not None and created is not None and now > created + KEPT_SECONDS:
            return ExpiredError(f"{what} is no longer kept", code=error.code, job_id=batch.id)
        message = f"{what} is not found at present"
        hint = "the batch is done and paid; resume asks for the file again"
        return JobNotFoundError(message, hint=hint, code=error.code, server_time=now, job_id=batch.id)
    return ArtifactError(
        f"{what} could not be collected: {error}",
        hint="it is paid and stays at the provider until it expires; resume goes on with the download",
        code=error.code,
        job_id=batch.id,
    )


def _unpacked(part: Path) -> tuple[Path, bool]:
    """Return where a download lies as text, which is beside it if it came compressed, and whether that may be all."""
    with part.open("rb") as file:
        if file.read(len(_GZIP)) != _GZIP:
            return part, _ends_whole(part)
    plain = _plain_path(part)
    with disk_errors(plain), plain.open("wb") as file:
        whole = _decompress(part, file)
        file.flush()
        os.fsync(file.fileno())
    return plain, whole and _ends_whole(plain)


def _decompress(part: Path, file: BinaryIO) -> bool:
    """Write what `part` holds to `file`, as far as it can be had; return whether that is all."""
    with gzip.open(part) as packed:
        while True:
            try:
                piece = packed.read1(_PIECE)
            except (EOFError, gzip.BadGzipFile, zlib.error):
                return False
            if not piece:
                return True
            file.write(piece)


def _plain_path(part: Path) -> Path:
    return part.with_suffix(".plain.part")


def _discard_part(path: Path) -> None:
    """Remove what came of a file of results so far."""
    part = path.with_suffix(".part")
    discard(part)
    discard(_plain_path(part))


def _ends_whole(came: Path) -> bool:
    """Return whether results may be all that there are: they end as their last object does, or as their array."""
    with came.open("rb") as file:
        end = b"]" if _ARRAY.match(file.read(_HEAD).removeprefix(_BYTE_ORDER_MARK)) else b"}"
        file.seek(max(0, _size(came) - _TAIL))
        return file.read().rstrip(b"\0 \t\r\n")[-1:] in (b"", end)


def _size(part: Path) -> int:
    try:
        return part.stat().st_size
    except OSError:
        return 0


async def _pull(endpoint: Endpoint, opened: _Opened, part: Path, rate: float) -> None:
    """Append what is missing; where the server begins from the start, so does the file."""
    # A byte that is here is asked for again: of a file that is all here, there would be nothing to give.
    start = max(0, _size(part) - 1)
    async with endpoint.transfer(), opened(start) as (begins, content):
        if begins not in (start, 0):
            raise ArtifactError(f"the download began at byte {begins:,} instead of {start:,}")
        with disk_errors(part):
            file = os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666), "wb")
        size = 0
        with file:
            file.seek(begins)
            file.truncate()
            async with progressing(rate) as progress:
                async for chunk in content.chunks():
                    size += len(chunk)
                    with disk_errors(part):
                        file.write(chunk)
                    progress(size)
            with disk_errors(part):
                file.flush()
                os.fsync(file.fileno())
    if content.length is not None and size != content.length:
        raise ArtifactError(f"the download was cut: {size:,} of {content.length:,} bytes came")


class Span(NamedTuple):
    """Say where a line of a file lies, in bytes."""

    start: int
    length: int


def spans(path: Path) -> Iterator[Span]:
    """Yield where the lines of a file are, without holding any; the last may have no line end.

    Of a JSON array of the lines' objects, each of these is a line, however many it is written on.
    """
    start = 0
    with path.open("rb") as file:
        head = file.read(_HEAD)
        if head.startswith(_BYTE_ORDER_MARK):
            start = len(_BYTE_ORDER_MARK)
        array = _ARRAY.match(head, start)
        if array is not None:
            start = yield from _elements(file, array.end() - 1)
        yield from _lines(file, start)


def _elements(file: BinaryIO, start: int) -> Generator[Span, None, int]:
    """Yield where the elements of an array are, the first of which begins at `start`; return where the array ends.

    Of one that is cut, all behind its last whole element is one.
    """
    depth = 0
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as whole:
        for token in _TOKEN.finditer(whole, start):
            place, letter = token.start(), whole[token.start() : token.start() + 1]
            if letter == b'"':
                if token.end() == place + 1:
                    break  # the text that was cut
            elif letter in (b"{", b"["):
                depth += 1
            elif depth:
                depth -= letter != b","
            else:
                yield Span(start, place - start)
                start = token.end()
                if letter != b",":
                    return start
        end = len(whole)
    yield Span(start, end - start)
    return end


def _lines(file: BinaryIO, start: int) -> Iterator[Span]:
    file.seek(start)
    place = start
    while piece := file.read(_PIECE):
        begin = 0
        while (end := piece.find(b"\n", begin)) >= 0:
            yield Span(start, place + end - start)
            begin = end + 1
            start = place + begin
        place += len(piece)
    if place > start:
        yield Span(start, place - start)


def read_span(path: Path, span: Span, wanted: Wanted) -> ResultLine | None:
    """Return a line of results; None if it is empty, or its `custom_id` is not `wanted`.

    The `custom_id` stands at the beginning, so that lines of finished runs are not read whole; the texts of images stay
    in the file. Raises `UnreadableLineError` for a line that names no request.
    """
    with path.open("rb") as file:
        file.seek(span.start)
        head = file.read(min(span.length, _HEAD))
        named = _CUSTOM_ID.search(head)
        if named is not None and not wanted(named[1].decode()):
            return None
        if len(head) == span.length and not head.strip():
            return None
        raw, data = _without_data(file, span)
    try:
        found = from_json(raw)
    except ValueError:
        documents = read_documents(raw, str)
        found = documents[0] if len(documents) == 1 else None
    line = read_line(found)
    if line is None:
        raise UnreadableLineError
    return replace(line, data=data)


class UnreadableLineError(Exception):
    """Tell that a line of results names no request."""


def _without_data(file: BinaryIO, span: Span) -> tuple[bytes, dict[str, tuple[int, int]]]:
    """Return a line with a name in place of each long text of base64, and where these texts lie."""
    pieces: list[bytes] = []
    data: dict[str, tuple[int, int]] = {}
    place, end = span.start, span.start + span.length
    token = secrets.token_hex(8)
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as whole:
        for found in _DATA.finditer(whole, span.start, end):
            name = f"data-{token}-{len(data)}-".ljust(_NAME, "A")
            data[name] = (found.start(1), found.end(1) - found.start(1))
            pieces += [whole[place : found.start(1)], name.encode()]
            place = found.end(1)
        pieces.append(whole[place:end])
    return b"".join(pieces), data


def content_of(path: Path, span: Span) -> bytes:
    """Return a line as it came."""
    with path.open("rb") as file:
        file.seek(span.start)
        return file.read(span.length)


class Throttle:
    """Let so many bytes of lines be worked on at once, or one line that is longer."""

    def __init__(self, most: int = AT_ONCE) -> None:
        self._most = most
        self._held = 0
        self._freed = asyncio.Condition()

    async def enter(self, size: int) -> None:
        """Wait until there is room."""
        async with self._freed:
            await self._freed.wait_for(lambda: self._held == 0 or self._held + size <= self._most)
            self._held += size

    async def leave(self, size: int) -> None:
        """Make room."""
        async with self._freed:
            self._held -= size
            self._freed.notify_all()


MOST_STRAYS = 100
"""Lines that belong to no run, of which so many are kept of a batch: a server may send any number."""


def keep_stray(directory: Path, mark: str, results: Path, span: Span) -> Path | None:
    """Keep a line that belongs to no run, under the first name that is free, and return where it lies.

    None where no name is left. Raises `DiskError`.
    """
    content = content_of(results, span)
    for number in range(1, MOST_STRAYS + 1):
        path = directory / f"{mark}.line-{number}.json"
        if not path.exists():
            write_bytes(path, content)
            return path
        if path.stat().st_size == len(content) and path.read_bytes() == content:
            return path
    return None


def input_path(directory: Path, mark: str) -> Path:
    """Return where a batch's input lies until it is at the provider."""
    return directory / f"{mark}.input.jsonl"


def results_path(directory: Path, mark: str, kind: str) -> Path:
    """Return where a batch's `output` or `errors` lie until all of it is in the runs' directories."""
    return directory / f"{mark}.{kind}.jsonl"


def discard_rest(directory: Path) -> None:
    """Remove what a killed process has left of batches that are over; lines that were kept stay."""
    for path in [*directory.glob("*.jsonl"), *directory.glob("*.part")]:
        discard(path)
    with suppress(OSError):  # kept lines are there
        directory.rmdir()


def discard_all(directory: Path, mark: str) -> None:
    """Remove what was sent and what came, once all of it is where it belongs; lines that were kept stay.

    The directory stays, into which another batch may be about to write.
    """
    discard(input_path(directory, mark))
    for kind in KINDS:
        path = results_path(directory, mark, kind)
        discard(path)
        _discard_part(path)
