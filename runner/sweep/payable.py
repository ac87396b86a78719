"""Which runs of a plan will be paid: neither those that their ledger knows already, nor those that can be reused."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from runner.artifacts.result import RunStatus
from runner.config import RunConfig
from runner.ledger import Acquaintance, Ledger, Reuse, summary


class Intent(NamedTuple):
    """A run that someone means to make."""

    number: int
    config: RunConfig
    directory: Path
    fingerprint: str


class Payable(NamedTuple):
    """What is left to be paid, and what the same runs count already in US dollars."""

    intents: list[Intent]
    spent: float


def payable(intents: Iterable[Intent]) -> Payable:
    """Look the runs up in the ledgers of their directories and, where they ask for it, among finished ones."""
    ledgers, reuse = Acquaintance(), Reuse()
    places: set[Path] = set()
    left = []
    for intent in intents:
        found = ledgers.find(intent.directory)
        if found is not None:
            places.add(found[0])
        begun = found is not None and found[1].status is not RunStatus.PLANNED
        if not begun and not (intent.config.reuse and reuse.find(intent.fingerprint, intent.directory)):
            left.append(intent)
    return Payable(left, sum(_spent(place) for place in places))


def _spent(place: Path) -> float:
    with Ledger(place, readonly=True) as ledger:
        return summary(ledger).usd or 0.0
