"""Counts, money and forecast of all runs together."""

from __future__ import annotations

import signal
from dataclasses import replace

import pytest

from runner.display.tally import Tally
from runner.engine.recorder import planned
from runner.results.totals import money

from .conftest import ended


@pytest.fixture
def tallied(story):
    def make(count: int, *overrides: str, **changes) -> tuple:
        told = story(count, *overrides, **changes)
        tally = Tally(told.runs, told)
        told.hears.append(tally.take)
        return told, tally

    return make


def parts(tally: Tally) -> list[str]:
    return [*tally.parts()]


def test_counts_tell_what_ended_how_and_what_is_under_way(tallied):
    told, tally = tallied(10)
    told.submit(0, 1, 2, 3, 4)
    told.end(0, 1)
    told.end(2, status="failed", error="it broke")
    told.end(3, status="uncertain", error="lost")
    assert parts(tally)[:6] == ["4/10 runs", "5 queued", "1 generating", "2 done", "1 failed", "1 uncertain"]
    assert tally.waiting == 5


def test_a_request_counts_from_when_it_leaves_until_it_is_known_what_it_cost(tallied):
    told, tally = tallied(3, "budget.max_usd=2")
    assert parts(tally)[-2:] == ["$0.00 spent of $2.40 estimated", "budget $2.00"]
    told.submit(0, 1)
    assert "$1.60 spent of $2.40 estimated" in parts(tally)
    told.end(0, usd=0.5)
    told.end(1, status="failed", error="refused", usd=0)
    assert "$0.50 spent of $2.40 estimated" in parts(tally)


def test_what_goes_back_to_be_planned_again_costs_nothing_and_is_no_longer_under_way(tallied):
    told, tally = tallied(2)
    told.submit(0)
    told.step_back(0)
    assert "$0.00 spent of $1.60 estimated" in parts(tally)
    assert tally.waiting == 2


def test_emulated_work_has_no_costs(tallied):
    told, tally = tallied(2, "provider=emulator")
    told.submit(0)
    assert parts(tally)[-1] == "emulated, free (would cost $1.60 at list price)"
    assert not any("spent" in part for part in parts(tally))


def test_a_price_that_nobody_knows_is_not_told_as_nothing(tallied):
    _, tally = tallied(2, "model.usd_per_second=null")
    assert parts(tally)[-1] == "$0.00 spent, estimate unknown"


def test_what_an_earlier_process_has_finished_and_spent_is_counted(story):
    told = story(3)
    first, second, third = told.runs
    told.runs = [replace(first, earlier=ended(first)), replace(second, earlier=ended(second, "submitted")), third]
    tally = Tally(told.runs, told)
    told.hears.append(tally.take)
    assert parts(tally) == ["1/3 runs", "1 queued", "1 generating", "1 done", "$1.60 spent of $2.40 estimated"]
    told.submit(1)
    assert parts(tally)[-1] == "$1.60 spent of $2.40 estimated", "a job that exists is not paid again"
    told.submit(2)
    told.end(1, 2)
    assert parts(tally) == ["3/3 runs", "3 done", "$2.40 spent of $2.40 estimated"]


def test_nothing_is_foretold_before_enough_is_known(tallied):
    told, tally = tallied(400)
    told.submit(*range(100))
    told.time = 60.0
    told.end(*range(9))
    assert tally.seconds_left() is None
    told.end(9, 10, 11)
    assert tally.seconds_left() is not None


def test_the_rest_takes_as_many_turns_as_there_are_runs_for_the_places(tallied):
    told, tally = tallied(400)
    for start in range(0, 200, 100):
        told.submit(*range(start, start + 100))
        told.time += 60
        told.end(*range(start, start + 100))
    told.submit(*range(200, 300))
    assert tally.seconds_left() == pytest.approx(120), "100 under way and 100 to come, a minute each"
    told.time += 60
    told.end(*range(200, 300))
    told.submit(*range(300, 400))
    told.time += 45
    assert tally.seconds_left() == pytest.approx(15)


def test_a_forecast_that_has_not_come_true_is_withdrawn(tallied):
    told, tally = tallied(20)
    told.submit(*range(20))
    told.time = 60
    told.end(*range(10))
    told.time = 90
    assert tally.seconds_left() is None


def test_the_forecast_counts_the_download_that_follows_and_the_one_that_is_going_on(tallied):
    told, tally = tallied(8)
    told.submit(*range(4))
    told.time = 60
    told.download(*range(4))
    told.time = 90
    told.end(*range(4))
    told.submit(*range(4, 8))
    told.time = 110
    assert tally.seconds_left() == pytest.approx(70), "40 s to be made, and 30 s to be downloaded"
    told.time = 150
    told.download(*range(4, 8))
    told.time = 160
    assert tally.seconds_left() == pytest.approx(20)


@pytest.mark.parametrize(
    ("signal_number", "said"),
    [
        (signal.SIGINT, "interrupted by Ctrl-C"),
        (signal.SIGTERM, "interrupted by SIGTERM"),
    ],
)
def test_an_interrupt_says_that_it_was_one_and_what_goes_on(tallied, signal_number, said):
    told, tally = tallied(9)
    told.submit(0, 1)
    told.send(2)
    assert tally.interrupt(signal_number) == (
        f"{said}; nothing more is sent; 2 jobs go on at the provider; "
        "the answer to a paid request is awaited (Ctrl-C again does not wait)"
    )
    assert tally.interrupt(signal.SIGINT) == (
        "interrupted again; no answer is awaited any more; 2 jobs go on at the provider; "
        "1 paid request may have been charged"
    )


def test_the_money_of_runs_under_way_becomes_that_of_the_end(tallied):
    told, tally = tallied(3)
    told.submit(0, 1)
    told.end(0)
    told.end(1, status="failed", error="it broke", usd=0)
    results = [ended(told.runs[0]), ended(told.runs[1], "failed", "it broke", 0), planned(told.runs[2], 0.0)]
    assert parts(tally)[-1] == "$0.80 spent of $2.40 estimated"
    assert parts(tally)[-1] in money(results)
