"""The happy paths again, through the real SDK and over HTTP."""

from __future__ import annotations

import asyncio

import pytest

from runner.artifacts.result_file import read_result
from runner.artifacts.run_status import RunStatus
from runner.engine.execution import run_all
from runner.engine.scheduler import Scheduler


@pytest.fixture
def key(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary-7f3a")


def quick(**options):
    return {"poll_interval": 0.02, "max_poll_attempts": 2000, **options}


def test_a_sweep_of_fifty_is_made_and_nothing_is_paid_twice(emulator, configs, runs, key):
    video_config, _ = configs
    sweep = runs(50, video_config(emulator.base_url, **quick()))
    outcome = run_all(sweep, observer=lambda event: None)
    assert outcome.exit_code == 0
    assert len(emulator.ledger()["created"]) == 50
    for run in sweep:
        result = read_result(run.directory)
        assert result.status is RunStatus.VERIFIED
        video = result.artifacts[0]
        assert (video.width, video.height, video.fps, video.duration_seconds) == (1280, 720, 24.0, 4.0)
        assert (video.video_codec, video.audio_codec) == ("h264", "aac")
    assert len({result.job_id for result in outcome.results}) == 50


def test_images_are_made(emulator, configs, runs, key, names):
    _, image_config = configs
    (run,) = runs(1, image_config(emulator.base_url, n=2))
    assert run_all([run], observer=lambda event: None).exit_code == 0
    assert names(run.directory) == ["image-0.png", "image-1.png", "result.json", "thumbnail.webp"]


def test_faults_on_the_way_cost_time_and_no_money(make_emulator, configs, runs, key):
    video_config, _ = configs
    rules = [
        {"match": {"operation": "create"}, "nth": [1, 2], "fault": "rate_limit", "retry_after": 0.01},
        {"match": {"operation": "retrieve"}, "nth": [1, 2, 3], "fault": "status", "status": 503},
        {"match": {"operation": "content"}, "nth": [1], "fault": "content_not_ready"},
        {"match": {"operation": "content"}, "nth": [2], "fault": "truncated"},
        {"match": {"operation": "content"}, "nth": [3], "fault": "html"},
    ]
    emulator = make_emulator(rules=rules)
    outcome = run_all(runs(3, video_config(emulator.base_url, **quick())), observer=lambda event: None)
    assert outcome.exit_code == 0, outcome.errors
    assert len(emulator.ledger()["created"]) == 3


def test_a_wrong_key_stops_the_sweep(make_emulator, configs, runs, key):
    video_config, _ = configs
    emulator = make_emulator(api_key="another")
    outcome = run_all(
        runs(20, video_config(emulator.base_url, **quick(max_concurrent_jobs=1))), observer=lambda event: None
    )
    assert [result.status for result in outcome.results] == ["failed"] + ["planned"] * 19
    assert outcome.exit_code == 1


def test_the_key_is_in_no_file(emulator, configs, runs, key, tmp_path):
    video_config, _ = configs
    (run,) = runs(1, video_config(emulator.base_url, **quick()))
    run_all([run], observer=lambda event: None)
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and b"sk-canary-7f3a" in path.read_bytes()]


async def test_programs_with_a_loop_of_their_own_await_it(emulator, configs, runs, key):
    video_config, _ = configs
    events = []
    outcome = await Scheduler(runs(1, video_config(emulator.base_url, **quick())), observer=events.append).run()
    assert outcome.exit_code == 0
    assert events[-1].result is outcome.results[0]
    await asyncio.sleep(0)
