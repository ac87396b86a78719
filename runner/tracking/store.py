"""Rely on a store that keeps runs, and find what it has of them in `tracking.jsonl`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import NamedTuple, Protocol

Value = str | int | float | bool


class End(Enum):
    """Describe how a run, or a sweep's own, ended."""

    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    OPEN = "open"
    """It did not: `resume` goes on with it."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Describe what is recorded of a run, or of a sweep as a whole.

    Attributes:
        params: its resolved config, dotted keys to plain values.
        metrics: numbers to compare by; money in US dollars, times in seconds.
        tags: what is said of it; None: it has nothing of the kind (any more).
        files: what is uploaded.
        began: Unix seconds.
        ended: Unix seconds, None if it did not end.
    """

    name: str
    params: Mapping[str, Value]
    metrics: Mapping[str, float]
    tags: Mapping[str, str | None]
    files: tuple[Path, ...] = ()
    end: End = End.OPEN
    began: float | None = None
    ended: float | None = None


class Store(Protocol):
    """A place that keeps runs; used by one thread. Whatever a method raises ends the tracking and nothing else."""

    @property
    def place(self) -> str:
        """Return where it is, without credentials: ids are of no use in another."""

    def begin(self, sweep: Facts, known: str | None) -> str:
        """Begin the sweep's own run, or go on with the one of the `known` id if it is still there; returns its id.

        What its runs have in common is not known before its end: a sweeper may come with others.
        """

    def record(self, run: Facts, parent: str | None, known: str | None) -> Iterator[str]:
        """Record an ended run, below `parent` if it is of a sweep, or bring the one of the `known` id up to date.

        Yields its id as soon as it has one, and again whenever something was done, as a file that is uploaded.
        """

    def end(self, parent: str, sweep: Facts) -> None:
        """End the sweep's own run, with what its runs have in common and what they amount to."""


NAME = "tracking.jsonl"


class Known(NamedTuple):
    """Describe a recorded run.

    Attributes:
        id: the store's.
        state: how far the run had come and when, as it is recorded; empty: recording it was begun.
    """

    id: str
    state: str


class Register:
    """One line an event, appended: a line that a crash cut short is one run that is recorded anew."""

    def __init__(self, directory: Path, place: str) -> None:
        """What the file in `directory` says of the store at `place`; raises `OSError` if it cannot be read."""
        self._path = directory / NAME
        self._place = place
        self.parent: str | None = None
        self._runs: dict[int, Known] = {}
        self._cut = False
        with suppress(FileNotFoundError):
            self._read()

    def known(self, number: int) -> Known | None:
        """Return the run of this number, if recording it was begun."""
        return self._runs.get(number)

    def begin(self, parent: str | None) -> None:
        """Keep the sweep's own run (None: a run alone); those recorded below another are of no use any more."""
        if parent != self.parent or not self._path.is_file():
            self.parent, self._runs = parent, {}
            self._append({"place": self._place, "parent": parent})

    def keep(self, number: int, known: Known) -> None:
        """Keep a run that was recorded, or begun to be."""
        self._runs[number] = known
        self._append({"run": number, **known._asdict()})

    def _append(self, line: dict[str, object]) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write("\n" * self._cut + json.dumps(line) + "\n")
        self._cut = False

    def _read(self) -> None:
        here = False
        whole = self._path.read_text(encoding="utf-8", errors="replace")
        self._cut = bool(whole) and not whole.endswith("\n")
        for text in whole.splitlines():
            with suppress(ValueError, KeyError, TypeError):
                line = json.loads(text)
                if "place" in line:
                    here = line["place"] == self._place
                    self.parent, self._runs = (line["parent"], {}) if here else (None, {})
                elif here:
                    self._runs[int(line["run"])] = Known(str(line["id"]), str(line["state"]))
