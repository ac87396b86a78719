"""Find what of all records counts: each rater's latest word on a file, pairs that were not taken back, what is kept."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from .record import AnyRecord, Pair, Rating, Undo

KEEPS = 4.0
"""The mean rating from which on a file is kept."""

FileKey = tuple[str, str]
"""A run's key and a file's name; the name is empty for the run as a whole."""


@dataclass(frozen=True, slots=True)
class FileJudgement:
    """Hold what all raters think of one file, or of all files of a run.

    Attributes:
        ratings: the latest of each rater, by the rater's name.
    """

    ratings: Mapping[str, Rating]

    @property
    def numbers(self) -> Sequence[int]:
        """Return the ratings from 1 to 5, of those who gave one."""
        return [each.rating for each in self.ratings.values() if each.rating is not None]

    @property
    def mean(self) -> float | None:
        """Return the mean rating; None if nobody gave one."""
        return sum(self.numbers) / len(self.numbers) if self.numbers else None

    @property
    def starred(self) -> bool:
        """Return whether somebody starred it."""
        return any(each.star for each in self.ratings.values())

    @property
    def rejected(self) -> bool:
        """Return whether somebody rejected it."""
        return any(each.reject for each in self.ratings.values())

    @property
    def kept(self) -> bool:
        """Return whether it is chosen: starred or rated well enough, and rejected by nobody."""
        return not self.rejected and (self.starred or (self.mean is not None and self.mean >= KEEPS))

    @property
    def tags(self) -> Sequence[str]:
        """Return the tags that anybody gave it, each once."""
        return [*dict.fromkeys(tag for each in self.ratings.values() for tag in each.tags)]

    @property
    def notes(self) -> Mapping[str, str]:
        """Return what was written about it, by the rater."""
        return {rater: each.note for rater, each in self.ratings.items() if each.note}


class Judgements:
    """Hold what counts of records that came from anywhere, in any order, some of them more than once."""

    def __init__(self, records: Iterable[AnyRecord]) -> None:
        # Of two of one moment, the one that stands later counts.
        ordered = sorted({each.id: each for each in records}.values(), key=_moment)
        gone = _taken_back(ordered)
        self._latest: dict[FileKey, dict[str, Rating]] = {}
        pairs: list[Pair] = []
        for each in ordered:
            if each.id in gone:
                continue
            if isinstance(each, Rating):
                self._latest.setdefault((each.run, each.file), {})[each.rater] = each
            elif isinstance(each, Pair):
                pairs.append(each)
        self.pairs: Sequence[Pair] = pairs

    @cached_property
    def ratings(self) -> Sequence[Rating]:
        """Return each rater's latest word on each file, those that say nothing any more left out."""
        return [each for by_rater in self._latest.values() for each in by_rater.values() if not each.empty]

    @property
    def raters(self) -> Sequence[str]:
        """Return who judged anything that counts, by name."""
        return sorted({each.rater for each in (*self.ratings, *self.pairs)})

    def of(self, run: str, file: str, *, main: bool = False) -> FileJudgement:
        """Return what is thought of a file; what was said of a run as a whole is about its `main` file."""
        latest = {**(self._latest.get((run, ""), {}) if main else {}), **self._latest.get((run, file), {})}
        return FileJudgement({rater: each for rater, each in latest.items() if not each.empty})

    def of_run(self, run: str, files: Sequence[str]) -> Sequence[FileJudgement]:
        """Return what is thought of each of a run's files, of which the first is the main one."""
        return [self.of(run, file, main=number == 0) for number, file in enumerate(files)]


def _moment(record: AnyRecord) -> dt.datetime:
    return record.at


def _taken_back(ordered: Sequence[AnyRecord]) -> set[str]:
    """Return the ids of records that their own raters took back; who takes back an undo has the record again."""
    raters = {each.id: each.rater for each in ordered}
    gone: set[str] = set()
    for each in reversed(ordered):
        if isinstance(each, Undo) and each.id not in gone and raters.get(each.of) == each.rater:
            gone.add(each.of)
    return gone
