"""Money while runs are under way: taken when a request is sent, given back if it made nothing, never passed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runner.artifacts.result import Result, Usage
from runner.artifacts.run_status import RunStatus
from runner.config.provider import OpenAIConfig
from runner.config.run import Budget, Fallback
from runner.engine.recorder import BudgetTracker
from runner.engine.run import Outcome
from runner.errors import (
    BadRequestError,
    BudgetError,
    ConfigError,
    ContentModerationError,
    DiskError,
    HTTPConnectionError,
    RateLimitError,
    UncertainError,
)
from runner.providers.base import ImageBatch, Job, JobStatus

PRICE = 0.4
"""Of each run: four seconds at ten cents."""


def failed_job(number: int) -> Job:
    return Job(f"video_failed_{number}", JobStatus.FAILED, "failed", error_message="internal error")


def counts(result: Result) -> list[float | None]:
    return [attempt.usd for attempt in result.attempts]


def test_what_would_pass_the_limit_is_not_sent_and_what_is_under_way_ends_well(engine, provider, runs):
    budget_tracker = BudgetTracker(3 * PRICE)
    outcome = engine(runs(8), budget_tracker=budget_tracker)
    assert len(provider.sent) == 3
    assert sorted(result.status for result in outcome.results) == ["planned"] * 5 + ["verified"] * 3
    assert outcome.exit_code == 3
    assert isinstance(outcome.stopped_by, BudgetError)
    assert outcome.stopped_by.code == "budget.max_usd"
    assert [result.error.type for result in outcome.results if result.error] == ["BudgetError"], "said once"
    assert budget_tracker.spent == pytest.approx(3 * PRICE)


def test_what_was_spent_before_counts(engine, provider, runs):
    assert engine(runs(2), budget_tracker=BudgetTracker(3 * PRICE, spent=2 * PRICE)).exit_code == 3
    assert len(provider.sent) == 1


def test_money_is_taken_when_a_request_is_sent_and_not_while_it_waits(engine, provider, runs):
    budget_tracker, seen = BudgetTracker(10), []
    provider.before_answer = lambda: seen.append(budget_tracker.spent)
    engine(runs(3, max_concurrent_requests=1), budget_tracker=budget_tracker)
    assert seen == pytest.approx([PRICE, 2 * PRICE, 3 * PRICE])


def test_the_price_is_on_disk_before_the_request_leaves(engine, provider, runs, stored):
    (run,) = runs()
    seen = []
    provider.before_answer = lambda: seen.append((stored(run).status, stored(run).spent_usd))
    engine([run])
    assert seen[0] == (RunStatus.SUBMITTING, PRICE)


@pytest.mark.parametrize(
    "refusal",
    [RateLimitError("slow down"), HTTPConnectionError("connection refused")],
    ids=lambda error: type(error).__name__,
)
def test_a_request_that_provably_made_nothing_costs_nothing(engine, provider, runs, refusal):
    provider.on_submit.extend([refusal, refusal])
    outcome = engine(runs(), budget_tracker=BudgetTracker(PRICE))
    assert outcome.exit_code == 0
    assert counts(outcome.results[0]) == [0, 0, PRICE]
    assert outcome.results[0].spent_usd == PRICE


def test_a_refused_request_leaves_its_money_to_the_next_run(engine, provider, runs):
    provider.on_submit.append(BadRequestError("no", status_code=400))
    outcome = engine(runs(2, max_concurrent_jobs=1), budget_tracker=BudgetTracker(PRICE))
    assert [result.status for result in outcome.results] == ["failed", "verified"]
    assert [result.spent_usd for result in outcome.results] == [0, PRICE]


@pytest.mark.parametrize(
    "loss",
    [UncertainError("the connection dropped"), ZeroDivisionError(), failed_job(0), ContentModerationError("begun")],
    ids=["uncertain", "bug", "failed job", "failed stream"],
)
def test_what_may_be_charged_counts_as_spent(engine, provider, runs, loss):
    provider.on_submit.append(loss)
    outcome = engine(runs(2, max_concurrent_jobs=1), budget_tracker=BudgetTracker(PRICE))
    assert len(provider.sent) == 1
    assert outcome.results[0].spent_usd == PRICE
    assert outcome.results[1].status is RunStatus.PLANNED
    assert outcome.exit_code == 3


def test_a_request_that_never_left_gives_its_money_back(engine, runs, tmp_path):
    (run,) = runs()
    (tmp_path / "file").touch()
    budget_tracker = BudgetTracker(PRICE)
    outcome = engine([replace(run, directory=tmp_path / "file" / "run")], budget_tracker=budget_tracker)
    assert outcome.exit_code == 5
    assert budget_tracker.spent == 0
    assert outcome.results[0].attempts == []


def test_what_an_image_really_cost_takes_the_place_of_its_estimate(engine, provider, image_runs):
    provider.on_generate.extend(
        ImageBatch((), Usage(text_in=0, image_in=0, image_out=1000), None, {}) for _ in range(3)
    )
    budget_tracker = BudgetTracker(0.065)
    outcome = engine(image_runs(3, max_concurrent_jobs=1), budget_tracker=budget_tracker)
    assert len(provider.sent) == 2, "each is estimated at one cent and costs three"
    assert [result.spent_usd for result in outcome.results] == [0.03, 0.03, 0]
    assert budget_tracker.spent == pytest.approx(0.06)


def test_a_run_with_its_fallbacks_keeps_to_its_own_limit_and_stops_no_other(
    engine, provider, runs, configs, make_provider
):
    there = OpenAIConfig(kind="openai", base_url="https://second.example/v1")
    second, config = make_provider(), configs[0](max_concurrent_jobs=1)
    config = config.model_copy(update={
        "fallbacks": (Fallback(provider=there, model=config.model),), "budget": Budget(max_usd_per_run=0.5),
    })  # fmt: skip
    provider.on_submit.append(failed_job(0))
    outcome = engine(runs(2, config), create=lambda given: second if given == there else provider)
    assert second.sent == []
    assert [result.status for result in outcome.results] == ["planned", "verified"]
    assert outcome.errors[0].code == "budget.max_usd_per_run"
    assert outcome.stopped_by is None
    assert outcome.exit_code == 3


def test_a_request_of_unknown_price_is_not_sent_under_a_limit(engine, provider, runs, configs):
    config = configs[0]()
    config = config.model_copy(update={"model": config.model.model_copy(update={"usd_per_second": None})})
    assert engine(runs(1, config), budget_tracker=BudgetTracker(100)).exit_code == 3
    assert provider.sent == []
    assumed = config.model_copy(update={"budget": Budget(assume_usd_per_run=2)})
    assert engine(runs(1, assumed), budget_tracker=BudgetTracker(2)).results[0].spent_usd == 2
    outcome = engine(runs(1, config))
    assert (outcome.exit_code, outcome.results[0].spent_usd) == (0, None), "without a limit it is merely unknown"


def test_a_record_of_an_older_version_can_be_read(engine, runs):
    (result,) = engine(runs()).results
    old = result.model_dump(mode="json", exclude={"spent_usd", "saved_usd"})
    del old["attempts"][0]["usd"]
    assert Result.model_validate(old).spent_usd is None


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (Outcome(interrupted=2, stopped_by=BudgetError("")), 130),
        (Outcome(stopped_by=DiskError(""), errors=[BudgetError("")]), 5),
        (Outcome(stopped_by=ConfigError(""), errors=[None, BudgetError("")]), 3),
    ],
)
def test_the_gravest_end_gives_the_exit_code(outcome, code):
    assert outcome.exit_code == code
