"""Killed and gone on with, as a user has it: processes of their own, one after the other."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.forking import Forked
from tests.waiting import wait_until


@pytest.fixture
def arguments(served):
    return [
        *("provider=openai", f"provider.base_url={served.base_url}", "provider.retired_models=off", "request=draft"),
        *("provider.poll_interval=0.05", "provider.deadline_seconds=1000000", "hydra.sweep.dir=outputs/sweep"),
    ]


def killed(arguments: list[str], cwd: Path, moment) -> None:
    """Run the command line until `moment` has come, and kill it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AZURE_", "HYDRA_"))}
    environment = {**kept, "OPENAI_API_KEY": "sk-throw-away"}
    with Forked("runner", arguments, cwd=cwd, env=environment, stdout=subprocess.DEVNULL) as it:
        wait_until(moment, it)
        it.send_signal(signal.SIGKILL)


def test_a_killed_sweep_is_listed_resumed_and_then_finished(cli, tmp_path, served, clock, arguments):
    sweep = tmp_path / "outputs/sweep"

    def all_submitted() -> bool:
        return sum('"submitted"' in path.read_text() for path in sweep.glob("*/result.json")) == 2

    killed(["-m", *arguments, "replica=0,1"], tmp_path, all_submitted)
    listed = cli("ls")
    assert (listed.code, listed.err) == (0, "")
    assert "2 generating" in listed.out
    assert "python -m runner resume outputs/sweep" in listed.out

    clock.time += clock.long
    resumed = cli("resume", "outputs/sweep", OPENAI_API_KEY="sk-throw-away")
    assert resumed.code == 0, resumed.err
    assert "Traceback" not in resumed.err
    assert [result["status"] for result in resumed.results()] == ["verified", "verified"]
    assert served.ledger()["jobs"] == 2
    assert len([*sweep.glob("*/video.mp4")]) == 2

    again = cli("resume", "outputs/sweep", OPENAI_API_KEY="sk-throw-away")
    assert (again.code, "nothing to do" in again.out) == (0, True), again.err
    assert "resume" not in cli("ls").out


def test_a_key_that_is_missing_is_said_before_a_finished_job_is_touched(cli, tmp_path, served, arguments):
    sweep = tmp_path / "outputs/sweep"
    killed(["-m", *arguments, "replica=0"], tmp_path, lambda: served.ledger()["jobs"] == 1)
    done = cli("resume", "outputs/sweep")
    assert done.code == 2
    assert "OPENAI_API_KEY" in done.err
    assert "Traceback" not in done.err
    assert not (sweep / "0/video.mp4").exists()
