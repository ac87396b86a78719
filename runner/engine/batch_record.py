"""Describe how far a batch is, for whoever comes after a kill, and what keeps that."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from runner.artifacts.result import StoredModel

MOST_LINES = 50_000
MOST_BYTES = 200_000_000
"""What one batch takes."""


class Phase(StrEnum):
    """Describe how far sending a batch has come; each is on disk before what follows it is done."""

    RECORDED = "recorded"
    """Its runs are recorded as submitting; nothing was paid."""
    UPLOADED = "uploaded"
    """Its input is at the provider; nothing was paid."""
    CREATING = "creating"
    """The paid request may have left."""
    CREATED = "created"
    """Its id is known."""


class BatchRecord(StoredModel):
    """Describe one batch.

    Attributes:
        mark: our random name of it, which stands in its metadata and in the attempts of its runs.
        runs: how many lines it has.
        status: the provider's word as it was last heard, at Unix time `asked_at`, with its counts.
    """

    mark: str
    phase: Phase
    model: str = ""
    endpoint: str = ""
    runs: int = 0
    input_file_id: str | None = None
    id: str | None = None
    status: str = ""
    total: int = 0
    completed: int = 0
    failed: int = 0
    asked_at: float | None = None
    ended: bool = False
    """Whether all that came of it is on disk."""

    @property
    def under_way(self) -> bool:
        """Return whether it may go on at the provider, or something of it is still to be fetched."""
        return not self.ended and self.phase in (Phase.CREATING, Phase.CREATED)

    @property
    def progress(self) -> str:
        """Return how far it is, in words."""
        total = self.total or self.runs
        failed = f", {self.failed:,} failed" if self.failed else ""
        return f"{self.completed + self.failed:,} of {total:,} done{failed}"

    def __str__(self) -> str:
        name = self.id or "a batch whose answer was lost"
        return f"{name}: {self.progress}" + (f" ({self.status})" if self.status else "")


class BatchStore(Protocol):
    """Keep the records of batches; called in threads."""

    directory: Path
    """Where what comes of batches lies until all of it is in the runs' directories."""
    most_lines: int
    most_bytes: int

    def known(self) -> Mapping[str, BatchRecord]:
        """Return all records, by their marks; raises `LedgerError`."""

    def keep(self, record: BatchRecord) -> None:
        """Keep a record, which is on disk when this returns; raises `DiskError`."""
