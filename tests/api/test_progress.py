from __future__ import annotations

import asyncio
import threading
from itertools import groupby

import pytest

from runner import GenerationFailedError, generate_image_async, generate_video, generate_video_async


def words(updates):
    return [status for status, _ in groupby(update.status for update in updates)]


@pytest.fixture
def slower(make_emulator, video_at):
    """Jobs of a second and a half, so that each status is seen on a busy machine, too."""
    return video_at(make_emulator(latency=150))


def test_a_plain_function_sees_queued_processing_completed(slower, request_):
    updates = []
    response = generate_video(slower, request_, updates.append)
    assert words(updates) == ["queued", "processing", "completed"]
    assert {update.request_id for update in updates} == {response.request_id}
    assert [update.progress_percent for update in updates] == sorted(update.progress_percent for update in updates)
    assert (updates[0].progress_percent, updates[-1].progress_percent) == (0, 100)


async def test_a_coroutine_is_awaited_in_turn_and_to_its_end(slower, request_):
    updates = []

    async def on_progress(update):
        await asyncio.sleep(0.01)
        updates.append(update)

    await generate_video_async(slower, request_, on_progress)
    assert words(updates) == ["queued", "processing", "completed"]


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_callback_that_raises_loses_no_video(slower, request_, caplog, asynchronous):
    def broken(_update):
        raise ZeroDivisionError

    async def broken_too(_update):
        raise ZeroDivisionError

    assert generate_video(slower, request_, broken_too if asynchronous else broken).status == "completed"
    assert "on_progress failed" in caplog.text


def test_a_failure_is_told_with_its_reason(make_emulator, video_at, request_):
    updates = []
    emulator = make_emulator(rules=[{"match": {"operation": "create"}, "fault": "internal"}])
    with pytest.raises(GenerationFailedError):
        generate_video(video_at(emulator), request_, updates.append)
    assert [update.status for update in updates].count("failed") == 1
    assert updates[-1].error


async def test_images_have_progress_too(image_config):
    from runner import ImageGenerationRequest

    updates = []
    response = await generate_image_async(image_config, ImageGenerationRequest(prompt="A boat"), updates.append)
    assert words(updates) == ["processing", "completed"]
    assert {update.request_id for update in updates} == {response.request_id}


async def test_a_plain_function_is_called_on_the_callers_loop(slower, request_):
    threads = set()
    await generate_video_async(slower, request_, lambda _update: threads.add(threading.current_thread()))
    assert threads == {threading.current_thread()}
