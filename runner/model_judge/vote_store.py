"""Keep votes durably in `judge/` of a sweep's directory: a ledger that knows what was paid, and a file to read."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from runner.artifacts.atomic import disk_errors
from runner.artifacts.json_lines import JSONLinesReader, append_lines
from runner.artifacts.run_status import RunStatus
from runner.config.judge import FOLDER
from runner.errors import ConfigError
from runner.ledger.database import Format, close, connect, reading, writing
from runner.ledger.ledger import LedgerError
from runner.ledger.lock import locked

from .vote import Vote

NAME = "votes.sqlite3"
LINES = "votes.jsonl"
"""What was answered, one vote a line, for people and programs to read."""

_TABLES = "CREATE TABLE votes (key TEXT PRIMARY KEY, status TEXT NOT NULL, json TEXT NOT NULL);"
_REPLACE = "INSERT OR REPLACE INTO votes (key, status, json) VALUES (?, ?, ?)"
_REST = f"nothing in it was changed; {LINES} beside it tells what was answered"


def _without(path: Path) -> str:
    return f"{_REST}; without {path.name}, everything would be asked and paid again: move {path} away to do that"


FORMAT = Format(_TABLES, 1, _REST, _without, LedgerError)


class VoteStore:
    """Hold the votes of one directory; a write is on disk when the call returns. Its threads may call at the same time.

    Writing raises `DiskError`, reading `LedgerError`.
    """

    def __init__(self, place: Path, *, readonly: bool = False) -> None:
        """Open the votes of a sweep's directory, or begin them; whoever writes holds the lock of `judge/`."""
        self.directory = place / FOLDER
        self._path = self.directory / NAME
        self._readonly = readonly
        self._turn = threading.Lock()
        self._db = connect(self._path, FORMAT, readonly=readonly)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        close(self._db, readonly=self._readonly)

    def all(self) -> dict[str, Vote]:
        """Return the votes by their keys."""
        with self._turn, reading(self._path, FORMAT):
            rows = self._db.execute("SELECT key, json FROM votes ORDER BY rowid")
            return {str(key): Vote.model_validate_json(text) for key, text in rows}

    def save(self, vote: Vote) -> None:
        """Record how far a vote has come."""
        with self._turn, writing(self._path, FORMAT):
            self._db.execute(_REPLACE, (vote.key, vote.status.value, vote.model_dump_json()))

    def write_lines(self) -> None:
        """Append what is answered and not there yet to the file that is for reading."""
        path = self.directory / LINES
        try:
            known = {(each.get("key"), each.get("answered_at")) for each in JSONLinesReader(path).read()}
        except OSError:
            known = set()
        ended = (vote for vote in self.all().values() if vote.status in (RunStatus.VERIFIED, RunStatus.FAILED))
        lines = [vote.model_dump(mode="json") for vote in ended if vote.answered_at is not None]
        append_lines(path, [line for line in lines if (line["key"], line["answered_at"]) not in known])


@contextmanager
def writable_votes(place: Path) -> Iterator[VoteStore]:
    """Open the votes of a directory for this process alone; raises `LockedError`, `DiskError`, `LedgerError`."""
    directory = place / FOLDER
    if directory.is_symlink():
        raise ConfigError(f"{directory} is a link, and no directory of ours", hint="remove it; nothing was sent")
    with disk_errors(directory):
        directory.mkdir(exist_ok=True)
    with locked(directory), VoteStore(place) as store:
        yield store


def votes_of(place: Path) -> dict[str, Vote]:
    """Return the votes that a directory has, by their keys; raises `LedgerError` where they cannot be read."""
    if not (place / FOLDER / NAME).is_file():
        return {}
    with VoteStore(place, readonly=True) as store:
        return store.all()
