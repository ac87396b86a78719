"""Responses, updates and records that a program builds by hand, as its tests' stand-ins."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from pydantic import ValidationError

from runner import (
    AttemptMetadata,
    ExecutionMetadata,
    ImageGenerationResponse,
    ImageGenerationUpdate,
    JobTimeoutError,
    RunnerError,
    VideoGenerationResponse,
    VideoGenerationUpdate,
)

MADE = {"content": b"bytes of a video", "content_type": "video/mp4"}


def at(second):
    return dt.datetime(2026, 1, 3, 10, 0, second, tzinfo=dt.UTC)


def attempt(number=1, **fields):
    given = {"provider": "openai", "model": "sora-2", "started_at": at(0), "ended_at": at(5), "status": "success"}
    return AttemptMetadata(attempt_number=number, **{**given, **fields})


@pytest.mark.parametrize("video", ["https://example.com/video.mp4", b"bytes of a video", MADE])
def test_a_video_is_given_back_as_it_was_given(video):
    response = VideoGenerationResponse(request_id="r1", video=video, status="completed", raw_response={"id": "r1"})
    assert response.video == video
    assert (response.request_id, response.status, response.raw_response) == ("r1", "completed", {"id": "r1"})
    assert (response.is_mock, response.execution_metadata, response.audio_url) == (False, None, None)
    assert (response.content_type, response.duration, response.resolution, response.aspect_ratio) == (None,) * 4
    assert response.videos == (response,)


def test_images_are_given_back_as_they_were_given():
    images = ["https://example.com/1.png", "iVBORw0KGgo="]
    response = ImageGenerationResponse(request_id="r1", images=images, status="completed", raw_response={})
    assert response.images == images
    assert response.image == images[0]
    assert (response.content_type, response.revised_prompt, response.is_mock) == ("image/png", None, False)


def test_every_field_can_be_given():
    fields = {
        "content_type": "video/mp4", "audio_url": "https://example.com/a.mp3", "duration": 8.0,
        "resolution": "1280x720", "aspect_ratio": "16:9", "status": "failed", "is_mock": True,
        "execution_metadata": ExecutionMetadata(attempts=[attempt()]),
    }  # fmt: skip
    response = VideoGenerationResponse(request_id="r1", video=b"x", raw_response={}, **fields)
    assert {name: getattr(response, name) for name in fields} == fields


def test_a_misspelt_field_is_refused():
    with pytest.raises(ValueError, match="'durations' is no field; did you mean 'duration'"):
        VideoGenerationResponse(request_id="r1", video=b"x", durations=4)
    with pytest.raises(ValueError, match="'image' is no field"):
        ImageGenerationResponse(request_id="r1", image=b"x")


@pytest.mark.parametrize(
    "response",
    [
        VideoGenerationResponse(request_id="r1", video="https://example.com/video.mp4"),
        VideoGenerationResponse(request_id="r1", video=MADE),
        ImageGenerationResponse(request_id="r1", images=["https://example.com/1.png", b"\x89PNG"]),
    ],
)
def test_a_response_goes_through_a_dictionary_and_a_copy(response):
    assert type(response).model_validate(response.model_dump()) == response
    copied = response.model_copy(update={"is_mock": True})
    assert (copied.is_mock, copied.model_dump()[copied.given_as]) == (True, response.model_dump()[response.given_as])


def test_bytes_are_base64_in_json():
    videos = [VideoGenerationResponse(request_id="r1", video=video) for video in (b"\x89\xff", MADE)]
    first, second = (json.loads(each.model_dump_json())["video"] for each in videos)
    assert (first, second) == ("if8=", {"content": "Ynl0ZXMgb2YgYSB2aWRlbw==", "content_type": "video/mp4"})


def test_it_is_saved_but_has_no_file(tmp_path):
    video = VideoGenerationResponse(request_id="r1", video=MADE, content_type="video/mp4")
    assert video.save(tmp_path / "a.mp4").read_bytes() == MADE["content"]
    assert video.save(tmp_path) == tmp_path / "video-0.mp4"
    images = ImageGenerationResponse(request_id="r1", images=[b"\x89PNG", "iVBORw=="])
    assert [path.name for path in images.save_all(tmp_path / "all")] == ["image-0.png", "image-1.png"]
    (tmp_path / "file").touch()
    with pytest.raises(RunnerError, match="cannot write"):
        images.save_all(tmp_path / "file")
    with pytest.raises(RunnerError, match="built by hand"):
        _ = video.path
    with video as entered:
        assert entered is video


def test_without_media_it_says_what_to_give(tmp_path):
    with pytest.raises(RunnerError, match="without media") as caught:
        VideoGenerationResponse(request_id="r1").save(tmp_path)
    assert caught.value.hint == "give it video=…"


@pytest.mark.parametrize(
    ("kind", "result"),
    [
        (VideoGenerationUpdate, VideoGenerationResponse(request_id="r1", video=b"x")),
        (ImageGenerationUpdate, ImageGenerationResponse(request_id="r1", images=[b"x"])),
    ],
)
def test_an_update_takes_a_result_and_any_payload(kind, result):
    queued = kind(request_id="r1", status="queued", progress_percent=None, update={"position": 5})
    assert (queued.progress_percent, queued.update, queued.result, queued.error) == (None, {"position": 5}, None, None)
    done = kind(request_id="r1", status="completed", progress_percent=100, update={}, result=result)
    assert done.result == result
    with pytest.raises(ValidationError):
        kind(request_id="r1", status="processing", progress_percent=101)


def test_a_record_of_attempts_counts_them_unless_it_is_told():
    failed = attempt(1, status="failed", error_type="ServerError", error_message="500", is_retryable=True)
    counted = ExecutionMetadata(attempts=[failed, attempt(2, started_at=at(6), ended_at=at(15))], configs_in_chain=2)
    assert (counted.total_attempts, counted.successful_attempt, counted.fallback_triggered) == (2, 2, True)
    assert counted.total_elapsed_seconds == 15.0
    assert ExecutionMetadata.model_validate(counted.model_dump()) == counted
    told = ExecutionMetadata(
        attempts=[], configs_in_chain=3, total_attempts=3, successful_attempt=None, fallback_triggered=True
    )
    assert (told.total_attempts, told.fallback_triggered, told.total_elapsed_seconds) == (3, True, 0.0)


def test_an_attempt_that_has_not_ended_has_taken_no_time():
    assert attempt().elapsed_seconds == 5.0
    assert attempt(ended_at=None, status="processing").elapsed_seconds is None


def test_a_timeout_can_be_raised_by_hand():
    error = JobTimeoutError("timed out", provider="openai", timeout_seconds=600)
    assert (error.timeout_seconds, error.seconds, error.provider, error.retryable) == (600, 600, "openai", True)
    assert JobTimeoutError("timed out", attempts=3, seconds=15.0).timeout_seconds == 15.0
