"""Keep records in `ratings.jsonl` of a sweep's directory: append them durably, read them, and merge several files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from runner.artifacts.json_lines import JSONLinesReader, append_lines
from runner.config.problem import Problem

from .current_keys import CurrentKeys
from .record import AnyRecord, record_of

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
