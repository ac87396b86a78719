"""Remember jobs in one SQLite file that survives kill -9, and say what an endpoint allows at once."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter, deque
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, astuple, fields
from pathlib import Path

from .batches import BatchTable
from .job import EmulatedJob, JobOutcome
from .settings import EmulatorSettings
from .surface import Surface

_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL, created REAL NOT NULL, latency REAL NOT NULL,
    retention REAL NOT NULL, operation TEXT NOT NULL, model TEXT NOT NULL, prompt TEXT NOT NULL,
    seconds INTEGER NOT NULL, size TEXT NOT NULL, usd REAL NOT NULL, source TEXT, reference TEXT,
    outcome TEXT NOT NULL, deleted INTEGER NOT NULL DEFAULT 0, parameters TEXT NOT NULL DEFAULT '{}');
CREATE TABLE IF NOT EXISTS images (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, created REAL NOT NULL, operation TEXT NOT NULL, model TEXT NOT NULL,
    prompt TEXT NOT NULL, count INTEGER NOT NULL, usd REAL NOT NULL);
CREATE TABLE IF NOT EXISTS chats (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, created REAL NOT NULL, model TEXT NOT NULL, prompt TEXT NOT NULL,
    sha256 TEXT NOT NULL, usd REAL NOT NULL);
CREATE TABLE IF NOT EXISTS characters (id TEXT PRIMARY KEY, name TEXT NOT NULL, created REAL NOT NULL);
CREATE TABLE IF NOT EXISTS requests (route TEXT PRIMARY KEY, count INTEGER NOT NULL);
"""
_COLUMNS = tuple(field.name for field in fields(EmulatedJob))
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM jobs"  # noqa: S608  (names of our own dataclass)
_INSERT = f"INSERT INTO jobs ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"  # noqa: S608
_PAGE = f"{_SELECT} WHERE deleted = 0 AND (:after IS NULL OR seq %s (SELECT seq FROM jobs WHERE id = :after))"  # noqa: S608
_NEWER_FIRST = _PAGE % "<" + " ORDER BY seq DESC LIMIT :count"
_OLDER_FIRST = _PAGE % ">" + " ORDER BY seq ASC LIMIT :count"
FLUSH_EVERY = 64


def _job(row: tuple[object, ...]) -> EmulatedJob:
    values = dict(zip(_COLUMNS, row, strict=True))
    values["outcome"] = JobOutcome(**json.loads(str(values["outcome"])))
    values["parameters"] = json.loads(str(values["parameters"]))
    return EmulatedJob(**values)  # type: ignore[arg-type]  # sqlite3 rows carry no column types


