"""Open the SQLite files that say what was paid: a write is on disk when it returns, and no content is trusted."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from runner.artifacts.atomic import ROOM, discard, publish
from runner.errors import ConfigError, DiskError

_LONGEST_TEXT = 64 * 1024**2
_BROKEN = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)
_SOUND = [("ok",)]
UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)
"""What a record raises that is damaged; pydantic's errors are ValueErrors."""


@dataclass(frozen=True, slots=True)
class Format:
    """Describe a kind of ledger.

    Attributes:
        tables: the SQL that makes an empty one.
        version: of the tables; never 0, which an empty file has.
        rest: what else tells of what stands in it.
        without: what to type where the one at a path is lost.
        error: what is raised where one cannot be read.
        safe: what is not lost where one cannot be written.
    """

    tables: str
    version: int
    rest: str
    without: Callable[[Path], str]
    error: type[ConfigError]
    safe: str = "jobs that were submitted go on at the provider"


def connect(path: Path, form: Format, *, readonly: bool) -> sqlite3.Connection:
    """Open a file, begun where there is none to write; raises what `reading` or `writing` turns errors into."""
    with reading(path, form) if readonly else writing(path, form):
        try:
            return _opened(path, form, readonly=readonly)
        except sqlite3.OperationalError as error:
            unwritable = error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY)
            if readonly and unwritable and _log(path).is_file():
                return _in_memory(path, form)
            raise


def _log(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def _in_memory(path: Path, form: Format) -> sqlite3.Connection:
    """Read a copy: a log that a killed process left cannot be read where nothing can be written."""
    memory = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    try:
        with tempfile.TemporaryDirectory() as place:
            copy = Path(shutil.copyfile(path, Path(place) / path.name))
            shutil.copyfile(_log(path), _log(copy))
            with closing(sqlite3.connect(copy)) as db:
                db.backup(memory)
        _require_version(memory, path, form)
        memory.execute("PRAGMA query_only=ON")
    except BaseException:
        memory.close()
        raise
    return memory


def _opened(path: Path, form: Format, *, readonly: bool) -> sqlite3.Connection:
    if not readonly and path.is_symlink():
        raise form.error(f"{path} is a link, and no ledger of this directory", hint="remove it; nothing was sent")
    if not readonly and not path.exists():
        _begin(path, form)
    uri = f"{path.absolute().as_uri()}?mode={'ro' if readonly else 'rw'}"
    db = sqlite3.connect(uri, uri=True, timeout=10, isolation_level=None, check_same_thread=False)
    try:
        distrust(db)
        _require_version(db, path, form)
        if not readonly:
            _require_sound(db, path, form)
            # FULL: a commit returns when the disk has it, so that a power cut forgets nothing that was acted upon.
            db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;")
    except BaseException:
        db.close()
        raise
    return db


def distrust(db: sqlite3.Connection) -> None:
    """Take care of a file that may come from anyone: nothing in it is run, and none of its texts fills the memory."""
    db.execute("PRAGMA trusted_schema=OFF")
    db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST_TEXT)


def _require_version(db: sqlite3.Connection, path: Path, form: Format) -> None:
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version != form.version:
        # An empty file has the version 0, and no ledger ever had.
        hint = form.rest if version else form.without(path)
        raise form.error(f"{path} is no ledger of this version of runner", hint=hint)


def _require_sound(db: sqlite3.Connection, path: Path, form: Format) -> None:
    """Raise the format's error for a damaged file: what it says of what was paid cannot be relied on."""
    found = db.execute("PRAGMA integrity_check(1)").fetchall()
    if found != _SOUND:
        raise form.error(f"{path} is damaged: {found[0][0]}; nothing was sent", hint=form.without(path))


def _begin(path: Path, form: Format) -> None:
    """Make an empty ledger, whole under its name or not there at all."""
    part = path.with_name(f".{path.name}.tmp")
    discard(part)
    with closing(sqlite3.connect(part)) as db:
        db.executescript(f"PRAGMA journal_mode=OFF; {form.tables} PRAGMA user_version = {form.version};")
    publish(part, path)


def close(db: sqlite3.Connection, *, readonly: bool) -> None:
    """Close a file; what was written is there in any case."""
    if not readonly:
        # Back to one plain file. A process that is reading at this moment prevents that.
        with suppress(sqlite3.Error):
            db.execute("PRAGMA journal_mode=DELETE")
    db.close()


@contextmanager
def writing(path: Path, form: Format) -> Iterator[None]:
    """Turn what SQLite raises while it writes a file into a `DiskError`, or the format's error for a damaged one."""
    try:
        yield
    except sqlite3.Error as error:
        if _is_damage(error):
            raise form.error(f"{path} cannot be read: {error}", hint=form.without(path)) from error
        name = getattr(error, "sqlite_errorname", "")
        room = ROOM
        if name == "SQLITE_PROTOCOL" or "LOCK" in name:
            room = "the disk may have no locks: hydra.sweep.dir or hydra.run.dir on another disk is safe"
        raise DiskError(f"cannot write {path}: {error}", hint=f"{form.safe}; {room}") from error


@contextmanager
def reading(path: Path, form: Format) -> Iterator[None]:
    """Turn what reading a file raises into the format's error."""
    try:
        yield
    except form.error:
        raise
    except (sqlite3.Error, OSError, *UNREADABLE) as error:
        damaged = not isinstance(error, sqlite3.Error) or _is_damage(error)
        raise form.error(
            f"{path} cannot be read: {_reason(error)}", hint=form.without(path) if damaged else None
        ) from error


def _is_damage(error: sqlite3.Error) -> bool:
    """Return whether the file's content is the reason; for text that is not UTF-8, Python gives no code."""
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return isinstance(error, sqlite3.OperationalError) if code is None else code & 0xFF in _BROKEN


def _reason(error: Exception) -> str:
    """Return what is wrong with a ledger's content, in one line."""
    from pydantic import ValidationError  # who only lists ledgers imports no model

    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    if isinstance(error, KeyError):
        return f"its section {error} is missing"
    return str(error) or type(error).__name__
