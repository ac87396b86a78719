from __future__ import annotations

import json
import os
import signal
import subprocess
import textwrap
from contextlib import suppress
from pathlib import Path

import pytest

from runner.artifacts.run_status import RunStatus
from tests.forking import Forked


def test_ctrl_c_stops_polling_and_keeps_the_id(engine, provider, runs, stored, names):
    provider.seconds = 1e6
    (run,) = runs()
    outcome = engine.interrupted([run], 100)
    assert outcome.interrupted == signal.SIGINT
    assert outcome.exit_code == 130
    assert engine.seconds == pytest.approx(100, abs=1)
    assert (stored(run).status, stored(run).job_id) == (RunStatus.SUBMITTED, "video_0")
    assert names(run.directory) == ["result.json"]
    assert outcome.errors == [None]
    assert engine.events[-1].result is outcome.results[0]
    assert provider.closed


def test_a_paid_request_under_way_is_awaited_for_its_id(engine, provider, runs, stored):
    provider.latency, provider.seconds = 50, 1e6
    (run,) = runs()
    engine.interrupted([run], 10)
    assert engine.seconds == pytest.approx(50, abs=1)
    assert (stored(run).status, stored(run).job_id) == (RunStatus.SUBMITTED, "video_0")


def test_a_second_ctrl_c_leaves_at_once_and_says_that_the_request_is_uncertain(engine, provider, runs, stored):
    provider.latency = 500
    (run,) = runs()
    outcome = engine.interrupted([run], 10, 20)
    assert engine.seconds == pytest.approx(20, abs=1)
    assert stored(run).status is RunStatus.UNCERTAIN
    assert outcome.exit_code == 130


def test_an_id_that_has_come_survives_the_second_ctrl_c(engine, provider, runs, stored):
    provider.latency, provider.seconds = 50, 1e6
    sweep = runs(4)
    engine.interrupted(sweep, 49.999, 50.0)
    known = [stored(run) for run in sweep]
    assert {result.status for result in known} <= {RunStatus.SUBMITTED, RunStatus.UNCERTAIN}
    assert all((result.status is RunStatus.SUBMITTED) == (result.job_id is not None) for result in known)


def test_nothing_more_is_submitted_after_ctrl_c(engine, provider, runs, stored):
    provider.latency = 50
    sweep = runs(20, max_concurrent_requests=3)
    outcome = engine.interrupted(sweep, 10)
    assert len(provider.sent) == 3
    statuses = [result.status for result in outcome.results]
    assert sorted(statuses) == ["planned"] * 17 + ["submitted"] * 3
    assert [stored(run).status for run in sweep] == statuses


def test_a_run_that_waits_out_a_429_is_left_planned(engine, provider, runs, stored):
    from runner.errors import RateLimitError

    provider.on_submit.append(RateLimitError("slow down", retry_after=500))
    (run,) = runs()
    outcome = engine.interrupted([run], 10)
    assert engine.seconds == pytest.approx(10, abs=1)
    assert outcome.results[0].status is RunStatus.PLANNED
    assert stored(run).status is RunStatus.PLANNED


def test_an_interrupted_download_leaves_no_file(engine, provider, runs, body, clip, stored, names):
    slow = body(clip)
    slow.seconds = 30
    provider.seconds = 0
    provider.on_content.append(slow)
    (run,) = runs()
    engine.interrupted([run], 40)
    assert names(run.directory) == ["result.json"]
    assert (stored(run).status, stored(run).job_id) == (RunStatus.COMPLETED, "video_0")


def test_ctrl_c_before_the_first_request_sends_nothing(engine, provider, runs):
    outcome = engine.interrupted(runs(3), 0)
    assert outcome.exit_code == 130
    assert provider.sent == []
    assert {result.status for result in outcome.results} == {RunStatus.PLANNED}


CHILD = """
    import sys
    from pathlib import Path
    sys.path.insert(0, {here!r})
    from configs import video_config
    from runner.engine.execution import run_all
    from runner.engine.run import Run

    runs = []
    for index in range(4):
        directory = Path({directory!r}) / str(index)
        directory.mkdir()
        runs.append(Run(index, video_config({url!r}, poll_interval=0.05, max_poll_attempts=100_000), directory))
    say = lambda event: print(event.status.value, flush=True)
    sys.exit(run_all(runs, observer=say).exit_code)
"""


def program_of_its_own(program: str, errors: Path) -> Forked:
    environment = {**os.environ, "OPENAI_API_KEY": "sk-test-key"}
    with errors.open("w") as file:
        return Forked("tests.program", [textwrap.dedent(program)], env=environment, stderr=file, text=True)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_real_signal_leaves_the_ids_in_result_json(make_emulator, tmp_path, number, code):
    emulator = make_emulator(latency=1000, time_scale=1)
    program = CHILD.format(here=str(Path(__file__).parent), directory=str(tmp_path), url=emulator.base_url)
    with program_of_its_own(program, tmp_path / "errors") as child:
        submitted = 0
        while submitted < 4:
            submitted += child.stdout.readline().startswith("submitted")
        os.kill(child.pid, number)
        child.wait(120)  # the jobs would take 1,000 s
    errors = (tmp_path / "errors").read_text()
    assert child.returncode == code, errors
    assert errors == ""
    results = [json.loads((tmp_path / str(index) / "result.json").read_text()) for index in range(4)]
    assert {result["status"] for result in results} == {"submitted"}
    assert len({result["job_id"] for result in results}) == 4
    assert {job["id"] for job in emulator.ledger()["created"]} == {result["job_id"] for result in results}


def test_a_second_real_signal_leaves_at_once(make_emulator, tmp_path):
    emulator = make_emulator(rules=[{"match": {"operation": "create"}, "nth": [1, 2, 3, 4], "fault": "stalled"}])
    program = CHILD.format(here=str(Path(__file__).parent), directory=str(tmp_path), url=emulator.base_url)
    with program_of_its_own(program, tmp_path / "errors") as child:
        for _ in range(4):
            assert child.stdout.readline() == "submitting\n"
        os.kill(child.pid, signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            child.wait(timeout=1)
        for _ in range(5):  # on a busy machine one that comes before the first was heard is lost
            os.kill(child.pid, signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                child.wait(timeout=20)
                break
        child.wait(10)
    errors = (tmp_path / "errors").read_text()
    assert child.returncode == 130, errors
    assert errors == ""
    results = [json.loads((tmp_path / str(index) / "result.json").read_text()) for index in range(4)]
    assert {result["status"] for result in results} <= {"uncertain", "planned"}
