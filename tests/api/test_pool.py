"""Calls of the Python API to a pool of servers."""

from __future__ import annotations

import asyncio

import pytest

from runner import VideoGenerationConfig, generate_video_async
from runner.emulator.settings import EmulatorSettings
from tests.emulator_thread import EmulatorThread


@pytest.fixture
def servers(tmp_path, render_cache):
    def server(number):
        state = tmp_path / f"server{number}.sqlite3"
        return EmulatorThread(EmulatorSettings(state_file=state, latency=0.1, media_dir=render_cache))

    with server(0) as first, server(1) as second:
        yield [first, second]


async def test_calls_that_overlap_are_spread(servers, request_):
    config = VideoGenerationConfig(
        provider="openai", model="sora-2", api_key="any", poll_interval=0.02, max_poll_attempts=6000,
        provider_config={"base_urls": [server.base_url for server in servers], "retired_models": "off"},
    )  # fmt: skip
    responses = await asyncio.gather(*(generate_video_async(config, request_) for _ in range(4)))
    assert {response.status for response in responses} == {"completed"}
    assert [server.ledger()["jobs"] for server in servers] in ([2, 2], [1, 3], [3, 1])
