"""Find what of all records counts: each rater's latest word on a file, and how far raters agree."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from .ratings_file import AnyRecord, Pair, Rating, Undo

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


Value = TypeVar("Value", bound=Hashable)
Difference = Callable[[Value, Value], float]
"""The squared difference of two values."""

_MIRRORED = {"left": "right", "right": "left"}


def rating_agreement(judgements: Judgements) -> float | None:
    """Return the alpha of the ratings from 1 to 5, as ranks; None where no file has two raters."""
    units: dict[FileKey, list[int]] = {}
    for each in judgements.ratings:
        if each.rating is not None:
            units.setdefault((each.run, each.file), []).append(each.rating)
    values = [value for unit in units.values() if len(unit) > 1 for value in unit]
    return alpha(units.values(), ordinal(Counter(values)))


def pair_agreement(judgements: Judgements) -> float | None:
    """Return the alpha of what was chosen of pairs, as names; None where no pair has two raters.

    A rater who chose more than once of the same two counts with the last choice.
    """
    units: dict[tuple[FileKey, FileKey], dict[str, str]] = {}
    for each in judgements.pairs:
        one, other, outcome = turned(each)
        units.setdefault((one, other), {})[each.rater] = outcome
    return alpha(([*unit.values()] for unit in units.values()), nominal)


def turned(pair: Pair) -> tuple[FileKey, FileKey, str]:
    """Return the two files in an order that does not depend on their sides, and the outcome as seen from there."""
    if pair.left_key < pair.right_key:
        return pair.left_key, pair.right_key, pair.outcome
    return pair.right_key, pair.left_key, _MIRRORED.get(pair.outcome, pair.outcome)


def nominal(one: object, other: object) -> float:
    """Return the difference of two names: none, or one."""
    return float(one != other)


def ordinal(counts: Mapping[int, int]) -> Difference[int]:
    """Return the difference of two ranks: how many values lie between them, of those that were given (`counts`)."""

    def difference(one: int, other: int) -> float:
        low, high = sorted((one, other))
        between = sum(count for value, count in counts.items() if low <= value <= high)
        return float(between - (counts[low] + counts[high]) / 2) ** 2

    return difference


def alpha(units: Iterable[Sequence[Value]], difference: Difference[Value]) -> float | None:
    """Return Krippendorff's alpha of units with the values that their raters gave; None where no unit has two.

    Klaus Krippendorff, Computing Krippendorff's Alpha-Reliability (2011). Where all values are the same, it is 1.
    """
    paired = [unit for unit in units if len(unit) > 1]
    if not paired:
        return None
    observed = sum(
        difference(one, other) / (len(unit) - 1)
        for unit in paired
        for place, one in enumerate(unit)
        for also, other in enumerate(unit)
        if place != also
    )
    counts = Counter(value for unit in paired for value in unit)
    expected = sum(
        difference(one, other) * number * also for one, number in counts.items() for other, also in counts.items()
    )
    total = counts.total()
    return 1.0 if expected == 0 else 1 - (total - 1) * observed / expected


@dataclass(frozen=True, slots=True)
class Preference:
    """Hold two files for one prompt, and how many chose each."""

    prompt: str
    chosen: FileKey
    rejected: FileKey
    chosen_votes: int
    rejected_votes: int


def preferences(judgements: Judgements, prompts: Mapping[FileKey, str]) -> Iterator[Preference]:
    """Yield what most raters chose of each two files; those with as many votes, or with two prompts, are left out.

    `prompts` has the text of each file that is known.
    """
    votes: dict[tuple[FileKey, FileKey], Counter[str]] = {}
    for each in judgements.pairs:
        one, other, outcome = turned(each)
        votes.setdefault((one, other), Counter())[outcome] += 1
    for (one, other), counts in votes.items():
        ahead = counts["left"] - counts["right"]
        if ahead and one in prompts and other in prompts and prompts[one] == prompts[other]:
            chosen, rejected = (one, other) if ahead > 0 else (other, one)
            most, least = max(counts["left"], counts["right"]), min(counts["left"], counts["right"])
            yield Preference(prompts[one], chosen, rejected, most, least)
