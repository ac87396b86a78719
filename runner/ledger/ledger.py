"""Store every run of a sweep or directory in `ledger.sqlite3`, how far it has come, its batches and its uploads."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeVar

from pydantic import ValidationError
from pydantic_core import from_json

from runner.artifacts.result import Result
from runner.artifacts.run_status import RunStatus
from runner.engine.batch_record import MOST_BYTES, MOST_LINES, BatchRecord
from runner.engine.run import Run
from runner.errors import ConfigError, DiskError
from runner.shell import command, shown

from .database import UNREADABLE, Format, close, connect, distrust, reading, writing
from .discover import NAME, STORAGE, run_directory
from .stored_runs import SELECT, SHARED, StoredRuns

T = TypeVar("T")

VERSION = 1

_TABLES = """
CREATE TABLE sections (number INTEGER PRIMARY KEY, json TEXT NOT NULL);
CREATE TABLE runs (
    number INTEGER PRIMARY KEY, directory TEXT UNIQUE NOT NULL, fingerprint TEXT UNIQUE NOT NULL,
    status TEXT NOT NULL, job_id TEXT, config TEXT NOT NULL, overrides TEXT NOT NULL, label TEXT NOT NULL,
    result TEXT);
CREATE INDEX by_status ON runs (status);
"""
"""`label` is empty; earlier versions kept in it what tells a run from its siblings."""
_FACTS = "CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, json TEXT NOT NULL)"
"""What the ledger tells of itself. Earlier versions do not have it, and ignore it."""
_OWNER = "SELECT 1 FROM facts WHERE name = 'owner' AND json_extract(json, '$.token') = ?"
_INSERT = """
INSERT INTO runs (number, directory, status, config, overrides, label, fingerprint) VALUES (?, ?, ?, ?, ?, '', ?)"""
_VERIFIED = """SELECT fingerprint, number, result GLOB '*"choice":[1-9]*' FROM runs WHERE status = ?"""
_UPDATE = "UPDATE runs SET status = ?, job_id = ?, result = ? WHERE number = ?"
_SAME_WORK = "SELECT count(*) FROM runs WHERE fingerprint = ? OR fingerprint LIKE ? || '#%'"
_OWN_COLUMNS = {"config", "overrides", "index"}
_ANOTHER = "nothing in it was changed; each run's result.json tells what is known of it, its job's id included"


class LedgerError(ConfigError):
    """Raised when there is no ledger, or it cannot be read."""


class TakenOverError(DiskError):
    """Raised when another process has taken over the ledger, or its file was removed or replaced."""


class Original(NamedTuple):
    """Describe the directory that a ledger was copied from; `host` where that is another machine's."""

    directory: Path
    host: str | None = None

    def __str__(self) -> str:
        return f"{self.directory} on {self.host}" if self.host else str(self.directory)


class Row(NamedTuple):
    """Describe how far a run has come, as the ledger keeps it."""

    status: str
    job_id: str | None
    text: str
    number: int

    @classmethod
    def of(cls, index: int, result: Result) -> Row:
        """Return what is kept of a run's record."""
        return cls(result.status.value, result.job_id, result.model_dump_json(exclude=_OWN_COLUMNS), index)


def _without(path: Path) -> str:
    """Return what to type where the ledger is lost."""
    return f"{_ANOTHER}; to build it anew from them: {rebuilding(path.parent)}"


def rebuilding(place: Path) -> str:
    """Return the command that builds the ledger in `place` anew."""
    return command("resume", shown(place), "--rebuild")


FORMAT = Format(_TABLES, VERSION, _ANOTHER, _without, LedgerError)


