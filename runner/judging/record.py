"""Describe the lines of `ratings.jsonl`: what is thought of a file, which of two is better, what is taken back."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
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

LONGEST_NOTE = 20_000
"""Characters."""

LONGEST_LINE = 300_000
"""Bytes of a record as JSON, at most: a note of characters that JSON spells out, with the rest."""

JUDGE_PREFIX = "judge:"
"""How the names of raters begin that are models and no persons."""

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
    version: Literal[1] = 1
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
