"""`tracking.jsonl`: the ids of a sweep and its runs in a tracking store, so that `resume` goes on there."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

NAME = "tracking.jsonl"


class Known(NamedTuple):
    """A recorded run.

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
        """The run of this number, if recording it was begun."""
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
