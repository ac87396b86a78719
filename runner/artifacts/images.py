"""Base64 images decoded piece by piece straight to disk."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from runner.errors import ArtifactError

from .atomic import disk_errors
from .download import Stored
from .limits import TOO_LARGE

MAX_BYTES = 256 * 1024**2
"""Twice what the largest image that is accepted has without any compression."""

_SLICE = 4 * 64 * 1024
"""Characters at a time; a multiple of four, as base64 comes in groups of four."""


def decode(b64: str, part: Path, *, limit: int = MAX_BYTES) -> Stored:
    """Write the image that `b64` spells to `part`; raises `ArtifactError` if it is none, or beyond `limit` bytes."""
    if len(b64) * 3 // 4 > limit:
        raise ArtifactError(f"the image is larger than {limit:,} bytes and was not decoded", code=TOO_LARGE)
    if "\n" in b64:
        b64 = "".join(b64.split())
    start = b64.find(",") + 1 if b64.startswith("data:") else 0
    digest, size = hashlib.sha256(), 0
    with disk_errors(part), part.open("wb") as file:
        for position in range(start, len(b64), _SLICE):
            try:
                data = base64.b64decode(b64[position : position + _SLICE], validate=True)
            except ValueError as error:
                raise ArtifactError(f"the image is not valid base64: {error}") from error
            digest.update(data)
            size += len(data)
            file.write(data)
    if size == 0:
        raise ArtifactError("the image is empty")
    return Stored(part, size, digest.hexdigest())
