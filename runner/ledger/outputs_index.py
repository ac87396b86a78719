"""Keep what was read of many ledgers in one file beside them, so that years of sweeps are listed in an instant.

The file is never the truth: what it says of a ledger counts only while that ledger and its log are the files that were
read, and while its checksum is right. It may be deleted at any time; where it is damaged, of another version or cannot
be written, the ledgers are read as if it were not there.
"""

from __future__ import annotations

import json
import math
import os
import sqlite3
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar
from zlib import crc32

from runner.errors import ConfigError
from runner.shell import line as command_line

from .database import UNREADABLE, distrust
from .discover import NAME as LEDGER
from .discover import OUTPUTS, find_ledgers, ledger_files

if TYPE_CHECKING:
    from .ledger import Ledger

T = TypeVar("T")

NAME = ".index.sqlite3"

_WORTH = 20
"""So many ledgers are read in an instant; only beside more of them a file is left."""

_SETTLED = 3.0
"""Seconds after which another change would give a file another time, on any disk; what is younger is read again."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (
    kind TEXT, place BLOB, mark TEXT NOT NULL, json TEXT NOT NULL, checksum INTEGER NOT NULL,
    PRIMARY KEY (kind, place))"""
_SELECT = "SELECT place, mark, json, checksum FROM entries WHERE kind = ?"
_INSERT = "INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?, ?)"
_DELETE = "DELETE FROM entries WHERE kind = ? AND place = ?"
_WAITING = 1.0
"""Seconds that another process may take to write."""
_UNFIT = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_ERROR)
"""What SQLite says of a file that is damaged, or was made by another version."""
_ERRORS = (sqlite3.Error, UnicodeError)
"""What reading and writing the file raise; SQLite's messages may quote damaged bytes."""

_THREADS = 4
"""Ledgers that are read at once; SQLite's part of it takes more than one processor."""


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """Describe what is taken of each ledger.

    Attributes:
        name: with its version: what another version has kept is not understood.
        read: takes it from a ledger as JSON, which depends on nothing but the ledger's content.
        parse: makes of that JSON what is asked for.
    """

    name: str
    read: Callable[[Ledger], Any]  # Any: JSON
    parse: Callable[[Any], T]

    def taken(self, ledger: Ledger) -> tuple[Any, T]:  # Any: JSON
        """Return what is taken of a ledger, as JSON and parsed."""
        value = self.read(ledger)
        return value, self.parse(value)


@dataclass(frozen=True, slots=True)
class Entry(Generic[T]):
    """Describe what the ledger in a directory says; `written`: when it was last written, in Unix seconds."""

    directory: Path
    written: float
    value: T


class _State(NamedTuple):
    """Describe a ledger's file and its log: their `mark` is another one once they have changed and are `settled`."""

    mark: str
    written: float
    settled: bool


class _Kept(NamedTuple):
    """Describe what the file has of a ledger: its mark then, the JSON, and the checksum of all; damaged, anything."""

    mark: str
    text: str
    checksum: int


_NONE = _Kept("", "", 0)
_Row = tuple[str, bytes, str, str, int]


def _row(kind: str, place: bytes, mark: str, text: str) -> _Row:
    return kind, place, mark, text, checksum_of(kind, place, mark, text)


def checksum_of(kind: str, place: bytes, mark: str, text: str) -> int:
    """Return the checksum of what is kept of a ledger."""
    return crc32(f"{kind}\n{mark}\n{text}".encode(), crc32(place))


