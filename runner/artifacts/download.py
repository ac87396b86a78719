"""Bring a file to disk as a `.part`, hashed: streamed, decoded from base64, or left by an earlier process."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol
from urllib.parse import unquote_to_bytes

from pydantic import ConfigDict, TypeAdapter

from runner.errors import TOO_LARGE, ArtifactError

from .atomic import discard, disk_errors
from .result import Pending

MAX_BYTES = 8 * 1024**3
"""No generated file is larger; what is, is an attack or a fault."""

STALL_SECONDS = 60.0
"""A body that sends nothing, or less than it should, for so long is asked for again."""


class ByteSource(Protocol):
    """Describe an open download."""

    @property
    def length(self) -> int | None:
        """Return the length in bytes that was announced, if it counts what `chunks` gives."""

    def chunks(self) -> AsyncIterator[bytes]:
        """Return the bytes, piece by piece."""


@dataclass(frozen=True, slots=True)
class Stored:
    """Describe what lies on disk now, not yet at its final name."""

    path: Path
    bytes: int
    sha256: str


async def download(
    body: ByteSource, part: Path, *, limit: int = MAX_BYTES, min_bytes_per_second: float | None = None
) -> Stored:
    """Write `body` to `part`; raises `ArtifactError` if it is cut, empty, beyond `limit` bytes or too slow.

    Writes stay on the event loop: a piece into the page cache costs less than handing it to a thread.
    """
    _refuse_beyond(limit, body.length or 0)
    digest, size = hashlib.sha256(), 0
    with disk_errors(part):
        file = part.open("wb")
    try:
        async with progressing(min_bytes_per_second or 0) as progress:
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
async def progressing(rate: float) -> AsyncIterator[Callable[[int], None]]:
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


def found(path: Path) -> Stored:
    """Return what lies at `path`; raises `OSError`. Blocks for as long as reading takes."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Stored(path, path.stat().st_size, digest)


def intact(path: Path, pending: Pending) -> Stored | None:
    """Return the file at `path` if it is what arrived, else None."""
    try:
        stored = found(path)
    except OSError:
        return None
    return stored if (stored.bytes, stored.sha256) == (pending.bytes, pending.sha256) else None


MAX_IMAGE_BYTES = 256 * 1024**2
"""Twice what the largest image that is accepted has without any compression."""

_LARGEST_TEXT = 1024**3
"""Bytes of a video as base64, which is in memory while it is decoded."""

_SLICE = 4 * 64 * 1024
"""Characters at a time; a multiple of four, as base64 comes in groups of four."""

# Pydantic's decoder takes a fifth of the time of `base64`.
_base64 = TypeAdapter(bytes, config=ConfigDict(val_json_bytes="base64"))
_CLEAN = re.compile(r"[A-Za-z0-9+/]*={0,2}")
_BLANKS = re.compile(r"\s+|\\[nr]")
_ADDRESS = re.compile(r"https?://|\.{0,2}/|[\w/%-]+\.(png|jpe?g|webp|gif|svg|avif)(\?|$)", re.IGNORECASE)
_LONGEST_ADDRESS = 16_384
_SHORTEST_DATA = 100
_STARTS = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"BM", b"II*\0", b"MM\0*", b"<svg", b"<?xml",
           b"\x1aE\xdf\xa3", b"G@")  # fmt: skip
"""How the files begin that come as text."""


def decode(text: str, part: Path, *, limit: int = MAX_IMAGE_BYTES) -> Stored:
    """Write the file that `text` spells to `part`; raises `ArtifactError` if that is none or beyond `limit` bytes.

    Base64 is read in both alphabets, with or without padding, line breaks and the head of a data URL.
    """
    if len(text) * 3 // 4 > limit:
        raise ArtifactError(f"the image is larger than {limit:,} bytes and was not decoded", code=TOO_LARGE)
    digest, size = hashlib.sha256(), 0
    with disk_errors(part), part.open("wb") as file:
        for data in _pieces(text):
            digest.update(data)
            size += len(data)
            file.write(data)
    if size == 0:
        raise ArtifactError("the image is empty")
    return Stored(part, size, digest.hexdigest())


def decode_span(source: Path, start: int, length: int, part: Path, *, limit: int = MAX_IMAGE_BYTES) -> Stored:
    """Write the file that `length` bytes of base64 in `source` spell to `part`, without holding either.

    What is no plain base64 is written as it came: whoever checks it decodes it. Raises `ArtifactError` beyond `limit`
    bytes.
    """
    if length * 3 // 4 > limit:
        raise ArtifactError(f"the image is larger than {limit:,} bytes and was not decoded", code=TOO_LARGE)
    with source.open("rb") as text:
        try:
            return _written(_read(text, start, length), part, lambda piece: _bytes_of(piece.decode("ascii")))
        except ValueError:
            return _written(_read(text, start, length), part, bytes)


