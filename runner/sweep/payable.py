"""Which runs of a plan will be paid: neither those that their ledger knows already, nor those that can be reused."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from runner.artifacts.result import RunStatus
from runner.compose.job import Job
from runner.config import Budget, RunConfig
from runner.ledger import Ledger, LedgerIndex, Reuse
from runner.ledger.budget import spent


class Intent(NamedTuple):
    """A run that someone means to make."""

    number: int
    config: RunConfig
    directory: Path
    fingerprint: str

    @classmethod
    def of(cls, job: Job) -> Intent:
        """Return what a planned job is about."""
        return cls(job.num, job.config, job.directory, job.fingerprint)


class Payable(NamedTuple):
    """What is left to be paid, and what the same runs count already in US dollars."""

    intents: list[Intent]
    spent: float


def payable(intents: Iterable[Intent]) -> Payable:
    """Look the runs up in the ledgers of their directories and, where they ask for it, among finished ones."""
    ledgers, reuse = LedgerIndex(), Reuse()
    places: dict[Path, Budget] = {}
    left = []
    for intent in intents:
        found = ledgers.find(intent.directory)
        if found is not None:
            places[found[0]] = intent.config.budget
        begun = found is not None and found[1].status is not RunStatus.PLANNED
        if not begun and not (intent.config.reuse and reuse.find(intent.fingerprint, intent.directory)):
            left.append(intent)
    return Payable(left, sum(_spent(place, budget) for place, budget in places.items()))


def _spent(place: Path, budget: Budget) -> float:
    with Ledger(place, readonly=True) as ledger:
        return spent((entry.result for entry in ledger.entries() if entry.result is not None), budget)