class Ledger:
    """Open one ledger; every write is one transaction that is on disk when the call returns.

    There is one writer, which holds the directory's lock; its threads may call at the same time. Writing raises
    `DiskError`, reading `LedgerError`.
    """

    def __init__(self, directory: Path, *, readonly: bool = False, file: Path | None = None) -> None:
        """Open the ledger of `directory`, or begin one; raises `LedgerError` where there is none to read.

        `file` is where it lies as long as it is not finished, if not in its place.
        """
        self.directory = directory
        self._path = path = file or directory / NAME
        if readonly and not path.is_file():
            raise LedgerError(f"{directory} has no {NAME}", hint="python -m runner ls")
        self.token = ""
        """What names this process as the ledger's owner; without one, nobody asks."""
        self.copy_of: Original | None = None
        """The directory that this one is a copy of, where nobody has agreed yet that both may pay."""
        self._readonly = readonly
        self._turn = threading.Lock()
        self._sections: dict[int, tuple[int, object]] = {}
        self._db = connect(path, FORMAT, readonly=readonly)
        self._inode = None if readonly else path.stat().st_ino

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; what was written is there in any case."""
        close(self._db, readonly=self._readonly)

    def add(self, runs: Iterable[Run]) -> None:
        """Record new runs as they are planned, all or none; raises `ConfigError` for one that lies elsewhere."""
        with self._transaction():
            self._sections.clear()  # a failed addition was rolled back with what it stored
            for run in runs:
                self._insert(run)

    def save(self, index: int, result: Result) -> None:
        """Record how far a run has come."""
        self.save_all([(index, result)])

    def save_all(self, states: Iterable[tuple[int, Result]]) -> None:
        """Record how far some runs have come, all or none, with one flush."""
        self.write([Row.of(index, result) for index, result in states])

    def write(self, rows: Sequence[Row]) -> None:
        """Do the same for rows that are made already."""
        with self._transaction():
            self._db.executemany(_UPDATE, rows)

    @contextmanager
    def facts(self) -> Iterator[dict[str, Any]]:  # Any: JSON
        """Change what the ledger tells of itself, in one transaction with reading it."""
        with self._transaction():
            self._db.execute(_FACTS)
            known = self._facts()
            yield known
            self._db.execute("DELETE FROM facts")
            rows = [(name, json.dumps(value)) for name, value in known.items()]
            self._db.executemany("INSERT INTO facts VALUES (?, ?)", rows)

    def known_facts(self) -> dict[str, Any]:  # Any: JSON
        """Return what the ledger tells of itself; raises `LedgerError`."""
        with reading(self._path, FORMAT):
            there = self._db.execute("SELECT 1 FROM sqlite_master WHERE name = 'facts'").fetchone()
            return self._facts() if there else {}

    def _facts(self) -> dict[str, Any]:  # Any: JSON
        return {str(name): from_json(text) for name, text in self._db.execute("SELECT name, json FROM facts")}

    @contextmanager
    def changing(self) -> Iterator[sqlite3.Connection]:
        """Change what stands beside the runs, in one transaction; raises `DiskError`."""
        with self._transaction():
            yield self._db

    def copy(self, path: Path) -> None:
        """Write the ledger as it is now to `path`, as one plain file without an owner; raises `DiskError`."""
        with self._turn, writing(path, FORMAT), closing(sqlite3.connect(path)) as copy:
            self._db.backup(copy)
            copy.executescript("PRAGMA journal_mode=DELETE; DELETE FROM facts WHERE name = 'owner';")

    def runs(self) -> list[Run]:
        """Return all runs, by index, each as it was planned and with what became of it."""
        with reading(self._path, FORMAT), closing(self._db.execute(f"{SELECT} ORDER BY number")) as rows:
            first = rows.fetchone()
            if first is None:
                return []
            stored = StoredRuns(self._all_sections(), self.directory)
            return [stored.run(row) for row in chain([first], rows)]

    def verified(self) -> list[tuple[str, int, bool]]:
        """Return fingerprint and index of every finished run, and whether a fallback may have made it.

        The repetitions of one work have one fingerprint: that of the run as it was configured.
        """
        with reading(self._path, FORMAT):
            rows = self._db.execute(_VERIFIED, (RunStatus.VERIFIED,))
            return [(work.partition("#")[0], index, bool(fell_back)) for work, index, fell_back in rows]

    def run(self, index: int) -> Run:
        """Return one run."""
        with reading(self._path, FORMAT):
            row = self._db.execute(f"{SELECT} WHERE number = ?", (index,)).fetchone()
            return StoredRuns(self._all_sections(), self.directory).run(row)

    def ask(self, query: str, *values: str | int) -> list[Any]:  # Any: SQLite's rows
        """Return what a query finds, with `values` for its question marks; raises `LedgerError`."""
        with reading(self._path, FORMAT):
            return self._db.execute(query, values).fetchall()

    def read(self, take: Callable[[Ledger], T]) -> T:
        """Return what `take` makes of it; raises `LedgerError`, also for what damaged records make Python raise."""
        with reading(self._path, FORMAT):
            return take(self)

    def _all_sections(self) -> dict[int, Any]:  # Any: JSON
        return {number: from_json(text) for number, text in self._db.execute("SELECT * FROM sections")}

    def _insert(self, run: Run) -> None:
        shared = [self._section(getattr(run.config, name)) for name in SHARED]
        own = run.config.model_dump_json(exclude={*SHARED})
        row = (
            run.index,
            self._stored(run),
            RunStatus.PLANNED,
            json.dumps([shared, own]),
            json.dumps(run.overrides),
        )
        try:
            self._db.execute(_INSERT, (*row, run.fingerprint))
        except sqlite3.IntegrityError:
            ((count,),) = self._db.execute(_SAME_WORK, (run.fingerprint, run.fingerprint))
            self._db.execute(_INSERT, (*row, f"{run.fingerprint}#{count + 1}"))

    def _stored(self, run: Run) -> str:
        """Return the run's directory, relative to the ledger's."""
        try:
            return run_directory(os.path.relpath(run.directory, self.directory))
        except ValueError as error:
            raise ConfigError(
                f"run {run.index} would be written to {run.directory}, outside of {self.directory}; nothing was sent",
                hint="hydra.sweep.subdir='${hydra.job.num}'",
            ) from error

    def _section(self, part: Any) -> int:  # Any: a pydantic object, or a tuple of them
        known = self._sections.get(id(part))
        if known is None:
            plain = [each.model_dump(mode="json") for each in part] if isinstance(part, tuple) else None
            text = part.model_dump_json() if plain is None else json.dumps(plain)
            cursor = self._db.execute("INSERT INTO sections (json) VALUES (?)", (text,))
            # Kept with the part itself, whose id could otherwise be given to another.
            known = self._sections[id(part)] = (int(cursor.lastrowid or 0), part)
        return known[0]

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._turn, writing(self._path, FORMAT):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._require_owner()
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # a full disk ends it by itself
                    self._db.execute("ROLLBACK")
                raise

    def _require_owner(self) -> None:
        """Raise `TakenOverError` unless the ledger is still this process's: nothing may be paid by it any more."""
        if not self.token:
            return
        path = self._path
        try:
            there = path.stat().st_ino == self._inode
        except FileNotFoundError:
            there = False
        if not there:
            raise TakenOverError(
                f"{path} was removed or replaced while this process ran",
                hint="what was submitted goes on at the provider; each run's result.json and runner.log name its job",
            )
        if self._db.execute(_OWNER, (self.token,)).fetchone() is None:
            raise TakenOverError(
                f"another process has taken over {self.directory}",
                hint="what was submitted is kept, and that process continues it",
            )


