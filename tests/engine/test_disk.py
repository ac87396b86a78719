from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest

from runner.artifacts import RunStatus
from runner.errors import DiskError


@pytest.fixture
def nowhere(tmp_path):
    """A directory that even root cannot write: its parent is a file."""
    (tmp_path / "file").write_text("")
    return tmp_path / "file" / "run"


def test_nothing_is_sent_where_nothing_can_be_written(engine, provider, runs, nowhere):
    (run,) = runs()
    outcome = engine([replace(run, directory=nowhere)])
    assert provider.sent == []
    assert isinstance(outcome.errors[0], DiskError)
    assert outcome.results[0].status is RunStatus.PLANNED
    assert outcome.exit_code == 5


def test_a_full_disk_stops_new_submissions_and_lets_running_jobs_finish(engine, provider, runs, nowhere):
    first, second, third = runs(3, max_concurrent_jobs=2, max_concurrent_requests=1)
    outcome = engine([first, replace(second, directory=nowhere), third])
    assert [result.status for result in outcome.results] == ["verified", "planned", "planned"]
    assert len(provider.sent) == 1
    assert outcome.exit_code == 5
    assert len([note for note in engine.notes if "nothing more is submitted" in note]) == 1


def test_a_job_whose_id_cannot_be_written_is_still_named(engine, provider, runs):
    (run,) = runs()
    provider.before_answer = lambda: ((run.directory / "result.json").unlink(), run.directory.rmdir())
    outcome = engine([run])
    assert outcome.results[0].job_id == "video_0"
    assert outcome.results[0].status is RunStatus.SUBMITTED
    assert "video_0" in str(outcome.errors[0])
    assert outcome.exit_code == 5


CHILD = """
    import resource, signal, sys
    from pathlib import Path
    sys.path.insert(0, {here!r})
    from configs import video_config
    from runner.engine import Run, run_all

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64_000, 64_000))
    directory = Path({directory!r})
    config = video_config({url!r}, poll_interval=0.05, max_poll_attempts=1000)
    outcome = run_all([Run(0, config, directory)], observer=lambda event: None)
    print(outcome.errors[0])
    sys.exit(outcome.exit_code)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no RLIMIT_FSIZE")
def test_a_disk_that_fills_up_during_the_download_keeps_the_job(make_emulator, tmp_path, names):
    emulator = make_emulator(video_bytes=200_000)
    directory = tmp_path / "run"
    directory.mkdir()
    program = CHILD.format(here=str(Path(__file__).parent), directory=str(directory), url=emulator.base_url)
    environment = {**os.environ, "OPENAI_API_KEY": "sk-test-key"}
    command = [sys.executable, "-c", textwrap.dedent(program)]
    child = subprocess.run(command, check=False, capture_output=True, text=True, env=environment, timeout=30)
    assert child.returncode == 5, child.stderr
    assert "File too large" in child.stdout
    assert names(directory) == ["result.json"]
    result = json.loads((directory / "result.json").read_text())
    assert result["status"] == "completed"
    assert result["job_id"]
