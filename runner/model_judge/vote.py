"""Describe one vote of a judge, and keep votes durably in `judge/` of a sweep's directory."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from pydantic import Field

from runner.artifacts.atomic import ROOM, disk_errors
from runner.artifacts.json_lines import JSONLinesReader, append_lines
from runner.artifacts.result import Attempt, ErrorRecord, StoredModel, Usd
from runner.artifacts.run_status import RunStatus
from runner.config.judge import FOLDER, ScoreConfig
from runner.errors import ConfigError
from runner.ledger.database import Format, close, connect, reading, writing
from runner.ledger.ledger import LedgerError
from runner.ledger.lock import locked

from .question import Question, Verdict, names_of, read_choice, read_scores

UNREADABLE = "unreadable_answer"
"""The code of a vote that was answered and paid, and whose answer holds no judgement."""


class VotedFile(StoredModel):
    """Name a file that was judged."""

    run: str
    file: str
    sha256: str


class TokenCount(StoredModel):
    """Count the tokens of a request, as its server told."""

    tokens_in: int
    tokens_out: int
    cached_in: int = 0


class Vote(StoredModel):
    """Hold one vote.

    Attributes:
        key: names the question.
        status: planned, submitting, verified (answered), failed or uncertain, as of a run.
        files: one that is scored, or two in the order in which they were shown.
        criteria: what is scored.
        number: which of several votes on the same it is, from 0.
        answered_by: the model, by the server's word.
        text: the answer as it came.
        verdict: what it says; None where nothing could be read.
        estimated_usd: what its latest request costs at most.
        usd: what it has cost in US dollars, by list price or the server's word; emulated, what it would have.
    """

    version: int = 1
    key: str
    status: RunStatus = RunStatus.PLANNED
    files: list[VotedFile]
    provider: str
    endpoint: str
    model: str
    criteria: list[str]
    temperature: float | None = None
    seed: int | None = None
    number: int = 0
    attempts: list[Attempt] = Field(default_factory=list)
    answered_at: dt.datetime | None = None
    answered_by: str | None = None
    request_id: str | None = None
    text: str | None = None
    verdict: Verdict | None = None
    usage: TokenCount | None = None
    estimated_usd: Usd = None
    usd: Usd = None
    error: ErrorRecord | None = None

    @property
    def compares(self) -> bool:
        """Return whether two files were compared."""
        return len(self.files) > 1

    @property
    def counted_usd(self) -> list[float | None]:
        """Return what each of its requests counts in US dollars."""
        return [attempt.usd for attempt in self.attempts]

    @property
    def free(self) -> bool:
        """Return whether nothing of it was or may be paid, so that it may be asked as if for the first time.

        What a filter refuses is not asked for again by itself, either.
        """
        filtered = self.error is not None and self.error.type == "ContentModerationError"
        return self.status is RunStatus.PLANNED or (
            self.status is RunStatus.FAILED and self.text is None and not filtered and not any(self.counted_usd)
        )

    def read(self, text: str) -> Verdict | None:
        """Return what an answer's text says; None where it is no judgement."""
        return read_choice(text) if self.compares else read_scores(text, self.criteria)


def planned_vote(question: Question, config: ScoreConfig, endpoint: str) -> Vote:
    """Return the vote that a question begins."""
    judge = config.judge
    return Vote(
        key=question.key(config, endpoint),
        files=[VotedFile(run=file.run, file=file.name, sha256=file.sha256) for file in question.files],
        provider=config.provider.kind,
        endpoint=endpoint,
        model=judge.sent_model,
        criteria=[] if question.compares else names_of(judge),
        temperature=judge.temperature,
        seed=None if judge.seed is None else judge.seed + question.number,
        number=question.number,
    )


NAME = "votes.sqlite3"
LINES = "votes.jsonl"
"""What was answered, one vote a line, for people and programs to read."""

_TABLES = "CREATE TABLE votes (key TEXT PRIMARY KEY, status TEXT NOT NULL, json TEXT NOT NULL);"
_REPLACE = "INSERT OR REPLACE INTO votes (key, status, json) VALUES (?, ?, ?)"
_REST = f"nothing in it was changed; {LINES} beside it tells what was answered"


def _without(path: Path) -> str:
    return f"{_REST}; without {path.name}, everything would be asked and paid again: move {path} away to do that"


FORMAT = Format(_TABLES, 1, _REST, _without, LedgerError, "answers that were written are not asked for again")

_NOTHING_ASKED = f"{ROOM}; nothing was sent to a judge"


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
    with disk_errors(directory, _NOTHING_ASKED):
        directory.mkdir(exist_ok=True)
    with locked(directory, _NOTHING_ASKED), VoteStore(place) as store:
        yield store


def votes_of(place: Path) -> dict[str, Vote]:
    """Return the votes that a directory has, by their keys; raises `LedgerError` where they cannot be read."""
    if not (place / FOLDER / NAME).is_file():
        return {}
    with VoteStore(place, readonly=True) as store:
        return store.all()
