"""Planned runs take the numbers that a ledger has for them."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.compose.plan import Plan, Planner, grown
from runner.compose.preflight import PreflightError, preflight
from runner.errors import ConfigError
from runner.ledger.ledger import Ledger
from runner.ledger.recording import entered

axes = st.lists(st.sampled_from("abcdef"), min_size=1, max_size=6, unique=True)


def planned(planner: Planner, sweep: Path, prompts: list[str]) -> Plan:
    """The runs of a command, as they would be entered in the ledger of `sweep`."""
    plan = planner.plan([[f"hydra.sweep.dir='{sweep}'", f"request.prompt={prompt}"] for prompt in prompts])
    return grown(planner, plan, sweep)


def add(plan: Plan, sweep: Path) -> None:
    with Ledger(sweep) as ledger:
        there = {run.index for run in ledger.runs()}
        ledger.add(run for run in plan.runs if run.index not in there)


def known(sweep: Path) -> dict[str, tuple[int, Path]]:
    """The number and the directory of each prompt's run."""
    with Ledger(sweep, readonly=True) as ledger:
        return {run.config.request.prompt: (run.index, run.directory) for run in ledger.runs()}


@settings(max_examples=25)
@given(first=axes, second=axes, third=axes)
def test_what_overlaps_is_planned_once_and_never_moves(loader, master, first, second, third):
    planner = Planner(loader, master)
    with tempfile.TemporaryDirectory() as place:
        sweep = Path(place).resolve()
        add(planned(planner, sweep, first), sweep)
        for prompts in (second, third):
            before = known(sweep)
            plan = planned(planner, sweep, prompts)
            if not before.keys() & {*prompts}:
                with pytest.raises(PreflightError, match="holds another"):
                    preflight(plan, env={})
                return
            preflight(plan, env={})
            assert plan.growth is not None
            assert {run.config.request.prompt for run in plan.runs} == {*prompts}
            assert {run.index for run in plan.runs} >= {*plan.growth.new}
            assert len(plan.growth.new) == len({*prompts} - before.keys())
            assert {index for index, _ in before.values()} == {run.index for run in plan.runs} - {*plan.growth.new} | {
                *plan.growth.others
            }
            add(plan, sweep)
            after = known(sweep)
            assert after.keys() == before.keys() | {*prompts}
            assert before.items() <= after.items()
            assert sorted(index for index, _ in after.values()) == [*range(len(after))]


def test_problems_are_told_under_the_numbers_that_runs_would_have(planner, tmp_path):
    add(planned(planner, tmp_path, ["a", "b"]), tmp_path)
    plan = planner.plan(
        [[f"hydra.sweep.dir={tmp_path}", f"request.prompt={prompt}", f"request.duration_seconds={seconds}"]
         for prompt, seconds in (("c", 5), ("b", 8), ("d", 8))]
    )  # fmt: skip
    with pytest.raises(PreflightError) as caught:
        preflight(grown(planner, plan, tmp_path), env={})
    assert "run 2: request.duration_seconds: Invalid duration" in caught.value.message
    assert "holds another" not in caught.value.message


def test_runs_that_another_process_has_added_meanwhile_are_not_overwritten(planner, tmp_path):
    add(planned(planner, tmp_path, ["a", "b"]), tmp_path)
    ours, theirs = planned(planner, tmp_path, ["a", "c"]), planned(planner, tmp_path, ["a", "d", "c"])
    add(theirs, tmp_path)
    with Ledger(tmp_path) as ledger:
        for runs in (ours.runs, ours.runs[1:]):
            with pytest.raises(ConfigError, match="another process has added runs"):
                entered(ledger, runs, ledger.runs(), grows=True)
        assert len(ledger.runs()) == 4


def test_nothing_is_planned_again_where_nothing_moves(planner, tmp_path):
    add(planned(planner, tmp_path, ["a", "b"]), tmp_path)
    plan = planner.plan([[f"hydra.sweep.dir={tmp_path}", f"request.prompt={prompt}"] for prompt in "abc"])
    runs = plan.runs
    again = grown(planner, plan, tmp_path)
    assert all(one is other for one, other in zip(runs, again.runs, strict=True))
