"""Read records from files that somebody exported: lines of JSON, or the notes of an older page."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.errors import ConfigError
from runner.text_file import read_text

from .record import AnyRecord, checked_record, record_of

_NOTES = uuid.UUID("5f0c2b0e-6a0b-4c3f-9f9e-2f4f5a1d7c11")
"""The names of notes are drawn below it: an old note is the same record whenever it is imported."""


@dataclass(frozen=True, slots=True)
class Imported:
    """Hold a file's records, and how many lines of it were left out."""

    records: tuple[AnyRecord, ...]
    left_out: int


def read_exported(path: Path, rater: str) -> Imported:
    """Return what the file holds; old notes name no rater: they are `rater`'s.

    Raises `ConfigError` where it cannot be read, or holds no record.
    """
    try:
        text = read_text(path)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror or error}", hint=_HINT) from error
    notes = _object(text)
    if notes is not None and isinstance(notes.get("notes"), list):
        found = [_from_note(each, notes, rater) for each in notes["notes"]]
    else:
        found = [record_of(value) if (value := _object(line)) else None for line in text.split("\n") if line.strip()]
    records = tuple(each for each in found if each is not None)
    if not records:
        raise ConfigError(f"{path} holds no judgements", hint=_HINT)
    return Imported(records, len(found) - len(records))


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