def salvaged(path: Path, directory: Path) -> list[Run]:
    """Return the runs that can still be read of a damaged ledger of `directory`, from both of its ends."""
    found: dict[int, Run] = {}
    with suppress(sqlite3.Error), closing(sqlite3.connect(path)) as db:
        distrust(db)
        sections: dict[int, Any] = {}  # Any: JSON
        for number, text in _rows_of(db, "SELECT number, json FROM sections ORDER BY number"):
            with suppress(*UNREADABLE):
                sections[number] = from_json(text)
        stored = StoredRuns(sections, directory)
        for row in _rows_of(db, f"{SELECT} ORDER BY number"):
            with suppress(*UNREADABLE):
                found[row[0]] = stored.run(row)
    return [*found.values()]


def _rows_of(db: sqlite3.Connection, query: str) -> Iterator[Any]:  # Any: SQLite's rows
    """Yield what a query finds up to the damage, from the front and then from the back."""
    for order in ("ASC", "DESC"):
        rows = db.execute(f"{query} {order}")
        with suppress(sqlite3.Error):
            yield from rows
            return


FACT = "batches"
FOLDER = "batches"
"""Below the ledger's directory: what is sent and what comes, until it is where it belongs."""


class LedgerBatches:
    """Keep batches in one ledger; each change is on disk when the call returns."""

    def __init__(self, ledger: Ledger, *, most_lines: int = MOST_LINES, most_bytes: int = MOST_BYTES) -> None:
        """Take the sweep's ledger, and what one batch takes."""
        self._ledger = ledger
        self.directory: Path = ledger.directory / FOLDER
        self.most_lines = most_lines
        self.most_bytes = most_bytes

    def known(self) -> Mapping[str, BatchRecord]:
        """Return all records, by their marks; raises `LedgerError`."""
        return {record.mark: record for record in batches_of(self._ledger)}

    def keep(self, record: BatchRecord) -> None:
        """Keep a record; raises `DiskError`."""
        with self._ledger.facts() as facts:
            facts[FACT] = {**facts.get(FACT, {}), record.mark: record.model_dump(mode="json")}


