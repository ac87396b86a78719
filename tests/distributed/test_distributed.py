"""What several workers make of a sweep: the same as one process, whatever becomes of them."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from dataclasses import replace

import pytest

from runner.artifacts.result_file import read_result
from runner.artifacts.run_status import RunStatus
from runner.distributed.driver import WorkerLostError
from runner.distributed.messages import Change
from runner.distributed.ray_cluster import RayWorker
from runner.distributed.worker import Worker
from runner.engine.scheduler import Scheduler
from runner.errors import AuthenticationError, BudgetError, RunnerError
from runner.ledger.ledger import Row
from tests.distributed.conftest import recorded

COST = 0.4


def submitted(events):
    return {event.run.index for event in events if event.status is RunStatus.SUBMITTED}


def test_several_workers_make_everything_once(sweep_of, emulator):
    sweep = sweep_of(12)
    outcome = sweep.run(3)
    assert outcome.exit_code == 0
    assert [result.status for result in outcome.results] == [RunStatus.VERIFIED] * 12
    assert sweep.statuses == ["verified"] * 12
    jobs = {result.job_id for result in outcome.results}
    assert len(jobs) == 12
    assert {job["id"] for job in emulator.ledger()["created"]} == jobs
    for run, result in zip(sweep.runs, outcome.results, strict=True):
        assert read_result(run.directory) == result
        assert (run.directory / "video.mp4").is_file()
    ends = Counter(event.run.index for event in sweep.events if event.result is not None)
    assert ends == dict.fromkeys(range(12), 1)


def test_where_nothing_but_the_number_of_jobs_is_limited_no_turn_is_asked_for(sweep_of, emulator):
    sweep = sweep_of(8, "provider.max_concurrent_jobs=3")
    results = sweep.run(3).results
    assert "turn" not in sweep.cluster.asked
    times = [(result.timestamps["submitting"], result.timestamps["verified"]) for result in results]
    assert max(sum(begin <= first < end for begin, end in times) for first, _ in times) <= 3


def test_turns_are_asked_for_at_a_rate_and_once_the_provider_has_refused(sweep_of, make_emulator):
    sweep = sweep_of(2, "provider.requests_per_minute=6000")
    assert sweep.run(2).exit_code == 0
    assert sweep.cluster.asked.count("turn") == 2
    rules = [{"match": {"operation": "create"}, "nth": [2], "fault": "rate_limit", "retry_after": 1}]
    sweep = sweep_of(2, server=make_emulator(rules=rules))
    sweep.place = sweep.place.with_name("refused")
    sweep.runs = [replace(run, directory=sweep.place / str(run.index)) for run in sweep.runs]
    assert sweep.run(1).exit_code == 0
    assert sweep.cluster.asked.count("turn") == 1


def test_what_a_worker_had_whose_helper_fails_goes_on_with_another(sweep_of, make_emulator):
    emulator = make_emulator(latency=60.0)
    sweep = sweep_of(6, server=emulator)
    failed = []

    def work(name, ask):
        heard = []

        def asked(method, *given):
            heard.append(method)
            if method == "tell" and heard.count("tell") == 2 and not failed:
                failed.append(name)
                raise ValueError("a bug")
            return ask(method, *given)

        asyncio.run(Worker(name, asked).run())

    sweep.work = work
    outcome = sweep.run(2)
    assert outcome.exit_code == 0
    assert sweep.said == [f"{failed[0]} has died (a bug); what it was at goes on with others"]
    assert [result.status for result in outcome.results] == [RunStatus.VERIFIED] * 6
    assert len(emulator.ledger()["created"]) == 6


def test_what_a_dead_worker_had_goes_on_with_another(sweep_of, make_emulator):
    emulator = make_emulator(latency=60.0)
    sweep = sweep_of(8, server=emulator)

    def watch(event):
        if len(submitted(sweep.events)) == 5 and not sweep.said:
            sweep.said.append("cut")
            sweep.cluster.cut("worker-0")

    outcome = sweep.run(2, watch=watch)
    assert outcome.exit_code == 0
    assert sweep.said == ["cut", "worker-0 has died (it was cut off); what it was at goes on with others"]
    assert [result.status for result in outcome.results] == [RunStatus.VERIFIED] * 8
    assert len(emulator.ledger()["created"]) == 8


def test_an_answer_that_a_dead_worker_has_lost_is_looked_for(sweep_of, make_emulator):
    rules = [{"match": {"operation": "create"}, "nth": [2], "fault": "stalled", "commit": True}]
    emulator = make_emulator(rules=rules)
    sweep = sweep_of(3, server=emulator)

    def watch(event):
        lost = {0, 1, 2} - submitted(sweep.events)
        if len(lost) == 1 and not sweep.said and emulator.ledger()["jobs"] == 3:
            sweep.said.append("cut")
            for name in ("worker-0", "worker-1"):
                sweep.cluster.cut(name)

    outcome = sweep.run(2, watch=watch)
    assert outcome.exit_code == 0, outcome.errors
    assert len(emulator.ledger()["created"]) == 3
    assert Counter(result.adopted for result in outcome.results) == {False: 2, True: 1}


def test_the_budget_holds_to_the_cent_for_all_workers(sweep_of, emulator):
    sweep = sweep_of(8)
    outcome = sweep.run(4, limit=3 * COST)
    assert outcome.exit_code == BudgetError.exit_code
    assert len(emulator.ledger()["created"]) == 3
    assert Counter(sweep.statuses) == {"verified": 3, "planned": 5}
    assert sweep.run(2, limit=8 * COST).exit_code == 0
    assert len(emulator.ledger()["created"]) == 8


def test_a_wrong_key_stops_all_workers(sweep_of, make_emulator):
    emulator = make_emulator(rules=[{"match": {"operation": "create"}, "probability": 1, "fault": "unauthorized"}])
    outcome = sweep_of(40, "provider.max_concurrent_jobs=2", server=emulator).run(2)
    assert isinstance(outcome.stopped_by, AuthenticationError)
    statuses = Counter(result.status for result in outcome.results)
    assert statuses[RunStatus.PLANNED] >= 36
    assert not emulator.ledger()["created"]


def test_without_the_coordinator_nothing_more_is_sent_and_another_process_goes_on(sweep_of, make_emulator):
    emulator = make_emulator(latency=60.0)
    sweep = sweep_of(30, "provider.max_concurrent_jobs=4", server=emulator)

    def watch(event):
        if len(submitted(sweep.events)) >= 6:
            sweep.cluster.lose_coordinator()

    outcome = sweep.run(2, watch=watch)
    assert outcome.exit_code == 4
    made = len(emulator.ledger()["created"])
    assert made < 30
    sweep.run(2)
    statuses = Counter(sweep.statuses)
    # A request that the coordinator had recorded last may not have been sent: nobody can tell, and it is not repeated.
    assert statuses.keys() <= {"verified", "uncertain"}
    assert statuses["verified"] == len(emulator.ledger()["created"]) >= 24


def test_an_interrupt_suspends_all_workers_runs(sweep_of, make_emulator):
    emulator = make_emulator(latency=60.0)
    sweep = sweep_of(10, "provider.max_concurrent_jobs=4", server=emulator)

    def watch(event):
        if len(submitted(sweep.events)) == 3 and not sweep.said:
            sweep.said.append("interrupted")
            signal.raise_signal(signal.SIGINT)

    outcome = sweep.run(2, watch=watch)
    assert (outcome.interrupted, outcome.exit_code) == (signal.SIGINT, 130)
    assert not {"submitting", "uncertain", "failed"} & {*sweep.statuses}
    assert len(emulator.ledger()["created"]) < 10
    assert sweep.run(2).exit_code == 0
    assert len(emulator.ledger()["created"]) == 10


def test_what_was_lost_before_is_not_sent_again_where_submitting_has_ended(sweep_of, make_emulator):
    rules = [{"match": {"operation": "create"}, "nth": [1], "fault": "unauthorized"}]
    emulator = make_emulator(rules=rules)
    sweep = sweep_of(6, "provider.max_concurrent_jobs=1", server=emulator)
    with sweep.opened() as (ledger, runs):
        ledger.save_all([(0, recorded(runs[0], RunStatus.UNCERTAIN))])
    sweep.resubmit = True
    outcome = sweep.run(1)
    assert isinstance(outcome.stopped_by, AuthenticationError)
    assert sweep.statuses[0] == "uncertain"
    assert not emulator.ledger()["created"]
    sweep.run(1)
    assert sweep.statuses[0] == "verified"


def test_a_second_interrupt_ends_the_wait_for_workers_that_nobody_can_reach(sweep_of):
    sweep = sweep_of(2)
    ended = []

    def work(name, ask):
        ask("join", name).result()
        sweep.cluster.lose_coordinator()
        sent = 0
        while not sweep.cluster.stopped.wait(0.01) and sent < 1000:
            if len(sweep.signals) == sent:
                os.kill(os.getpid(), signal.SIGINT)
                sent += 1
        ended.append(sweep.cluster.stopped.wait(20))

    sweep.work = work
    outcome = sweep.run(1)
    assert (outcome.interrupted, ended) == (signal.SIGINT, [True])
    assert sweep.statuses == ["planned"] * 2


def test_an_end_that_a_dead_worker_could_not_write_is_written_here(sweep_of):
    sweep = sweep_of(1)
    lives = []

    def work(name, ask):
        lives.append(name)
        if len(lives) > 1:
            return
        ask("join", name).result()
        (item,) = ask("listen", name).result().items
        result = recorded(item.run, RunStatus.VERIFIED, usd=COST)
        assert ask("save", name, [Change(Row.of(0, result), (COST,))]).result()[0] == [None]
        raise WorkerLostError("it was killed")

    sweep.work = work
    outcome = sweep.run(1)
    assert (outcome.exit_code, sweep.statuses) == (0, ["verified"])
    assert read_result(sweep.runs[0].directory) == outcome.results[0]


def test_without_any_worker_that_lives_the_sweep_ends_and_says_so(sweep_of):
    sweep = sweep_of(2)

    def work(name, ask):
        raise WorkerLostError("its node has no memory")

    sweep.work = work
    outcome = sweep.run(2)
    assert isinstance(outcome.stopped_by, WorkerLostError)
    assert sweep.statuses == ["planned"] * 2


def test_a_fault_in_handing_runs_out_ends_the_sweep_in_order(sweep_of, monkeypatch):
    sweep = sweep_of(70)
    made = []

    def make(run):
        made.append(run)
        if len(made) > 66:
            raise ValueError("a bug")
        run.directory.mkdir(parents=True, exist_ok=True)

    monkeypatch.setattr("tests.distributed.conftest._make", make)
    outcome = sweep.run(2)
    assert "a bug" in str(outcome.stopped_by)
    assert Counter(sweep.statuses) == {"verified": 64, "planned": 6}


def test_what_waits_is_suspended_once_though_two_ask_for_it(sweep_of):
    sweep, ends = sweep_of(3), []
    for run in sweep.runs:
        run.directory.mkdir(parents=True)

    async def story():
        scheduler = Scheduler(sweep.runs, lambda event: ends.append(event.run.index))
        await asyncio.gather(scheduler.suspend_stopped(), scheduler.suspend_stopped())

    asyncio.run(story())
    assert sorted(ends) == [0, 1, 2]


def test_a_worker_looks_whether_it_sees_the_sweep_s_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    worker = RayWorker("worker-0", None, fail_fast=False)
    (tmp_path / ".env").write_text("A_KEY_OF_THIS_TEST=there")
    monkeypatch.setenv("A_KEY_OF_THIS_TEST", "before")  # taken back afterwards
    monkeypatch.delenv("A_KEY_OF_THIS_TEST")
    (tmp_path / "probe").write_text("what the driver wrote")
    assert worker.look(tmp_path, tmp_path / "probe", "what the driver wrote").problem is None
    assert os.environ["A_KEY_OF_THIS_TEST"] == "there"
    assert "another file" in worker.look(tmp_path, tmp_path / "probe", "something else").problem
    assert "No such file" in worker.look(tmp_path, tmp_path / "elsewhere", "anything").problem
    assert "No such file" in worker.look(tmp_path / "nowhere", tmp_path / "probe", "anything").problem
    with pytest.raises(RunnerError, match="another file"):
        worker.run(tmp_path, tmp_path / "probe", "something else")
