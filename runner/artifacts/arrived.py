"""Files that an earlier process brought, and whether they are still what they were."""

from __future__ import annotations

import hashlib
from pathlib import Path

from .download import Stored
from .result import Pending


def found(path: Path) -> Stored:
    """Return what lies at `path`; raises `OSError`. Blocks for as long as reading takes."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Stored(path, path.stat().st_size, digest)


def intact(path: Path, pending: Pending) -> Stored | None:
    """The file at `path` if it is what arrived, else None."""
    try:
        stored = found(path)
    except OSError:
        return None
    return stored if (stored.bytes, stored.sha256) == (pending.bytes, pending.sha256) else None
