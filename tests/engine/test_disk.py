from __future__ import annotations

import asyncio
import base64
import importlib
import io
import json
import os
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from runner.artifacts.run_status import RunStatus
from runner.errors import DiskError, ServerError, UncertainError
from runner.providers.base import GeneratedImage, ImageBatch


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


class FullDisk:
    """Refuses what is written for so many seconds from its first call on."""

    def __init__(self, monkeypatch, seconds: float) -> None:
        self.seconds, self.full = seconds, False
        for name in ("runner.engine.image.decode", "runner.engine.store.write_result"):
            module, _, function = name.rpartition(".")
            monkeypatch.setattr(name, self._refusing(getattr(importlib.import_module(module), function)))

    def _refusing(self, write):
        def refuse(*args, **kwargs):
            if self.full and self.loop.time() < self.since + self.seconds:
                raise DiskError("cannot write: No space left on device")
            return write(*args, **kwargs)

        return refuse

    def __call__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.full, self.since = True, self.loop.time()


def image(size=(32, 32)) -> GeneratedImage:
    buffer = io.BytesIO()
    Image.effect_noise(size, 40).save(buffer, "PNG")
    return GeneratedImage(base64.b64encode(buffer.getvalue()).decode(), None)


def test_images_that_come_while_the_disk_is_full_are_held_until_there_is_space(
    engine, provider, image_runs, monkeypatch, stored
):
    provider.before_answer = FullDisk(monkeypatch, 200)
    provider.on_generate.append(ImageBatch((image(), image())))
    (run,) = image_runs(n=2)
    outcome = engine([run])
    assert (outcome.exit_code, stored(run).status, len(provider.sent)) == (0, "verified", 1)
    assert [note for note in engine.notes if "held in memory" in note and "do not end this process" in note]
    assert [note for note in engine.notes if "written after all" in note]
    assert 200 < engine.seconds < 220


def test_images_that_the_disk_never_takes_are_not_said_to_be_kept(engine, provider, image_runs, monkeypatch):
    provider.before_answer = FullDisk(monkeypatch, 100_000)
    provider.on_generate.append(ImageBatch((image(), image())))
    outcome = engine(image_runs(n=2))
    assert outcome.exit_code == 5
    assert "2 of 2 images that were paid for could not be kept" in str(outcome.errors[0])
    assert 300 <= engine.seconds < 330
    assert outcome.results[0].spent_usd == 0.02
    assert not outcome.results[0].error.retryable


def test_a_job_s_id_is_held_until_there_is_space(engine, provider, runs, monkeypatch, stored):
    provider.before_answer = FullDisk(monkeypatch, 100)
    (run,) = runs()
    assert engine([run]).exit_code == 0
    assert (stored(run).job_id, len(provider.sent)) == ("video_0", 1)


@pytest.mark.parametrize("found", [True, False])
def test_a_disk_that_does_not_take_what_became_of_a_lost_answer_ends_all_in_order(
    engine, provider, runs, monkeypatch, stored, found
):
    run, *others = runs(3)
    if found:
        provider.answers_lost = 1
        provider.on_jobs.extend(ServerError("down") for _ in range(50))
    else:
        provider.on_submit.append(UncertainError("the answer was lost"))
    engine([run])
    lost = replace(run, earlier=stored(run), resubmit=not found)
    provider.on_jobs.clear()
    full, jobs = FullDisk(monkeypatch, 100_000), provider.jobs
    monkeypatch.setattr(provider, "jobs", lambda *asked: full() or jobs(*asked))
    engine.events.clear()
    outcome = engine([lost, *others])
    assert outcome.exit_code == 5
    assert isinstance(outcome.errors[0], DiskError)
    assert len(outcome.results) == sum(event.result is not None for event in engine.events) == 3
    assert len([note for note in engine.notes if note.startswith("nothing more is submitted")]) == 1
    assert (stored(run).status, len(provider.sent)) == ("uncertain", 1), "it is looked for again"


CHILD = """
    import resource, signal, sys
    from pathlib import Path
    sys.path.insert(0, {here!r})
    from configs import video_config
    from runner.engine.execution import run_all
    from runner.engine.run import Run

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
    child = subprocess.run(command, check=False, capture_output=True, text=True, env=environment, timeout=300)
    assert child.returncode == 5, child.stderr
    assert "File too large" in child.stdout
    assert names(directory) == ["result.json"]
    result = json.loads((directory / "result.json").read_text())
    assert result["status"] == "completed"
    assert result["job_id"]
