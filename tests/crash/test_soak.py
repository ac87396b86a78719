"""Runs under every fault, killed five times: all are accounted for, none is paid twice; `make soak` has more."""

from __future__ import annotations

from soak import KILLS, Soak, rules

from runner.emulator.faults import DOMAINS, IMAGE_OPERATIONS, JOB_OPERATIONS, FaultName

AFTERWARDS = {"retrieve", "content"}
"""What is asked of a video's job once it is there."""


def test_a_sweep_survives_every_fault_and_five_kills(tmp_path, render_cache):
    figures = Soak(tmp_path, runs=40, seed=4, media=render_cache).run()
    print("\n".join(figures.lines()))
    assert figures.violations == []
    assert (figures.kills, figures.double_payments, figures.losses) == (KILLS, 0, 0)
    assert figures.statuses.total() == 40
    assert figures.statuses["verified"] > 10  # on a busy machine more requests end in their time limit


def test_the_soak_has_every_fault_that_befalls_videos():
    from typing import get_args

    of_videos = {
        name for name in get_args(FaultName) if DOMAINS.get(name, JOB_OPERATIONS) & (JOB_OPERATIONS | AFTERWARDS)
    }
    assert {rule.fault for rule in rules()} == of_videos
    assert IMAGE_OPERATIONS.isdisjoint(operation for rule in rules() for operation in rule.match.operations() or ())