def batches_of(ledger: Ledger) -> list[BatchRecord]:
    """Return the batches of a ledger's runs, in the order in which they were sent; raises `LedgerError`."""
    told: Any = ledger.known_facts().get(FACT, {})  # Any: JSON
    try:
        return [BatchRecord.model_validate(each) for each in told.values()]
    except (ValidationError, AttributeError) as error:
        raise LedgerError(f"{ledger.directory} does not tell readably of its batches") from error


_MARKS = """
SELECT DISTINCT json_extract(attempt.value, '$.batch') FROM runs, json_each(runs.result, '$.attempts') AS attempt
WHERE runs.status IN ('submitting', 'submitted', 'uncertain')"""


def waited_for(ledger: Ledger) -> list[BatchRecord]:
    """Return the batches that may go on at the provider, as they were last heard of: runs wait for them."""
    under_way = [record for record in batches_of(ledger) if record.under_way]
    marks = {mark for (mark,) in ledger.ask(_MARKS)} if under_way else set()
    return [record for record in under_way if record.mark in marks]


def unsent(ledger: Ledger) -> frozenset[str]:
    """Return the marks of batches whose paid request never left, though their runs are recorded as being sent."""
    return frozenset(record.mark for record in batches_of(ledger) if record.unsent)


SWEEP = -1
"""Stands for a run's number where files are the sweep's own."""

_TABLE = """
CREATE TABLE IF NOT EXISTS uploads (
    place TEXT NOT NULL, run INTEGER NOT NULL, name TEXT NOT NULL, bytes INTEGER NOT NULL, changed INTEGER NOT NULL,
    sha256 TEXT NOT NULL, PRIMARY KEY (place, run, name))"""
"""Earlier versions do not have it, and ignore it."""
_THERE = "SELECT 1 FROM sqlite_master WHERE name = 'uploads'"
_KEEP = "INSERT OR REPLACE INTO uploads VALUES (?, ?, ?, ?, ?, ?)"
_OUTDATED = "DELETE FROM uploads WHERE place = ? AND run = ? AND name = ?"
_OF_RUN = "SELECT name, bytes, sha256 FROM uploads WHERE place = ? AND run = ?"
_KNOWN = "SELECT place, run, name, bytes, changed, sha256 FROM uploads"


