"""Describe a batch and the files that go in and come out, and remember both in the state file."""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

SCHEMA = """
CREATE TABLE IF NOT EXISTS files (
    id TEXT PRIMARY KEY, created REAL NOT NULL, bytes INTEGER NOT NULL, name TEXT NOT NULL, purpose TEXT NOT NULL,
    deleted INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS batches (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL, created REAL NOT NULL, latency REAL NOT NULL,
    endpoint TEXT NOT NULL, input_file TEXT NOT NULL, metadata TEXT NOT NULL, total INTEGER NOT NULL,
    problem TEXT, expires INTEGER NOT NULL, cancelled REAL, completed INTEGER, failed INTEGER, output_file TEXT,
    error_file TEXT);
"""
_BATCH = """
SELECT id, created, latency, endpoint, input_file, metadata, total, problem, expires, cancelled, completed, failed,
output_file, error_file FROM batches"""
_PAGE = f"{_BATCH} WHERE ? IS NULL OR seq < (SELECT seq FROM batches WHERE id = ?) ORDER BY seq DESC LIMIT ?"  # noqa: S608  (our own words)
_IMAGE = "INSERT INTO images (created, operation, model, prompt, count, usd) VALUES (?, ?, ?, ?, ?, ?)"

Status = Literal[
    "validating", "failed", "in_progress", "finalizing", "completed", "expired", "cancelling", "cancelled"
]  # fmt: skip

VALIDATED, WORKED = 0.1, 0.8
"""Shares of the latency after which the input is checked, and after which the lines are done."""


@dataclass(frozen=True)
class EmulatedFile:
    """Describe an uploaded or made file; `created` is Unix time."""

    id: str
    created: float
    bytes: int
    name: str
    purpose: str

    def resource(self, retention: float) -> dict[str, object]:
        """Return the file as the API's `FileObject`; it is kept for `retention` real seconds."""
        return {
            "id": self.id,
            "object": "file",
            "bytes": self.bytes,
            "created_at": int(self.created),
            "expires_at": int(self.created + retention),
            "filename": self.name,
            "purpose": self.purpose,
            "status": "processed",
        }


@dataclass(frozen=True)
class EmulatedBatch:
    """Describe one batch; `created` and `cancelled` are Unix time, `latency` is in real seconds.

    Attributes:
        problem: why its input is refused, None if it is not.
        expires: whether its time is over before half of the lines are done.
        completed: how many lines succeeded, None until the results are there.
    """

    id: str
    created: float
    latency: float
    endpoint: str
    input_file: str
    metadata: Mapping[str, str]
    total: int
    problem: Mapping[str, object] | None = None
    expires: bool = False
    cancelled: float | None = None
    completed: int | None = None
    failed: int | None = None
    output_file: str | None = None
    error_file: str | None = None

    def due(self, now: float) -> bool:
        """Return whether its results are to be made: nothing more is worked on."""
        ended = now >= self.created + self.latency * WORKED or self.cancelled is not None
        return ended and self.problem is None and self.completed is None

    def status(self, now: float) -> Status:
        """Return the batch's status at Unix time `now`."""
        elapsed = now - self.created
        if elapsed < self.latency * VALIDATED and self.cancelled is None:
            return "validating"
        if self.problem is not None:
            return "failed"
        if self.cancelled is not None:
            return "cancelling" if self.completed is None else "cancelled"
        if elapsed < self.latency * WORKED:
            return "in_progress"
        if elapsed < self.latency or self.completed is None:
            return "in_progress" if self.expires else "finalizing"
        return "expired" if self.expires else "completed"

    def done(self, now: float) -> int:
        """Return how many lines are done by Unix time `now`."""
        most = self.total // 2 if self.expires else self.total
        until = now if self.cancelled is None else min(now, self.cancelled)
        begun, length = self.created + self.latency * VALIDATED, self.latency * (WORKED - VALIDATED)
        share = (until - begun) / length if length else 1.0
        return int(most * min(1.0, max(0.0, share)))

    @property
    def order(self) -> list[int]:
        """Return the places of the lines in the order in which they are done: not that of the input."""
        places = [*range(self.total)]
        random.Random(self.id).shuffle(places)  # noqa: S311 - an order, no secret
        return places

    def resource(self, now: float) -> dict[str, object]:
        """Return the batch as the API's `Batch`."""
        status = self.status(now)
        ended = status in ("completed", "expired", "cancelled")
        failed = (self.failed or 0) if ended else 0
        return {
            "id": self.id,
            "object": "batch",
            "endpoint": self.endpoint,
            "completion_window": "24h",
            "input_file_id": self.input_file,
            "status": status,
            "created_at": int(self.created),
            "expires_at": int(self.created) + 86_400,
            "metadata": dict(self.metadata),
            "errors": None if status != "failed" else {"object": "list", "data": [self.problem]},
            "output_file_id": self.output_file if ended else None,
            "error_file_id": self.error_file if ended else None,
            "request_counts": {
                "total": 0 if status in ("validating", "failed") else self.total,
                "completed": (self.completed or 0) if ended else self.done(now) if self.problem is None else 0,
                "failed": failed,
            },
        }