class State:
    """Store jobs, images, characters and request counts; every method is one short transaction.

    Opening it raises OSError when the file is no state file or cannot be written.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._db = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)
            # NORMAL loses nothing when a process is killed, only when the machine is.
            self._db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;" + _SCHEMA)
            if "parameters" not in {row[1] for row in self._db.execute("PRAGMA table_info(jobs)")}:
                self._db.execute("ALTER TABLE jobs ADD COLUMN parameters TEXT NOT NULL DEFAULT '{}'")
            self.batches = BatchTable(self._db)
        except sqlite3.Error as error:
            raise OSError(f"the state file {path} cannot be used: {error}") from error
        self._unflushed: Counter[str] = Counter()

    def close(self) -> None:
        """Write what is pending and close the file."""
        self.flush()
        self._db.close()

    def add(self, job: EmulatedJob) -> None:
        """Commit a new job; from here on it exists and is paid for."""
        values = dict(zip(_COLUMNS, astuple(job), strict=True))
        values |= {"outcome": json.dumps(asdict(job.outcome)), "parameters": json.dumps(job.parameters)}
        self._db.execute(_INSERT, tuple(values.values()))

    def find(self, video_id: str) -> EmulatedJob | None:
        """Return the job with this id, or None when there is none or it was deleted."""
        row = self._db.execute(f"{_SELECT} WHERE id = ? AND deleted = 0", (video_id,)).fetchone()
        return _job(row) if row else None

    def running(self, now: float) -> int:
        """Return how many jobs have not ended at Unix time `now`."""
        unfinished = "deleted = 0 AND (created + latency > ? OR json_extract(outcome, '$.stuck'))"
        query = f"SELECT COUNT(*) FROM jobs WHERE {unfinished}"  # noqa: S608  (our own words)
        return int(self._db.execute(query, (now,)).fetchone()[0])

    def delete(self, video_id: str) -> None:
        """Hide a job from the API; the ledger still counts it."""
        self._db.execute("UPDATE jobs SET deleted = 1 WHERE id = ?", (video_id,))

    def page(self, *, limit: int, after: str | None, newest_first: bool) -> tuple[list[EmulatedJob], bool]:
        """Return up to `limit` jobs behind the job `after`, and whether more follow."""
        query = _NEWER_FIRST if newest_first else _OLDER_FIRST
        rows = self._db.execute(query, {"after": after, "count": limit + 1}).fetchall()
        return [_job(row) for row in rows[:limit]], len(rows) > limit

    def add_images(self, *, created: float, operation: str, model: str, prompt: str, count: int, usd: float) -> None:
        """Commit a finished image request."""
        self._db.execute(
            "INSERT INTO images (created, operation, model, prompt, count, usd) VALUES (?, ?, ?, ?, ?, ?)",
            (created, operation, model, prompt, count, usd),
        )

    def add_chat(self, *, created: float, model: str, prompt: str, sha256: str, usd: float) -> None:
        """Commit an answered chat; `sha256` is of the whole request, by which one is known that came twice."""
        self._db.execute(
            "INSERT INTO chats (created, model, prompt, sha256, usd) VALUES (?, ?, ?, ?, ?)",
            (created, model, prompt, sha256, usd),
        )

    def add_character(self, character_id: str, name: str, created: float) -> None:
        """Commit a new character."""
        self._db.execute("INSERT INTO characters VALUES (?, ?, ?)", (character_id, name, created))

    def character(self, character_id: str) -> tuple[str, str, float] | None:
        """Return id, name and creation time of a character."""
        found = self._db.execute("SELECT id, name, created FROM characters WHERE id = ?", (character_id,)).fetchone()
        return (str(found[0]), str(found[1]), float(found[2])) if found else None

    def count(self, route: str) -> None:
        """Count a request; written in batches, so a kill may lose the last few counts."""
        self._unflushed[route] += 1
        if self._unflushed.total() >= FLUSH_EVERY:
            self.flush()

    def flush(self) -> None:
        """Write the pending request counts."""
        self._db.executemany(
            "INSERT INTO requests VALUES (?, ?) ON CONFLICT (route) DO UPDATE SET count = count + excluded.count",
            list(self._unflushed.items()),
        )
        self._unflushed.clear()

    def ledger(self) -> dict[str, object]:
        """Return the oracle: everything that was ever made, and its price in USD, deleted jobs included."""
        self.flush()
        jobs = self._rows(
            "SELECT id, operation, model, prompt, seconds, size, usd, created, deleted, parameters FROM jobs"
        )
        images = self._rows("SELECT operation, model, prompt, count, usd, created FROM images")
        chats = self._rows("SELECT model, prompt, sha256, usd, created FROM chats")
        video_usd, image_usd, chat_usd = (sum(float(str(row["usd"])) for row in rows) for rows in (jobs, images, chats))
        return {
            "jobs": len(jobs),
            "images": sum(int(str(row["count"])) for row in images),
            "batches": self.batches.count(),
            "chats": len(chats),
            "usd": round(video_usd + image_usd + chat_usd, 6),
            "video_usd": round(video_usd, 6),
            "image_usd": round(image_usd, 6),
            "chat_usd": round(chat_usd, 6),
            "requests": dict(self._db.execute("SELECT route, count FROM requests ORDER BY route").fetchall()),
            "created": jobs,
            "image_requests": images,
            "chat_requests": chats,
        }

    def _rows(self, query: str) -> list[dict[str, object]]:
        with closing(self._db.execute(query + " ORDER BY seq")) as cursor:
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor]


_MINUTE = 60.0


class Limits:
    """Count one emulator's paid requests and ask its state for the running jobs; no limit is the default."""

    def __init__(self, settings: EmulatorSettings, state: State, now: Callable[[], float]) -> None:
        self._settings = settings
        self._state = state
        self._now = now
        self._served: deque[float] = deque()

    def check_jobs(self, surface: Surface) -> None:
        """Raise Refusal(429) if as many jobs run as may."""
        most = self._settings.max_running_jobs
        if most is not None and self._state.running(self._now()) >= most:
            raise surface.crowded()

    def count_request(self, surface: Surface) -> dict[str, str]:
        """Count a paid request and give the headers of its answer; raises Refusal(429) if the minute's are used up."""
        most = self._settings.requests_per_minute
        if most is None:
            return {}
        now, minute = self._now(), self._settings.real(_MINUTE)
        while self._served and self._served[0] <= now - minute:
            self._served.popleft()
        if len(self._served) >= most:
            raise surface.exceeded(most, self._served[0] + minute - now)
        self._served.append(now)
        return surface.allowance(most, most - len(self._served), self._served[0] + minute - now)
