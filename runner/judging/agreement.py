"""Measure how far raters agree: Krippendorff's alpha, 1 where they always do, 0 where as often as by chance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import TypeVar

from .judgements import FileKey, Judgements
from .record import Pair

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