@dataclass(frozen=True)
class Results:
    """Hold what came of a batch: its files, how its lines ended, and the rows of what was made for the account."""

    output: EmulatedFile | None
    errors: EmulatedFile | None
    completed: int
    failed: int
    images: Iterable[tuple[float, str, str, str, int, float]] = field(default_factory=tuple)


class BatchTable:
    """Store batches and files, in the state's own connection; every method is one short transaction."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        db.executescript(SCHEMA)

    def add_file(self, file: EmulatedFile) -> None:
        """Commit a new file, whose content is on disk."""
        row = (file.id, file.created, file.bytes, file.name, file.purpose)
        self._db.execute("INSERT INTO files (id, created, bytes, name, purpose) VALUES (?, ?, ?, ?, ?)", row)

    def file(self, file_id: str) -> EmulatedFile | None:
        """Return a file that was not deleted."""
        query = "SELECT id, created, bytes, name, purpose FROM files WHERE id = ? AND deleted = 0"
        row = self._db.execute(query, (file_id,)).fetchone()
        return EmulatedFile(*row) if row else None

    def delete_file(self, file_id: str) -> None:
        """Hide a file from the API."""
        self._db.execute("UPDATE files SET deleted = 1 WHERE id = ?", (file_id,))

    def add(self, batch: EmulatedBatch) -> None:
        """Commit a new batch; from here on it will be worked on."""
        problem = None if batch.problem is None else json.dumps(dict(batch.problem))
        row = (batch.id, batch.created, batch.latency, batch.endpoint, batch.input_file,
               json.dumps(dict(batch.metadata)), batch.total, problem, batch.expires)  # fmt: skip
        self._db.execute(
            "INSERT INTO batches (id, created, latency, endpoint, input_file, metadata, total, problem, expires) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            row,
        )

    def find(self, batch_id: str) -> EmulatedBatch | None:
        """Return a batch."""
        row = self._db.execute(f"{_BATCH} WHERE id = ?", (batch_id,)).fetchone()
        return _batch(row) if row else None

    def page(self, *, limit: int, after: str | None) -> tuple[list[EmulatedBatch], bool]:
        """Return up to `limit` batches behind `after`, the newest first, and whether more follow."""
        rows = self._db.execute(_PAGE, (after, after, limit + 1)).fetchall()
        return [_batch(row) for row in rows[:limit]], len(rows) > limit

    def cancel(self, batch_id: str, now: float) -> None:
        """Commit that no more lines are begun."""
        self._db.execute("UPDATE batches SET cancelled = ? WHERE id = ? AND cancelled IS NULL", (now, batch_id))

    def finish(self, batch: EmulatedBatch, results: Results) -> EmulatedBatch:
        """Commit the results and what they cost, in one transaction: each line is counted once, whoever is killed."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            known = self.find(batch.id)
            if known is not None and known.completed is not None:
                return known
            files = [file for file in (results.output, results.errors) if file is not None]
            for file in files:
                self.add_file(file)
            self._db.executemany(_IMAGE, list(results.images))
            done = replace(
                batch,
                completed=results.completed,
                failed=results.failed,
                output_file=None if results.output is None else results.output.id,
                error_file=None if results.errors is None else results.errors.id,
            )
            row = (done.completed, done.failed, done.output_file, done.error_file, done.id)
            self._db.execute(
                "UPDATE batches SET completed = ?, failed = ?, output_file = ?, error_file = ? WHERE id = ?", row
            )
            return done
        finally:
            self._db.execute("COMMIT")

    def count(self) -> int:
        """Return how many batches were ever created."""
        return int(self._db.execute("SELECT count(*) FROM batches").fetchone()[0])


def _batch(row: tuple[object, ...]) -> EmulatedBatch:
    values = dict(zip(EmulatedBatch.__dataclass_fields__, row, strict=True))
    problem = values["problem"]
    values |= {
        "metadata": json.loads(str(values["metadata"])),
        "problem": None if problem is None else json.loads(str(problem)),
        "expires": bool(values["expires"]),
    }
    return EmulatedBatch(**values)  # type: ignore[arg-type]  # sqlite3 rows carry no column types
