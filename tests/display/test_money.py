"""The closing lines about money: what may be charged is in the sum, what is emulated or reused is not."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from runner.artifacts.result import Attempt, ErrorRecord, Result
from runner.artifacts.run_status import RunStatus
from runner.config.estimate import dollars
from runner.display.closing import print_closing
from runner.results.state import state_of
from runner.results.totals import money, resume_command_for, totals

NOW = dt.datetime(2026, 11, 23, tzinfo=dt.UTC)


def attempt(usd: float | None, provider: str = "openai") -> Attempt:
    return Attempt(number=1, provider=provider, started_at=NOW, usd=usd)


def short_of(key: str) -> ErrorRecord:
    return ErrorRecord(type="BudgetError", code=key, message="reached", hint=None, retryable=False)


@pytest.fixture
def result(loaded):
    def make(*overrides: str, status: str = "verified", provider: str = "openai", **fields) -> Result:
        config = loaded(f"provider={provider}", *overrides)
        facts = {"cost": {"estimated_usd": 0.8}, "overrides": [], "request_sent": {}, "deployment": None, **fields}
        return Result(
            index=0, status=RunStatus(status), provider=provider, endpoint="e", model="sora-2", config=config,
            environment={"runner": "1", "openai": "1", "python": "1"}, **facts,
        )  # fmt: skip

    return make


def test_every_request_that_may_be_charged_is_in_the_cost(result):
    runs = [
        result(attempts=[attempt(0), attempt(0.8)], job_id="a"),
        result(attempts=[attempt(0.8)], status="uncertain"),
        result(attempts=[attempt(0.8), attempt(0.7)], status="failed"),
        result(status="planned"),
    ]
    assert money(runs) == "$3.10 spent of $3.20 estimated"


def test_an_unknown_cost_is_not_counted_as_nothing(result):
    runs = [
        result(attempts=[attempt(0.8)], job_id="a"),
        result(attempts=[attempt(None)], job_id="b", cost={"estimated_usd": None}),
    ]
    assert money(runs) == "≥ $0.80 spent of ≥ $0.80 estimated"


def test_a_paid_failure_is_a_cost_although_its_fallback_was_emulated(result):
    ended = result(provider="emulator", attempts=[attempt(0.8), attempt(0, "emulator")], job_id="a")
    assert money([ended]).startswith("$0.80 spent of $0.80 estimated · ")


def test_the_budget_says_how_much_of_it_is_used(result):
    runs = [result("budget.max_usd=10", attempts=[attempt(0.8)], job_id="a") for _ in range(4)]
    assert money(runs) == "$3.20 spent of $3.20 estimated · $3.20 of $10.00 budget"


def test_what_reuse_has_saved_is_no_cost(result):
    reused = result(reused_from="outputs/x", saved_usd=0.8)
    assert money([reused, reused]) == "reuse saved $1.60"
    assert money([result(attempts=[attempt(0.8)], job_id="a"), reused]) == (
        "$0.80 spent of $0.80 estimated · reuse saved $0.80"
    )


def test_a_sweep_that_its_budget_stopped_names_the_command_that_goes_on(result, capsys):
    runs = [
        result("budget.max_usd=1", attempts=[attempt(0.8)], job_id="a"),
        result("budget.max_usd=1", status="planned", error=short_of("budget.max_usd")),
        result("budget.max_usd=1", status="planned"),
    ]
    print_closing(runs, Path("outputs/a sweep"))
    assert "python -m runner resume 'outputs/a sweep' budget.max_usd=2.40" in capsys.readouterr().out


def test_a_run_that_its_own_limit_stopped_does_so_too(result, capsys):
    run = result("budget.max_usd_per_run=1", attempts=[attempt(0.8)], status="planned",
                 error=short_of("budget.max_usd_per_run"))  # fmt: skip
    print_closing([run], Path("outputs/x"))
    assert "python -m runner resume outputs/x budget.max_usd_per_run=1.60" in capsys.readouterr().out


def test_who_was_not_stopped_by_money_is_asked_for_no_more_of_it(result):
    assert resume_command_for([result()], Path("outputs/x")) is None
    assert "budget" not in (resume_command_for([result(), result(status="planned")], Path("outputs/x")) or "")


def as_the_page_says(results: list[Result]) -> str:
    """The money of the page's heading, in the words of the terminal."""
    sums = totals(results, [state_of(result.status, busy=False) for result in results], None)
    if sums["emulated"]:
        return f"emulated, free (would cost {dollars(sums['emulated_usd'])} at list price)"
    return f"{dollars(sums['spent_usd'])} spent of {dollars(sums['estimated_usd'])} estimated"


PLANNED, SENT = {"status": "planned"}, {"status": "submitted", "attempts": [attempt(0.8)], "job_id": "a"}
FAILED = {"status": "failed", "attempts": [attempt(0.8), attempt(0)]}
DONE = {"attempts": [attempt(0.8)], "job_id": "a"}
CHEAPER = {"attempts": [attempt(0.0421)], "job_id": "a", "cost": {"estimated_usd": 0.8, "actual_usd": 0.0421}}
LOST = {"status": "uncertain", "attempts": [attempt(0.8)]}
REUSED = {"reused_from": "outputs/x", "saved_usd": 0.8, "cost": {"estimated_usd": 0.8, "actual_usd": 0.0}}


@pytest.mark.parametrize("states", [
    [PLANNED, PLANNED], [SENT, PLANNED], [DONE, SENT, PLANNED], [DONE, FAILED, LOST], [CHEAPER, CHEAPER],
    [CHEAPER, PLANNED], [REUSED, DONE], [REUSED, DONE, SENT, FAILED, LOST, PLANNED, CHEAPER],
])  # fmt: skip
@pytest.mark.parametrize("provider", ["openai", "emulator"])
def test_the_terminal_and_the_page_tell_the_same_money(result, states, provider):
    free = [{**facts, "attempts": [attempt(0, "emulator") for _ in facts.get("attempts", [])]} for facts in states]
    results = [result(provider=provider, **facts) for facts in (states if provider == "openai" else free)]
    assert money(results).split(" · ")[0] == as_the_page_says(results)
