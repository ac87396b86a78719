"""Compare a file here with one in a storage: by what the storage tells of it, else by reading it back."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PART = 8 * 2**20
"""Bytes of a part, where a file is sent in several: S3's ETag is made of their sums."""

PIECE = 2**20
"""Bytes that are read at once; a part is a multiple of it."""


@dataclass(frozen=True, slots=True)
class Digests:
    """Hold the size and the checksums of one file.

    Attributes:
        size: in bytes.
        sha256: hexadecimal.
        md5: of the whole.
        parts: the MD5 of each part, of which the last may be shorter.
    """

    size: int
    sha256: str
    md5: bytes
    parts: tuple[bytes, ...]

    @property
    def etag_of_parts(self) -> str:
        """Return the ETag that S3 gives to a file that was sent in parts."""
        return f"{_md5(b''.join(self.parts)).hex()}-{len(self.parts)}"


def digests_of(path: Path) -> Digests:
    """Read a file; raises `OSError`."""
    sha256, part, parts, size = hashlib.sha256(), _new_md5(), list[bytes](), 0
    whole = None  # as the first part, as long as there is one alone
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            if size and size % PART == 0:
                whole = whole or part.copy()
                parts.append(part.digest())
                part = _new_md5()
            for each in filter(None, (sha256, whole, part)):
                each.update(piece)
            size += len(piece)
    return Digests(size, sha256.hexdigest(), (whole or part).digest(), (*parts, part.digest()))


def _new_md5() -> Any:  # Any: hashlib's object has no public name
    return hashlib.md5(usedforsecurity=False)


def _md5(content: bytes) -> bytes:
    return hashlib.md5(content, usedforsecurity=False).digest()


def agrees(local: Digests, told: Mapping[str, Any]) -> bool | None:  # Any: what a storage tells of a file
    """Return whether a file in a storage is the local one, by what it tells; None where only its content can say.

    An ETag of S3 that differs says nothing: a bucket that encrypts with a key of its own makes it otherwise.
    """
    if int(told["size"]) != local.size:
        return False
    etag = str(told.get("ETag") or "").strip('"').lower()
    if etag in (local.md5.hex(), local.etag_of_parts):
        return True
    md5 = _told_md5(told)
    return None if md5 is None else md5 == local.md5


def _told_md5(told: Mapping[str, Any]) -> bytes | None:  # Any: as above
    """Return the MD5 sum that Google tells in base64, and Azure in bytes, of a file that was sent in one piece."""
    if isinstance(text := told.get("md5Hash"), str):
        return base64.b64decode(text)
    settings = told.get("content_settings")
    found = settings.get("content_md5") if isinstance(settings, Mapping) else None
    return bytes(found) if found else None
