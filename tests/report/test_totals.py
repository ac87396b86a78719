"""The sums of a page."""

from __future__ import annotations

import datetime as dt

from runner.artifacts.result import Attempt, Cost
from runner.results.totals import totals

BEGIN = dt.datetime(2026, 11, 23, tzinfo=dt.UTC)


def after(seconds: float) -> dict[str, dt.datetime]:
    return {"planned": BEGIN, "submitting": BEGIN, "verified": BEGIN + dt.timedelta(seconds=seconds)}


def tries(*usd: float | None) -> list[Attempt]:
    return [Attempt(number=number, started_at=BEGIN, usd=each) for number, each in enumerate(usd, 1)]


def test_latencies_are_those_of_finished_work(result):
    runs = [result(number, timestamps=after(number + 1)) for number in range(20)]
    found = totals([*runs, result(20, status="failed"), result(21, timestamps={"planned": BEGIN})], ["done"] * 22, None)
    assert (found["latency_p50"], found["latency_p95"]) == (10.0, 19.0)


def test_a_run_under_way_has_no_latency_yet(result):
    assert [result(status=status).latency_seconds for status in ("submitted", "planned", "uncertain")] == [None] * 3
    assert result(status="failed").latency_seconds == 5.0


def test_money_is_summed_as_far_as_it_is_known(result):
    runs = [
        result(0, cost=Cost(estimated_usd=1.0, actual_usd=0.5), attempts=tries(1.0, 0.5)),
        result(1, cost=Cost(estimated_usd=None), attempts=tries(None)),
        result(2, cost=Cost(estimated_usd=2.0), attempts=tries(), reused_from="x", saved_usd=2.0),
    ]
    found = totals(runs, ["done", "failed", "done"], 10.0)
    # What is reused takes no money, so that it is saved and not estimated.
    assert (found["estimated_usd"], found["actual_usd"], found["spent_usd"]) == (1.0, 0.5, 1.5)
    assert (found["budget_usd"], found["retries"], found["reused"], found["saved_usd"]) == (10.0, 1, 1, 2.0)


def test_the_success_rate_is_of_what_has_ended(result):
    groups = ["done", "done", "failed", "generating", "queued", "uncertain"]
    found = totals([result(number) for number in range(6)], groups, None)
    assert found["success_rate"] == 0.6667
    counted = ("runs", "done", "failed", "uncertain", "generating", "downloading", "queued")
    assert [found[name] for name in counted] == [6, 2, 1, 1, 1, 0, 1]
    assert totals([result()], ["queued"], None)["success_rate"] is None


def inherited(each: Attempt) -> Attempt:
    return each.model_copy(update={"inherited": True})


def test_what_a_later_process_brought_home_was_not_paid_again(result):
    first, second = tries(0.4, 0.8)
    runs = [
        result(0, attempts=[inherited(first)]),
        result(1, attempts=[inherited(first)], status="submitted"),
        result(2, attempts=[inherited(first), second]),
        result(3),
        result(4, attempts=[inherited(each) for each in tries(0, 0.8)]),
    ]
    found = totals(runs, ["done"] * 5, None)
    assert (found["resumed"], found["resumed_usd"]) == (2, 1.2)


def test_where_an_adopted_job_is_an_earlier_requests_that_one_counts(result):
    first, second = tries(0.4, 0.8)
    made, other = (inherited(each.model_copy(update={"job_id": name})) for each, name in ((first, "a"), (second, "b")))
    assert totals([result(job_id="a", attempts=[made, other])], ["done"], None)["resumed_usd"] == 0.4


def test_what_is_under_way_is_spent_though_no_result_has_it_yet(result):
    assert totals([result()], ["done"], None, reserved=0.5)["spent_usd"] == 0.9
    assert totals([result(attempts=tries(None))], ["generating"], None, reserved=0.5)["spent_usd"] == 0.5


def test_emulated_money_is_told_from_money(result):
    assert totals([result(provider="emulator")], ["done"], None)["emulated"] is True
    assert totals([result(provider="emulator"), result(1)], ["done"] * 2, None)["emulated"] is False
