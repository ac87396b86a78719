"""`runner.sweep(storage=…)`: the same uploads from Python."""

from __future__ import annotations

import asyncio
import logging
import threading

import pytest

import runner
from runner import VideoGenerationConfig, VideoGenerationRequest, load_sweep, sweep, sweep_async


@pytest.fixture
def config(emulator, here) -> VideoGenerationConfig:
    return VideoGenerationConfig(
        provider="openai", model="sora-2", api_key="sk-any", base_url=emulator.base_url, poll_interval=0.02
    )


BOATS = [VideoGenerationRequest(prompt=f"A paper boat, number {number}", duration_seconds=4) for number in range(2)]


def test_an_address_is_enough(config, bucket):
    made = sweep(config, BOATS, output_dir="boats", storage=f"file://{bucket}")
    there = load_sweep(f"file://{bucket}/boats")
    assert [run.job_id for run in there] == [run.job_id for run in made]
    assert made[1].artifacts[0].read_bytes() == (bucket / "boats/1/video.mp4").read_bytes()
    assert "uploaded: 2 runs" in (bucket / "boats/index.html").read_text()


def test_a_mapping_sets_what_stays_here(config, bucket, emulator):
    storage = {"url": f"file://{bucket}", "keep_local": False}
    made = sweep(config, BOATS, output_dir="boats", storage=storage)
    assert not made[0].artifacts[0].exists()
    assert (bucket / "boats/0/video.mp4").is_file()
    sweep(config, BOATS, output_dir="boats", storage=storage)
    assert emulator.ledger()["jobs"] == 2


@pytest.mark.parametrize(
    ("storage", "said"),
    [
        ("/mnt/archive", "storage.url: '/mnt/archive' is no address of a storage"),
        ({"url": "file:///mnt", "keep": True}, "keep"),
        ("file:///dev/null/nowhere", "cannot be used"),
        (7, "storage"),
    ],
)
def test_what_cannot_be_used_is_refused_before_anything_is_sent(config, emulator, storage, said):
    with pytest.raises(runner.ConfigError) as caught:
        sweep(config, BOATS, output_dir="boats", storage=storage)
    assert said in str(caught.value)
    assert emulator.ledger()["jobs"] == 0


async def test_an_end_that_waits_for_a_storage_can_be_cancelled(config, emulator, s3, caplog):
    hangs, go_on = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def fault(request):
        if request.method == "PUT" and request.path.partition("?")[0].endswith("boats/index.html"):
            loop.call_soon_threadsafe(hangs.set)
            go_on.wait(120)

    s3.door.fault = fault
    work = asyncio.create_task(sweep_async(config, BOATS, output_dir="boats", storage=s3.url))
    await hangs.wait()
    work.cancel()
    with caplog.at_level(logging.WARNING, "runner"), pytest.raises(asyncio.CancelledError):
        await work
    assert "page, tables and ledger not uploaded: it was interrupted" in caplog.text

    go_on.set()
    s3.door.fault = lambda _request: None
    made = await sweep_async(config, BOATS, output_dir="boats", storage=s3.url)
    assert [run.status for run in made] == ["verified"] * 2
    assert emulator.ledger()["jobs"] == 2
    assert {"boats/index.html", "boats/ledger.sqlite3"} <= s3.names()
