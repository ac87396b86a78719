"""Counts, money and forecast of all runs together."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runner.display.tally import Tally

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
    assert parts(tally)[:4] == ["4/10 runs", "1 failed", "1 uncertain", "1 under way"]
    assert tally.waiting == 5


def test_a_request_counts_from_when_it_leaves_until_it_is_known_what_it_cost(tallied):
    told, tally = tallied(3, "budget.max_usd=2")
    assert parts(tally)[-3:] == ["$0.00 spent", "$2.40 estimated", "budget $2.00"]
    told.submit(0, 1)
    assert "$1.60 spent" in parts(tally)
    told.end(0, usd=0.5)
    told.end(1, status="failed", error="refused", usd=0)
    assert "$0.50 spent" in parts(tally)


def test_what_goes_back_to_be_planned_again_costs_nothing_and_is_no_longer_under_way(tallied):
    told, tally = tallied(2)
    told.submit(0)
    told.step_back(0)
    assert "$0.00 spent" in parts(tally)
    assert tally.waiting == 2


def test_emulated_work_has_no_costs(tallied):
    told, tally = tallied(2, "provider=emulator")
    told.submit(0)
    assert parts(tally)[-1] == "emulated, free"
    assert not any("$" in part for part in parts(tally))


def test_a_price_that_nobody_knows_is_not_told_as_nothing(tallied):
    _, tally = tallied(2, "model.usd_per_second=null")
    assert "estimate unknown" in parts(tally)


def test_what_an_earlier_process_has_finished_and_spent_is_counted(story):
    told = story(3)
    first, second, third = told.runs
    told.runs = [replace(first, earlier=ended(first)), replace(second, earlier=ended(second, "submitted")), third]
    tally = Tally(told.runs, told)
    told.hears.append(tally.take)
    assert parts(tally)[:2] == ["1/3 runs", "$1.60 spent"]
    told.submit(1)
    assert "$1.60 spent" in parts(tally), "a job that exists is not paid again"
    told.submit(2)
    told.end(1, 2)
    assert parts(tally)[:2] == ["3/3 runs", "$2.40 spent"]


def test_nothing_is_foretold_before_enough_is_known(tallied):
    told, tally = tallied(400)
    told.submit(*range(100))
    told.time = 60.0
    told.end(*range(7))
    assert tally.seconds_left() is None
    told.end(7, 8, 9, 10, 11)
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
