"""All ledgers below a directory: the sweeps and runs of a working directory's `outputs/`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from .book import NAME, Ledger, LedgerError

OUTPUTS = Path("outputs")
"""Where runs go unless they are told otherwise."""


def shelved(root: Path) -> Iterator[Path]:
    """The directories at or below `root` that have a ledger, those of a sweep's own runs not included."""
    for place, folders, files in os.walk(root):
        if NAME in files:
            yield Path(place)
            folders.clear()
        folders[:] = sorted(name for name in folders if not name.startswith("."))


def jobs_elsewhere(own: Path, since: float) -> set[str]:
    """Jobs that belong to runs of other ledgers in `outputs/` or beside `own`, written after `since` (Unix seconds)."""
    claimed: set[str] = set()
    for directory in (*shelved(OUTPUTS), *_siblings(own)):
        if directory.resolve() != own.resolve() and written_at(directory) >= since:
            claimed |= _job_ids(directory)
    return claimed


def _siblings(own: Path) -> Iterator[Path]:
    """Where the other runs of a sweep are whose launcher is not ours."""
    return (path.parent for path in own.absolute().parent.glob(f"*/{NAME}"))


def written_at(directory: Path) -> float:
    """When the ledger in `directory` was last written, in Unix seconds."""
    log = directory / f"{NAME}-wal"
    written = [directory / NAME, log] if log.exists() and log.stat().st_size else [directory / NAME]
    return max(path.stat().st_mtime for path in written)


def _job_ids(directory: Path) -> set[str]:
    try:
        with Ledger(directory, readonly=True) as ledger:
            return ledger.job_ids()
    except LedgerError:
        # Of another version, or broken: nothing can be learned from it.
        return set()
