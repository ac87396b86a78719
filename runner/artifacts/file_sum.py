"""Compare a file with the SHA-256 that is known of it."""

from __future__ import annotations

import hashlib
from pathlib import Path


def has_sum(path: Path, sha256: object) -> bool:
    """Return whether a file is there, can be read, and has this SHA-256 (hexadecimal)."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256
    except OSError:
        return False