def _read(text: BinaryIO, start: int, length: int) -> Iterator[bytes]:
    text.seek(start)
    while length and (piece := text.read(min(_SLICE, length))):
        length -= len(piece)
        yield piece


def _written(pieces: Iterable[bytes], part: Path, convert: Callable[[bytes], bytes]) -> Stored:
    digest, size = hashlib.sha256(), 0
    with disk_errors(part), part.open("wb") as file:
        for data in map(convert, pieces):
            digest.update(data)
            size += len(data)
            file.write(data)
    return Stored(part, size, digest.hexdigest())


def keep_text(text: str, part: Path) -> Stored:
    """Write `text` as it came, where nothing can be made of it."""
    data = text.encode(errors="surrogatepass")
    with disk_errors(part):
        part.write_bytes(data)
    return Stored(part, len(data), hashlib.sha256(data).hexdigest())


def unwrapped(path: Path) -> Stored | None:
    """Return the file that the text at `path` spells, decoded beside it; None if there is no such text."""
    with path.open("rb") as file:
        head = file.read(64)
    if not head.strip() or not head.isascii() or b"\0" in head or path.stat().st_size > _LARGEST_TEXT:
        return None
    decoded = path.with_name(f"{path.name}.decoded")
    try:
        return decode(path.read_text("ascii"), decoded, limit=_LARGEST_TEXT)
    except (ArtifactError, UnicodeDecodeError):
        discard(decoded)
        return None


def sorted_out(b64: str | None, url: str | None) -> tuple[str | None, str | None]:
    """Return the text of a file and the address of one, whichever of an answer's two fields they stand in."""
    texts: list[str] = []
    addresses: list[str] = []
    for given, is_data in ((b64, True), (url, False)):
        if text := (given or "").strip():
            (texts if is_data is not _is_strange(text, is_data=is_data) else addresses).append(text)
    return next(iter(texts), None), next(iter(addresses), None)


def _is_strange(text: str, *, is_data: bool) -> bool:
    """Return whether the text stands in the wrong one of the two fields."""
    if begins_like_a_file(text):
        return not is_data
    if is_data:
        # Base64 may begin like a path, but no image is so short, and a longer path has a dot or the like in it.
        short = len(text) <= _SHORTEST_DATA or not _CLEAN.fullmatch(text)
        return short and len(text) <= _LONGEST_ADDRESS and _ADDRESS.match(text) is not None
    return len(text) > _LONGEST_ADDRESS


def begins_like_a_file(text: str) -> bool:
    """Return whether `text` is a data URL, or base64 of something that begins like a picture or a video."""
    if text[:5].lower() == "data:":
        return True
    try:
        start = base64.b64decode(_plain(text[:64])[:16], validate=True)
    except ValueError:
        return False
    return start.startswith(_STARTS) or start[4:8] == b"ftyp"


def _pieces(text: str) -> Iterator[bytes]:
    """Yield the bytes, piece by piece; raises `ArtifactError` where the text is no base64."""
    text = text.strip()
    if text[:5].lower() == "data:":
        head, _, text = text.partition(",")
        if not head.lower().rstrip().endswith(";base64"):
            yield unquote_to_bytes(text)
            return
        text = unquote_to_bytes(text).decode("latin-1") if "%" in text else text
    cleaned, position = False, 0
    while position < len(text):
        try:
            data = _bytes_of(text[position : position + _SLICE])
        except ValueError as error:
            if cleaned:
                raise ArtifactError(f"the image is not valid base64: {error}") from error
            # What was decoded has none of what is cleaned away, which is seldom there at all.
            text, cleaned, position = _plain(text[position:]), True, 0
            continue
        yield data
        position += _SLICE


def _bytes_of(text: str) -> bytes:
    """Return what base64 spells; raises `ValueError` where the text is none, or is not plain."""
    try:
        return _base64.validate_strings(text)
    except ValueError:
        return base64.b64decode(text, validate=True)  # which says what is wrong, and takes loose last bits, too


def _plain(text: str) -> str:
    """Return base64 without blanks, in the standard alphabet and padded to whole groups."""
    text = _BLANKS.sub("", text).replace("-", "+").replace("_", "/").rstrip("=")
    return text + "=" * (-len(text) % 4)
