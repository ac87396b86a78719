"""Limits as they are written, and what a price counts under them."""

from __future__ import annotations

import pytest

from runner.config.run import Budget, passes

EMULATED = ("provider=emulator",)
PAID = ("provider=openai", "provider.retired_models=off")


def test_nothing_is_limited_and_twenty_dollars_are_asked_about_unless_said_otherwise(loaded):
    config = loaded()
    assert config.budget == Budget(confirm_above_usd=20)
    assert not config.budget.limited
    assert config.yes is False


@pytest.mark.parametrize("key", ["max_usd", "max_usd_per_run", "confirm_above_usd", "assume_usd_per_run"])
@pytest.mark.parametrize("value", ["-0.01", "nan", "inf", "true", "much"])
def test_an_amount_is_a_finite_number_and_not_negative(refused, key, value):
    (problem,) = refused(f"budget.{key}={value}")
    assert problem.key == f"budget.{key}"


@pytest.mark.parametrize("value", ["0", "0.5", "12", "null"])
def test_zero_whole_numbers_and_null_are_amounts(loaded, value):
    assert str(loaded(f"budget.max_usd={value}").budget.max_usd) in {"0.0", "0.5", "12.0", "None"}


def test_emulated_work_is_money_only_if_asked_for(loaded):
    free = loaded(*EMULATED)
    assert free.budget.counted(free.provider, 0.8) == 0
    counted = loaded(*EMULATED, "budget.count_emulator=true")
    assert counted.budget.counted(counted.provider, 0.8) == 0.8


def test_an_unknown_price_counts_as_assumed_and_is_never_nothing_by_itself(loaded):
    config = loaded(*PAID)
    assert config.budget.counted(config.provider, None) is None
    config = loaded(*PAID, "budget.assume_usd_per_run=0.5")
    assert config.budget.counted(config.provider, None) == 0.5
    assert config.budget.counted(config.provider, 0.8) == 0.8


def test_cents_that_add_up_to_the_limit_do_not_pass_it():
    assert not passes(sum([0.1] * 3), 0.3)
    assert not passes(sum([0.4] * 24), 9.6)
    assert passes(9.601, 9.6)
    assert not passes(1e9, None)
