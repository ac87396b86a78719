"""Keep what is judged on a page in the right sweeps' `ratings.jsonl`, and tell every page of it, in one order."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from runner.judging.ratings_file import RatingsFile
from runner.judging.record import AnyRecord, Undo, runs_of


class StrangeRecordError(LookupError):
    """Raised for a record of a run, or an undo of a record, that is not here."""


class RatingLog:
    """Hold the records of a page's runs as they come, from this process and from others; safe to use from threads.

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

    def watch(self, homes: Mapping[str, Sequence[Path]], places: Iterable[Path]) -> None:
        """Read what lies in `places`; `homes` has, by a run's key, the directories that its records are written to."""
        with self._turn:
            self._homes = homes
            wanted = dict.fromkeys([*places, *(place for each in homes.values() for place in each)])
            self._files |= {place: RatingsFile(place) for place in wanted if place not in self._files}

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
            ids = {each.id for each in records}
            homes = [self._homes_of(each, ids) for each in records]
            for record, places in zip(records, homes, strict=True):
                self.added += record.id not in self._records
                for place in places or self._homes_of(record, set()):
                    self._take(place, self._files[place].append([record]))

    def _homes_of(self, record: AnyRecord, coming: set[str]) -> Sequence[Path]:
        """Return where the record goes; nowhere yet if it takes back one that is `coming` with it."""
        if isinstance(record, Undo):
            if record.of not in self._held_by and record.of not in coming:
                raise StrangeRecordError(f"there is no record {record.of!r} to take back")
            return [*self._held_by.get(record.of, ())]
        for run in runs_of(record):
            if run not in self._homes:
                raise StrangeRecordError(f"there is no run {run!r} on this page")
        return [*dict.fromkeys(place for run in runs_of(record) for place in self._homes[run])]

    def _read(self) -> None:
        for place, file in self._files.items():
            with suppress(OSError):  # it can be read the next time
                self._take(place, file.news())

    def _take(self, place: Path, records: Iterable[AnyRecord]) -> None:
        for each in records:
            self._records.setdefault(each.id, each)
            self._held_by.setdefault(each.id, set()).add(place)
