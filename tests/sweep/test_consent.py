"""What resuming would pay is what wants money; what exists is brought home without any."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from runner.artifacts.result import Attempt, Result
from runner.artifacts.run_status import RunStatus
from runner.engine.run import Run
from runner.errors import BudgetError
from runner.sweeps.consent import agree_to_rest

STATUSES = ("submitted", "downloaded", "uncertain", "planned", "failed", "verified")


@pytest.fixture
def left(loaded):
    """A run in each state, each of $0.80, of which all but the planned one have spent that."""

    def make(*overrides: str, **consent: bool) -> list[Run]:
        config = loaded("provider=openai", *overrides)
        return [
            Run(index, config, Path(str(index)), earlier=earlier(index, status, config), **consent)
            for index, status in enumerate(STATUSES)
        ]

    def earlier(index: int, status: str, config) -> Result:
        paid = Attempt(number=1, started_at=dt.datetime(2026, 11, 23, tzinfo=dt.UTC), usd=0.8)
        return Result(
            index=index, status=RunStatus(status), provider="openai", endpoint="e", model="sora-2", deployment=None,
            config=config, overrides=[], request_sent={}, attempts=[] if status == "planned" else [paid],
            environment={"runner": "1", "openai": "1", "python": "1"},
        )  # fmt: skip

    return make


def test_only_what_would_be_paid_is_held_back(left):
    held, objection = agree_to_rest(left("budget.max_usd=4.70"))
    assert held == {STATUSES.index("planned")}
    assert isinstance(objection, BudgetError)
    assert "would cost $0.80 on top of $4.00 that is spent or at risk, $4.80 in all" in str(objection)
    assert agree_to_rest(left("budget.max_usd=4.80")) == (set(), None)


def test_what_is_asked_for_anew_counts_again(left):
    held, objection = agree_to_rest(left("budget.max_usd=6.30", again=True, resubmit=True))
    # A verified run that is to be tried again is nobody's wish, but would be paid.
    assert held == {2, 3, 4, 5}
    assert "budget.max_usd=7.20" in (objection.hint or "")


def test_what_was_agreed_to_at_the_start_is_not_asked_again(left):
    assert agree_to_rest(left("budget.confirm_above_usd=0.5")) == (set(), None)


def test_a_sweep_that_has_only_to_be_collected_asks_for_nothing(left):
    runs = [run for run in left("budget.max_usd=0", "budget.confirm_above_usd=0") if run.index != 3]
    assert agree_to_rest(runs) == (set(), None)