class OutputsIndex:
    """Read the ledgers at or below a directory, each once until it changes.

    Attributes:
        problems: directories that could not be looked into, or whose ledger could not be read, and why.
        calls: directories, as text, without a ledger, as single calls of the Python API write them.
    """

    def __init__(
        self,
        root: Path,
        *,
        keep: bool = True,
        levels: int | None = None,
        seen: set[str] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Find the ledgers.

        Unless `keep` is set, nothing is written. `levels` is that of `find_ledgers`. Directories that are `seen`
        already are left out, and those that are found are added to it.
        """
        whole = os.path.abspath(root)  # noqa: PTH100 - links stay: behind another one, a ledger has another name
        above = (os.fspath(each) for each in (Path(whole), *Path(whole).parents) if each.name == OUTPUTS.name)
        home = next(above, whole)
        self._file = os.path.join(home, NAME)  # noqa: PTH118 - text here and below: it is done for each of thousands
        self._inside = len(os.path.join(home, ""))  # noqa: PTH118
        self._whole = home == whole and levels is None and not seen
        self.problems: list[tuple[Path, ConfigError]] = []
        self.calls: list[str] = []
        self._directories = [*_unseen(find_ledgers(root, levels, self._pass_over, self.calls.append), seen)]
        self._clock = clock
        self._keep = keep and len(self._directories) > _WORTH

    def entries(self, kind: Kind[T], since: float = 0.0) -> list[Entry[T]]:
        """Return what is asked for of each ledger that can be read and was written after `since` (Unix seconds)."""
        kept, now = self._kept(kind.name), self._clock()
        found: dict[Path, Entry[T]] = {}
        missing: dict[Path, _State] = {}
        for directory in self._directories:
            state = _state(os.fspath(directory), now)
            if state.written < since:
                continue
            place = self._place(directory)
            mark, text, checksum = kept.pop(place, _NONE)
            if mark == state.mark:
                with suppress(*UNREADABLE):
                    if checksum == checksum_of(kind.name, place, mark, text):
                        found[directory] = Entry(directory, state.written, kind.parse(json.loads(text)))
                        continue
            missing[directory] = state
        if missing:
            read = self._read(kind, missing)
            rows = [
                _row(kind.name, self._place(directory), missing[directory].mark, json.dumps(value))
                for directory, (value, _) in read.items()
                if missing[directory].settled
            ]
            self._write(rows, kept if self._whole and not since else ())
            found |= {each: Entry(each, missing[each].written, parsed) for each, (_, parsed) in read.items()}
        return [found[each] for each in self._directories if each in found]

    def _pass_over(self, place: Path, error: OSError) -> None:
        hint = command_line(["chmod", "u+rwx", str(place)]) if isinstance(error, PermissionError) else None
        said = f"{place} cannot be looked into, and may hold runs: {error.strerror}"
        self.problems.append((place, ConfigError(said, hint=hint)))

    def _place(self, directory: Path) -> bytes:
        """Return what the file calls a directory: its path from there, so that all of it can be moved together."""
        return os.fsencode(os.path.abspath(directory)[self._inside :])  # noqa: PTH100

    def _kept(self, kind: str) -> dict[bytes, _Kept]:
        """Return what the file has, by place; nothing if it cannot be read."""
        try:
            with closing(_opened(self._file, "ro")) as db:
                return {place: _Kept(*rest) for place, *rest in db.execute(_SELECT, (kind,))}
        except _ERRORS as error:
            self._remove_unfit(error)
        except OSError:
            pass  # there is none
        return {}

    def _read(self, kind: Kind[T], directories: Iterable[Path]) -> dict[Path, tuple[Any, T]]:  # Any: JSON
        """Return what the ledgers say, as JSON and parsed; why some cannot be read is added to the problems."""
        from concurrent.futures import ThreadPoolExecutor

        from .ledger import Ledger, LedgerError  # where nothing has changed, no model is imported

        def read(directory: Path) -> tuple[Any, T] | LedgerError:  # Any: JSON
            try:
                with Ledger(directory, readonly=True) as ledger:
                    return ledger.read(kind.taken)
            except LedgerError as error:
                return error
            except OSError as error:
                return LedgerError(f"{directory / LEDGER} cannot be read: {error.strerror}")

        found: dict[Path, tuple[Any, T]] = {}  # Any: JSON
        with ThreadPoolExecutor(min(_THREADS, os.cpu_count() or 1)) as pool:
            for directory, value in zip(directories, pool.map(read, directories), strict=True):
                if isinstance(value, LedgerError):
                    self.problems.append((directory, value))
                else:
                    found[directory] = value
        return found

    def _write(self, rows: Sequence[_Row], gone: Iterable[bytes]) -> None:
        """Keep entries, and forget ledgers that are gone, if the disk takes it."""
        if not self._keep or not rows:
            return
        for _ in range(2):
            try:
                with closing(_opened(self._file, "rwc")) as db, db:
                    db.execute("BEGIN IMMEDIATE")
                    db.execute(_SCHEMA)
                    db.executemany(_DELETE, [(rows[0][0], place) for place in gone])
                    db.executemany(_INSERT, rows)
            except _ERRORS as error:
                if not self._remove_unfit(error):
                    return  # a full disk, one that is only read, or a process that writes just now
            except OSError:
                return
            else:
                return

    def _remove_unfit(self, error: Exception) -> bool:
        """Remove a file that can neither be read nor written as it is; returns whether that is why."""
        code = getattr(error, "sqlite_errorcode", None)  # of text that is no UTF-8, Python tells none
        unfit = code is None or code & 0xFF in _UNFIT
        if unfit and self._keep:
            with suppress(OSError):
                os.unlink(self._file)  # noqa: PTH108
        return unfit


def _unseen(directories: Iterable[Path], seen: set[str] | None) -> Iterator[Path]:
    for directory in directories:
        real = os.path.realpath(directory) if seen is not None else ""
        if seen is None or real not in seen:
            yield directory
        if seen is not None:
            seen.add(real)


def _state(directory: str, now: float) -> _State:
    """Return the state of the ledger in a directory; one of a ledger that is gone was written at 0."""
    found = ledger_files(directory)
    if not found:
        return _State("", _written_last(directory), settled=False)
    mark = " ".join(f"{each.st_ino} {each.st_size} {each.st_mtime_ns} {each.st_ctime_ns}" for each in found)
    changed = max(max(each.st_mtime, each.st_ctime) for each in found)
    return _State(mark, max(each.st_mtime for each in found), abs(now - changed) > _SETTLED)


def _written_last(directory: str) -> float:
    """Return when a ledger without content was written; one that cannot be looked at may be at any moment."""
    try:
        return os.stat(os.path.join(directory, LEDGER)).st_mtime  # noqa: PTH116, PTH118 - text, as above
    except FileNotFoundError:
        return 0.0
    except OSError:
        return math.inf


def _opened(path: str, mode: str) -> sqlite3.Connection:
    """Open the file, or raise `OSError` where something else has its name: a directory may come from anyone."""
    if mode == "ro" or os.path.lexists(path):
        state = os.lstat(path)
        if not stat.S_ISREG(state.st_mode):
            raise FileExistsError(path)
    db = sqlite3.connect(f"{Path(path).as_uri()}?mode={mode}", uri=True, timeout=_WAITING)
    try:
        distrust(db)
    except BaseException:
        db.close()
        raise
    return db
