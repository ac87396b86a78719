"""Whether a file that an earlier process brought is still the one that it was."""

from __future__ import annotations

import hashlib
from pathlib import Path

from .download import Stored
from .result import Pending


def intact(path: Path, pending: Pending) -> Stored | None:
    """The file at `path` if it is what arrived, else None."""
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        size = path.stat().st_size
    except OSError:
        return None
    return Stored(path, size, digest) if (size, digest) == (pending.bytes, pending.sha256) else None
