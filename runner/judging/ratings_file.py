"""Describe the lines of `ratings.jsonl`, keep them in a sweep's directory, and read those that somebody exported."""

from __future__ import annotations

import datetime as dt
import json
import re
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from runner.artifacts.json_lines import JSONLinesReader, append_lines
from runner.config.problem import Problem
from runner.errors import ConfigError
from runner.text_file import read_text

LONGEST_NOTE = 20_000
"""Characters."""

LONGEST_LINE = 300_000
"""Bytes of a record as JSON, at most: a note of characters that JSON spells out, with the rest."""

JUDGE_PREFIX = "judge:"
"""How the names of raters begin that are models and no persons."""

VERSION: Literal[1] = 1
"""Of the records that are written and read."""

Outcome = Literal["left", "right", "tie", "both_bad"]


def _utc(moment: dt.datetime) -> dt.datetime:
    try:
        return moment.astimezone(dt.UTC)
    except OverflowError as error:
        raise ValueError("no moment that has a date in UTC") from error


def _spelled(moment: dt.datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _text(most: int) -> AfterValidator:
    """Limit the characters; pydantic's own limit takes no text that has half of a surrogate pair, as paths may."""

    def checked(text: str) -> str:
        if len(text) > most:
            raise ValueError(f"at most {most:,} characters")
        return text

    return AfterValidator(checked)


def _one_line(text: str) -> str:
    if not text.strip() or any(ord(letter) < 32 or ord(letter) == 127 for letter in text):
        raise ValueError("one line of text, without control characters")
    return text


def _once(tags: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(tags))


Moment = Annotated[AwareDatetime, AfterValidator(_utc), PlainSerializer(_spelled)]
Name = Annotated[str, _text(80), AfterValidator(_one_line)]
Tag = Annotated[str, _text(60), AfterValidator(_one_line)]
Run = Annotated[str, _text(1000)]
"""A run's key: the same on every page, as in 09-30-00-x7k2/12/ab12cd34."""
File = Annotated[str, _text(1000)]
"""A file's name in its run's directory; empty: the run as a whole."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class _Record(_Model):
    version: Literal[1] = VERSION
    id: Annotated[str, Field(min_length=1, max_length=64)]
    """Made by whoever judges: records with one id are one record."""
    at: Moment
    rater: Name

    def as_json(self) -> dict[str, Any]:  # Any: JSON
        """Return the record as its line has it."""
        return self.model_dump()


class Rating(_Record):
    """Hold all that one person thinks of one file; the latest counts."""

    kind: Literal["rating"] = "rating"
    run: Run
    file: File = ""
    rating: Annotated[int, Field(ge=1, le=5)] | None = None
    tags: Annotated[tuple[Tag, ...], Field(max_length=100), AfterValidator(_once)] = ()
    star: bool = False
    reject: bool = False
    note: Annotated[str, _text(LONGEST_NOTE)] = ""

    @model_validator(mode="after")
    def _decided(self) -> Self:
        if self.star and self.reject:
            raise ValueError("a file is starred or rejected, never both")
        return self

    @property
    def empty(self) -> bool:
        """Return whether nothing is said, as where all was taken back."""
        return not (self.rating or self.tags or self.star or self.reject or self.note)


class FileReference(_Model):
    """Name one file of one run."""

    run: Run
    file: File = ""


class Pair(_Record):
    """Hold which of two files is better."""

    kind: Literal["pair"] = "pair"
    left: FileReference
    right: FileReference
    outcome: Outcome
    by: Annotated[str, _text(200)] | None = None
    """The axis under judgement, as in model.name."""
    seed: int | None = None
    """What the order of pairs and sides was drawn with."""

    @property
    def left_key(self) -> tuple[str, str]:
        """Return the run's key and the file's name of the left one."""
        return self.left.run, self.left.file

    @property
    def right_key(self) -> tuple[str, str]:
        """Return the run's key and the file's name of the right one."""
        return self.right.run, self.right.file

    @model_validator(mode="after")
    def _two(self) -> Self:
        if self.left == self.right:
            raise ValueError("a file is not compared with itself")
        return self


class Undo(_Record):
    """Take back a record of the same rater."""

    kind: Literal["undo"] = "undo"
    of: Annotated[str, _text(64)]


Record = Annotated[Rating | Pair | Undo, Field(discriminator="kind")]
AnyRecord = Rating | Pair | Undo

_RECORD: TypeAdapter[AnyRecord] = TypeAdapter(Record)
_SPACE = re.compile(r"\s+")


def record_of(value: Mapping[str, Any]) -> AnyRecord | None:  # Any: JSON
    """Return the record that a line's object is; None for one of another version or kind, and for what is none."""
    try:
        return _RECORD.validate_python(value)
    except ValidationError:
        return None


def checked_record(value: object) -> AnyRecord:
    """Return the record that the object is; raises `ValueError` that says what is wrong with it."""
    try:
        return _RECORD.validate_python(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place, message = ".".join(map(str, first["loc"][1:])), first["msg"].removeprefix("Value error, ")
        raise ValueError(_SPACE.sub(" ", f"{place}: {message}" if place else message)) from error


def runs_of(record: AnyRecord) -> tuple[str, ...]:
    """Return the keys of the runs that a record names."""
    if isinstance(record, Rating):
        return (record.run,)
    return (record.left.run, record.right.run) if isinstance(record, Pair) else ()


_NOTES = uuid.UUID("5f0c2b0e-6a0b-4c3f-9f9e-2f4f5a1d7c11")
"""The names of notes are drawn below it: an old note is the same record whenever it is imported."""


@dataclass(frozen=True, slots=True)
class Imported:
    """Hold a file's records, how many lines of it were left out, and how many of those another version wrote."""

    records: tuple[AnyRecord, ...]
    left_out: int
    other_versions: int


def read_exported(path: Path, rater: str) -> Imported:
    """Return what the file holds; old notes name no rater: they are `rater`'s.

    Raises `ConfigError` where it cannot be read, or holds no record.
    """
    try:
        text = read_text(path)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror or error}", hint=_HINT) from error
    notes = _object(text)
    others = 0
    if notes is not None and isinstance(notes.get("notes"), list):
        found = [_from_note(each, notes, rater) for each in notes["notes"]]
    else:
        values = [_object(line) for line in text.split("\n") if line.strip()]
        found = [record_of(value) if value else None for value in values]
        others = sum(map(_of_another_version, values))
    records = tuple(each for each in found if each is not None)
    if not records and others:
        lines = "1 line" if others == 1 else f"{others:,} lines"
        message = f"{path} holds no judgements that this version of runner knows: {lines} of another version"
        raise ConfigError(message, hint="import it with the version of runner that wrote it, or a later one")
    if not records:
        raise ConfigError(f"{path} holds no judgements", hint=_HINT)
    return Imported(records, len(found) - len(records), others)


def _of_another_version(value: Mapping[str, Any] | None) -> bool:  # Any: JSON
    """Return whether a line's object is a judgement as another version writes it."""
    if value is None or not {"id", "rater", "kind"} <= value.keys():
        return False
    return isinstance(version := value.get("version"), int) and version != VERSION


_HINT = "“Export ratings” on a page writes such a file: ratings.jsonl"


def _object(text: str) -> dict[str, Any] | None:  # Any: JSON
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _from_note(note: object, file: Mapping[str, Any], rater: str) -> AnyRecord | None:  # Any: JSON
    """Return an old note, which is about a run as a whole, as a record; None for what is none."""
    if not isinstance(note, dict) or not isinstance(note.get("key"), str):
        return None
    star, text = note.get("star") is True, note.get("text")
    facts = {
        "run": note["key"],
        "star": star,
        "reject": note.get("reject") is True and not star,
        "note": text if isinstance(text, str) else "",
    }
    name = json.dumps([facts, file.get("exported_at"), rater])
    made = {"kind": "rating", "id": uuid.uuid5(_NOTES, name).hex, "at": file.get("exported_at"), "rater": rater}
    try:
        return checked_record(made | facts)
    except ValueError:
        return None


class CurrentKeys:
    """Know the keys that a directory's runs have now; a key begins with what the directory was called."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._keys = frozenset(keys)
        self._below = _unique(self._keys, _below)
        self._work = _unique(self._keys, _work)

    def record(self, record: AnyRecord) -> AnyRecord:
        """Return a record of this directory's `ratings.jsonl` with the keys that its runs have now.

        What is rated there is always of the directory's own runs. Of a pair one side may be another sweep's: it is
        changed only where both sides begin with the same name, which is none that is used now.
        """
        if isinstance(record, Rating):
            return record.model_copy(update={"run": self._now(record.run)})
        if isinstance(record, Pair):
            runs = (record.left.run, record.right.run)
            if not self._keys.isdisjoint(runs) or _begin(runs[0]) != _begin(runs[1]):
                return record
            left, right = map(self._now, runs)
            if (left, record.left.file) != (right, record.right.file):
                sides = {"left": FileReference(run=left, file=record.left.file)}
                sides["right"] = FileReference(run=right, file=record.right.file)
                return record.model_copy(update=sides)
        return record

    def _now(self, run: str) -> str:
        if run in self._keys:
            return run
        return self._below.get(_below(run)) or self._work.get(_work(run)) or run


def _begin(key: str) -> str:
    return key.partition("/")[0]


def _below(key: str) -> str:
    """Return the run's place below its sweep's directory, with the mark of what it was asked for."""
    return key.partition("/")[2]


def _work(key: str) -> str:
    """Return the mark of what the run was asked for."""
    return key.rpartition("/")[2]


def _unique(keys: Iterable[str], part: Callable[[str], str]) -> Mapping[str, str]:
    """Return the keys by a part of theirs that no other has."""
    found: dict[str, str | None] = {}
    for key in keys:
        found[part(key)] = None if part(key) in found else key
    return {name: key for name, key in found.items() if key is not None}


NAME = "ratings.jsonl"
"""In a sweep's directory, or in a run's that is of no sweep."""


class RatingsFile:
    """Read and extend the records of one directory."""

    def __init__(self, directory: Path, keys: Iterable[str] = ()) -> None:
        """Take the `keys` of the directory's runs: it may have been called otherwise when they were judged."""
        self.path = directory / NAME
        self.current = CurrentKeys(keys)
        self._reader = JSONLinesReader(self.path)
        self._ids: set[str] = set()
        self._strange = 0

    @property
    def skipped(self) -> int:
        """Return how many lines read so far were left alone: cut short, of another version, or no records."""
        return self._strange + self._reader.unreadable

    def news(self) -> list[AnyRecord]:
        """Return the records that came since the last call, each id once; raises `OSError`."""
        objects = self._reader.read()
        found = [record_of(each) for each in objects]
        self._strange += found.count(None)
        return self._new(self.current.record(each) for each in found if each is not None)

    def append(self, records: Sequence[AnyRecord]) -> list[AnyRecord]:
        """Append what is not there yet, and return that once it is on the disk; raises `DiskError` or `OSError`."""
        self.news()
        added = self._new(records)
        try:
            append_lines(self.path, [each.as_json() for each in added])
        except BaseException:
            self._ids -= {each.id for each in added}
            raise
        return added

    def _new(self, records: Iterable[AnyRecord]) -> list[AnyRecord]:
        found = {each.id: each for each in records if each.id not in self._ids}
        self._ids |= {*found}
        return [*found.values()]


@dataclass(frozen=True, slots=True)
class ReadRatings:
    """Hold the records of several directories, each once, and what is to be said of their files."""

    records: tuple[AnyRecord, ...]
    problems: tuple[Problem, ...] = ()


def read_ratings(places: Mapping[Path, Iterable[str]]) -> ReadRatings:
    """Read the records that lie in directories, of which each comes with the keys of its runs.

    A file that cannot be read is a warning.
    """
    records: dict[str, AnyRecord] = {}
    problems: list[Problem] = []
    for directory, keys in places.items():
        file = RatingsFile(directory, keys)
        try:
            records = {each.id: each for each in file.news()} | records
        except OSError as error:
            problems.append(Problem("", f"{file.path} cannot be read: {error.strerror or error}", severity="warning"))
        if file.skipped:
            problems.append(skipped_lines(file))
    return ReadRatings(tuple(records.values()), tuple(problems))


def skipped_lines(file: RatingsFile) -> Problem:
    """Return the warning that some lines of a file were left alone."""
    lines = "1 line was" if file.skipped == 1 else f"{file.skipped:,} lines were"
    message = f"{lines} left out of {file.path}: cut short, of another version, or no judgement"
    return Problem("", message, "nothing of the file was changed", "warning")
