"""Many jobs at servers that list in their own ways, or not at all."""

from __future__ import annotations

import pytest

from runner.config.provider import CompatibleConfig
from runner.engine.execution import run_all


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("KEY", "sk-canary-7f3a")


@pytest.mark.parametrize("dialect", ["plain", "vllm_omni", "sglang"])
def test_jobs_are_heard_of_from_the_list(make_emulator, configs, runs, dialect):
    emulator = make_emulator(dialect=dialect, latency=60)
    assert _made(emulator, configs, runs, dialect) == 30
    requests = emulator.ledger()["requests"]
    assert requests["GET /v1/videos"] >= 1
    assert requests["GET /v1/videos/{video_id}"] < 60


def test_jobs_are_asked_for_one_by_one_where_none_are_listed(make_emulator, configs, runs):
    emulator = make_emulator(dialect="litellm", latency=60)
    assert _made(emulator, configs, runs, "litellm") == 30
    assert "GET /v1/videos" not in emulator.ledger()["requests"]


def test_jobs_are_asked_for_one_by_one_where_the_list_has_other_ids(make_emulator, configs, runs):
    emulator = make_emulator(dialect="litellm", latency=60)
    assert _made(emulator, configs, runs, "litellm", custom_llm_provider="hosted_vllm") == 30
    assert "GET /v1/videos" not in emulator.ledger()["requests"]


def test_videos_that_lie_elsewhere_are_found_there(make_emulator, configs, runs):
    emulator = make_emulator(dialect="sglang", uploads=True, latency=60)
    assert _made(emulator, configs, runs, "sglang") == 30


def _made(emulator, configs, runs, dialect, **more) -> int:
    """Of thirty videos, how many were brought home."""
    video_config, _ = configs
    config = video_config(thumbnail=False)
    provider = CompatibleConfig(
        kind="compatible",
        dialect=dialect,
        base_url=emulator.base_url,
        api_key_env="KEY",
        poll_interval=0.1,
        **more,
    )
    outcome = run_all(runs(30, config.model_copy(update={"provider": provider})), observer=lambda event: None)
    assert outcome.exit_code == 0
    return sum(result.status == "verified" for result in outcome.results)
