from __future__ import annotations

import asyncio
import gc
import threading

import pytest

from runner import (
    AuthenticationError,
    ModelNotFoundError,
    VideoGenerationRequest,
    generate_image,
    generate_video,
    generate_video_async,
)
from runner.api import generate


async def test_many_calls_on_one_loop_are_apart_and_share_one_client(make_emulator, video_at):
    emulator = make_emulator()
    config = video_at(emulator)
    requests = [VideoGenerationRequest(prompt=f"Boat {number}", duration_seconds=4) for number in range(25)]
    responses = await asyncio.gather(*(generate_video_async(config, request) for request in requests))
    assert [response.raw_response["prompt"] for response in responses] == [request.prompt for request in requests]
    assert len({response.path for response in responses}) == 25
    assert emulator.ledger()["jobs"] == 25
    assert threading.active_count() < 30


async def test_one_calls_error_stops_no_other(make_emulator, video_at, request_):
    emulator = make_emulator(api_key="the-right-one")
    wrong, right = video_at(emulator), video_at(emulator, api_key="the-right-one")
    ends = await asyncio.gather(
        *(generate_video_async(config, request_) for config in (wrong, right, wrong, right)), return_exceptions=True
    )
    assert [type(end) for end in ends[::2]] == [AuthenticationError] * 2
    assert [end.status for end in ends[1::2]] == ["completed"] * 2


async def test_a_deployment_that_does_not_exist_concerns_no_other(make_emulator, video_at, request_):
    emulator = make_emulator(deployments=("mine",))
    configs = [video_at(emulator, model=name) for name in ("mine", "missing", "mine", "missing", "mine")]
    ends = await asyncio.gather(*(generate_video_async(config, request_) for config in configs), return_exceptions=True)
    assert [getattr(end, "status", type(end)) for end in ends] == [
        "completed", ModelNotFoundError, "completed", ModelNotFoundError, "completed",
    ]  # fmt: skip


async def test_the_loop_goes_on_meanwhile(config, request_):
    await generate_video_async(config, request_)
    turns = 0

    async def watch():
        nonlocal turns
        while True:
            await asyncio.sleep(0.001)
            turns += 1

    watcher = asyncio.create_task(watch())
    await asyncio.gather(*(generate_video_async(config, request_) for _ in range(5)))
    watcher.cancel()
    assert turns > 10


async def test_the_waiting_functions_work_inside_a_running_loop(config, image_config, request_):
    from runner import ImageGenerationRequest

    assert generate_video(config, request_).status == "completed"
    assert generate_image(image_config, ImageGenerationRequest(prompt="A boat")).status == "completed"


async def test_a_cancelled_call_keeps_the_paid_jobs_record(make_emulator, video_at, request_, tmp_path, caplog):
    from runner.artifacts.result_file import read_result
    from runner.artifacts.run_status import RunStatus

    emulator = make_emulator(latency=10_000)
    submitted = asyncio.Event()
    call = asyncio.create_task(
        generate_video_async(video_at(emulator), request_, lambda _update: submitted.set(), output_dir=tmp_path / "out")
    )
    await submitted.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    result = read_result(next((tmp_path / "out").iterdir()))
    assert result.status is RunStatus.SUBMITTED
    assert result.job_id is not None
    assert f"its record are in {tmp_path}" in caplog.text


async def test_a_cancelled_call_takes_no_other_along(make_emulator, video_at, request_, tmp_path):
    config = video_at(make_emulator(latency=30), output_dir=tmp_path / "out")
    first, second = (asyncio.create_task(generate_video_async(config, request_)) for _ in range(2))
    await asyncio.sleep(0.05)
    first.cancel()
    assert (await second).status == "completed"


def test_nothing_is_held_open_between_calls(config, request_):
    generate_video(config, request_)
    gc.collect()
    assert len(generate._sessions) == 0
