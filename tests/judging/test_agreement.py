"""Krippendorff's alpha, held against the example that he computes by hand."""

from __future__ import annotations

from collections import Counter

import pytest

from runner.judging.judgements import Judgements, alpha, nominal, ordinal, pair_agreement, rating_agreement
from runner.judging.ratings_file import AnyRecord, checked_record

# Krippendorff (2011), example C: four observers, twelve units; 0 is missing.
OBSERVERS = (
    (1, 2, 3, 3, 2, 1, 4, 1, 2, 0, 0, 0),
    (1, 2, 3, 3, 2, 2, 4, 1, 2, 5, 0, 3),
    (0, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, 0),
    (1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, 0),
)
UNITS = [[value for value in unit if value] for unit in zip(*OBSERVERS, strict=True)]


def test_alpha_is_what_krippendorff_computes() -> None:
    paired = Counter(value for unit in UNITS if len(unit) > 1 for value in unit)
    assert alpha(UNITS, nominal) == pytest.approx(0.743, abs=5e-4)
    assert alpha(UNITS, ordinal(paired)) == pytest.approx(0.815, abs=5e-4)
    assert alpha(UNITS, lambda one, other: float(one - other) ** 2) == pytest.approx(0.849, abs=5e-4)


def test_ratings_of_several_raters_are_units() -> None:
    def rating(observer: int, unit: int, value: int) -> AnyRecord:
        return checked_record(
            {"kind": "rating", "id": f"{observer}-{unit}", "at": "2026-11-23T09:30:00Z", "rater": f"r{observer}",
             "run": f"run {unit}", "file": "a.png", "rating": value}
        )  # fmt: skip

    records = [
        rating(observer, unit, value)
        for observer, values in enumerate(OBSERVERS)
        for unit, value in enumerate(values)
        if value
    ]
    assert rating_agreement(Judgements(records)) == pytest.approx(0.815, abs=5e-4)
    assert rating_agreement(Judgements(records[:3])) is None


def test_sides_do_not_matter_to_the_agreement_on_pairs() -> None:
    sides = [{"run": run, "file": "a.png"} for run in "ab"]

    def pair(rater: str, outcome: str, *, turned: bool = False) -> AnyRecord:
        left, right = reversed(sides) if turned else sides
        return checked_record(
            {"kind": "pair", "id": rater, "at": "2026-11-23T09:30:00Z", "rater": rater, "left": left, "right": right,
             "outcome": outcome}
        )  # fmt: skip

    assert pair_agreement(Judgements([pair("ann", "left"), pair("bob", "right", turned=True)])) == 1
    assert pair_agreement(Judgements([pair("ann", "left"), pair("bob", "left", turned=True)])) == 0
    assert pair_agreement(Judgements([pair("ann", "left")])) is None
