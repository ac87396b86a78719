"""Keep records in the right sweeps' `ratings.jsonl`, and tell of all that are there, in one order."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from runner.config.problem import Problem

from .ratings_file import AnyRecord, CurrentKeys, RatingsFile, Undo, runs_of, skipped_lines


class StrangeRecordError(LookupError):
    """Raised for a record of a run, or an undo of a record, that is not here."""


@dataclass(frozen=True, slots=True)
class Merged:
    """Count records: those that were `taken`, those that were `known` already, and those of runs that are not here."""

    taken: int
    known: int
    strange: int


class RatingLog:
    """Hold the records of some runs as they come, from this process and from others; safe to use from threads.

    Attributes:
        added: how many records were written here.
    """

    def __init__(self) -> None:
        self.added = 0
        self._turn = threading.Lock()
        self._files: dict[Path, RatingsFile] = {}
        self._homes: Mapping[str, Sequence[Path]] = {}
        self._records: dict[str, AnyRecord] = {}
        self._held_by: dict[str, set[Path]] = {}

    def watch(self, homes: Mapping[str, Sequence[Path]], places: Mapping[Path, Iterable[str]]) -> None:
        """Read what lies in `places`, each with the keys of its runs.

        `homes` has, by a run's key, the directories that its records are written to, which are among the places.
        """
        with self._turn:
            self._homes = homes
            for place, keys in places.items():
                if place in self._files:
                    self._files[place].current = CurrentKeys(keys)
                else:
                    self._files[place] = RatingsFile(place, keys)

    @property
    def problems(self) -> list[Problem]:
        """Return the warnings of files of which lines were left out, as far as they were read."""
        with self._turn:
            return [skipped_lines(file) for file in self._files.values() if file.skipped]

    def after(self, number: int) -> list[AnyRecord]:
        """Return the records from the one of this number on; a number stays the same while the process lasts."""
        with self._turn:
            self._read()
            return [*self._records.values()][number:]

    def add(self, records: Sequence[AnyRecord]) -> None:
        """Write records, each to every sweep that it is about, and return when they are on the disk.

        One that is known already is not written again. Raises `StrangeRecordError` before anything is written, and
        `DiskError`.
        """
        with self._turn:
            self._read()
            coming = {each.id: each for each in records}
            homes = self._homes_by_id(coming)
            for each in records:
                if not homes[each.id]:
                    what = f"no record {each.of!r} to take back" if isinstance(each, Undo) else "no such run"
                    raise StrangeRecordError(f"{what} is on this page: {', '.join(runs_of(each))}".removesuffix(": "))
            self._write(coming, homes)

    def merge(self, records: Iterable[AnyRecord]) -> Merged:
        """Write what is new and about runs that are here, as `add` does, and count the rest; raises `DiskError`."""
        with self._turn:
            self._read()
            coming = {each.id: each for each in records}
            known = {name for name in coming if name in self._records}
            homes = self._homes_by_id(coming)
            fitting = {name: each for name, each in coming.items() if homes[name]}
            self._write(fitting, homes)
            return Merged(len(fitting.keys() - known), len(known), len(coming.keys() - fitting.keys() - known))

    def _homes_by_id(self, coming: Mapping[str, AnyRecord]) -> Mapping[str, Sequence[Path]]:
        """Return where each record goes; an undo to what it takes back, which is here or `coming`."""
        homes: dict[str, Sequence[Path]] = {}
        for record in coming.values():
            passed: dict[str, None] = {}
            each: AnyRecord | None = record
            found: Sequence[Path] = []
            while each is not None and each.id not in passed:
                if each.id in homes:
                    found = homes[each.id]
                    break
                passed[each.id] = None
                found = self._own_homes(each)
                each = coming.get(each.of) if isinstance(each, Undo) and not found else None
            homes.update(dict.fromkeys(passed, found))
        return homes

    def _own_homes(self, record: AnyRecord) -> Sequence[Path]:
        """Return where a record goes; of an undo, where what it takes back is already."""
        if isinstance(record, Undo):
            return [*self._held_by.get(record.of, ())]
        runs = [run for run in runs_of(record) if run in self._homes]
        return [*dict.fromkeys(place for run in runs for place in self._homes[run])]

    def _write(self, coming: Mapping[str, AnyRecord], homes: Mapping[str, Sequence[Path]]) -> None:
        by_place: dict[Path, list[AnyRecord]] = {}
        for each in coming.values():
            self.added += each.id not in self._records
            for place in homes[each.id]:
                by_place.setdefault(place, []).append(each)
        for place, records in by_place.items():
            self._take(place, self._files[place].append(records))

    def _read(self) -> None:
        for place, file in self._files.items():
            with suppress(OSError):  # it can be read the next time
                self._take(place, file.news())

    def _take(self, place: Path, records: Iterable[AnyRecord]) -> None:
        for each in records:
            self._records.setdefault(each.id, each)
            self._held_by.setdefault(each.id, set()).add(place)