class Uploaded(NamedTuple):
    """Describe a file that lies in a storage and was compared with the one here.

    Attributes:
        name: relative to its run's directory, or to the sweep's.
        bytes: its size.
        changed: when the file here was last changed as it was sent, in nanoseconds of its disk's clock.
        sha256: hexadecimal.
    """

    name: str
    bytes: int
    changed: int
    sha256: str


class Uploads:
    """Keep what of a ledger's runs lies in one place; each change is on disk when the call returns."""

    def __init__(self, ledger: Ledger, place: str) -> None:
        """Read what is known of the place; raises `LedgerError`."""
        self._ledger = ledger
        self.place = place
        self.seen: set[int] = set()
        """Runs whose files were all looked at in the place meanwhile."""
        self._known: dict[int, dict[str, Uploaded]] = {}
        for where, run, each in _all(ledger):
            if where == place:
                self._known.setdefault(run, {})[each.name] = each

    def of(self, run: int) -> dict[str, Uploaded]:
        """Return what lies there of a run, by name."""
        return self._known.get(run, {})

    def keep(self, run: int, files: Iterable[Uploaded]) -> None:
        """Record files that were compared; a copy of the ledger that lies there is then out of date.

        Raises `DiskError`.
        """
        files = [*files]
        with self._ledger.changing() as db:
            db.execute(_TABLE)
            db.execute(_OUTDATED, (self.place, SWEEP, NAME))
            db.executemany(_KEEP, [(self.place, run, *each) for each in files])
        self._known.get(SWEEP, {}).pop(NAME, None)
        self._known[run] = {**self.of(run), **{each.name: each for each in files}}

    def forget(self, run: int, names: Iterable[str]) -> None:
        """Take files for not uploaded, as they are not there any more; raises `DiskError`."""
        names = [name for name in names if name in self.of(run)]
        if names:
            with self._ledger.changing() as db:
                db.executemany(_OUTDATED, [(self.place, run, name) for name in names])
            self._known[run] = {name: each for name, each in self.of(run).items() if name not in names}

    def forget_all(self) -> None:
        """Take nothing for uploaded any more; raises `DiskError`."""
        for run in [*self._known]:
            self.forget(run, [*self.of(run)])


def _all(ledger: Ledger) -> Iterator[tuple[str, int, Uploaded]]:
    rows = ledger.ask(_KNOWN) if ledger.ask(_THERE) else []
    for place, run, *file in rows:
        yield str(place), int(run), Uploaded(*file)


def places_with(ledger: Ledger, run: int, sums: Mapping[str, str]) -> Iterator[tuple[str, dict[str, int]]]:
    """Yield the places to which all files of a run with these names and sums were uploaded, the latest first.

    With each come the sizes of the files, by their names. Raises `LedgerError`.
    """
    if not ledger.ask(_THERE):
        return
    for place in [*dict.fromkeys(places_of(ledger).values())][::-1]:
        rows = ledger.ask(_OF_RUN, place, run)
        sizes = {str(name): int(size) for name, size, sha256 in rows if sums.get(name) == sha256}
        if sizes.keys() == sums.keys():
            yield place, sizes


def places_of(ledger: Ledger) -> dict[str, str]:
    """Return the places of a ledger's uploads by what `storage.url` was, the latest last; raises `LedgerError`."""
    told = ledger.known_facts().get(STORAGE, {})
    if not isinstance(told, dict):
        raise LedgerError(f"{ledger.directory} does not tell readably of its uploads")
    return {str(url): str(place) for url, place in told.items()}


def keep_place(ledger: Ledger, url: str, place: str) -> None:
    """Keep where the runs lie that were to be uploaded to `url`."""
    with ledger.facts() as facts:
        others = {key: value for key, value in facts.get(STORAGE, {}).items() if key != url}
        facts[STORAGE] = {**others, url: place}
