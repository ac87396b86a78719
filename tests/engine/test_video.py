from __future__ import annotations

import datetime as dt
import hashlib

import pytest

from runner.artifacts.result_file import read_result
from runner.artifacts.run_status import RunStatus
from runner.config.provider import CompatibleConfig
from runner.errors import ContentModerationError, ExpiredError, GenerationFailedError, ServerError
from runner.providers.base import Job, JobStatus


def failed(status=JobStatus.FAILED, code=None, message=None):
    return Job("video_0", status, status.value, error_code=code, error_message=message, raw={"id": "video_0"})


def test_a_video_is_generated_checked_and_recorded(engine, runs, clip, stored, names):
    (run,) = runs()
    outcome = engine([run])
    assert outcome.exit_code == 0
    assert outcome.errors == [None]
    assert names(run.directory) == ["result.json", "thumbnail.webp", "video.mp4"]
    assert (run.directory / "video.mp4").read_bytes() == clip
    result = stored(run)
    assert result == outcome.results[0]
    assert result.status is RunStatus.VERIFIED
    assert result.job_id == "video_0"
    video, thumbnail = result.artifacts
    assert video.sha256 == hashlib.sha256(clip).hexdigest()
    assert (video.path, video.bytes, video.media_type) == ("video.mp4", len(clip), "video/mp4")
    assert (video.width, video.height, video.duration_seconds, video.fps) == (64, 48, 1.0, 12.0)
    assert (video.video_codec, video.audio_codec) == ("h264", None)
    assert (thumbnail.path, thumbnail.media_type, thumbnail.width) == ("thumbnail.webp", "image/webp", 320)
    assert result.raw_response == {"id": "video_0", "status": "completed"}
    assert result.overrides == ["request.duration_seconds=4"]
    assert result.request_sent == {"operation": "create", "prompt": "A paper boat at sea", "model": "sora-2"}


def test_the_steps_have_their_times_in_utc_and_in_order(engine, runs):
    result = engine(runs()).results[0]
    times = [result.timestamps[step] for step in ("planned", "submitting", "submitted", "completed", "downloaded")]
    assert times == sorted(times)
    assert {time.tzinfo for time in result.timestamps.values()} == {dt.UTC}
    assert (result.timestamps["completed"] - result.timestamps["submitted"]).total_seconds() >= 10


def test_a_video_costs_its_list_price(engine, runs):
    cost = engine(runs()).results[0].cost
    assert (cost.estimated_usd, cost.actual_usd) == (0.4, 0.4)


def test_the_observer_sees_queued_then_in_progress_then_completed(engine, runs):
    engine(runs())
    words = [event.remote_status for event in engine.events if event.remote_status]
    assert list(dict.fromkeys(words)) == ["queued", "in_progress", "completed"]
    statuses = list(dict.fromkeys(event.status for event in engine.events))
    assert statuses == ["submitting", "submitted", "completed", "downloaded", "verified"]
    assert [event.progress for event in engine.events] == sorted(event.progress for event in engine.events)
    assert [event.result is not None for event in engine.events] == [False] * (len(engine.events) - 1) + [True]


def test_a_job_that_fails_at_once_still_shows_its_status(engine, provider, runs):
    provider.on_submit.append(failed())
    engine(runs())
    assert "failed" in [event.remote_status for event in engine.events]


def test_a_failed_job_is_recorded_with_code_and_message_and_the_sweep_goes_on(engine, provider, runs, stored):
    provider.on_submit.append(failed(code="internal", message="out of luck"))
    sweep = runs(3, max_concurrent_jobs=1)
    outcome = engine(sweep)
    assert [result.status for result in outcome.results] == ["failed", "verified", "verified"]
    assert isinstance(outcome.errors[0], GenerationFailedError)
    error = stored(sweep[0]).error
    assert (error.type, error.code, error.retryable) == ("GenerationFailedError", "internal", True)
    assert "out of luck" in error.message
    assert outcome.exit_code == 1
    assert provider.downloads != []


def test_moderation_is_not_retryable(engine, provider, runs):
    provider.on_submit.append(failed(code="moderation_blocked", message="no"))
    outcome = engine(runs())
    assert isinstance(outcome.errors[0], ContentModerationError)
    assert outcome.results[0].error.retryable is False


def test_a_failure_is_never_on_record_without_its_reason(engine, provider, runs):
    """A process that is killed at once has told why: nobody asks again for a job that has failed."""
    provider.on_submit.append(failed(code="internal", message="out of luck"))
    told = []
    engine.listeners.append(
        lambda event: told.append(read_result(event.run.directory)) if event.status.failed else None
    )
    engine(runs())
    assert told
    assert all("out of luck" in result.error.message for result in told)


@pytest.mark.parametrize(
    ("code", "message"),
    [("OutputVideoSensitiveContentDetected", None), (None, "Your request was blocked by our moderation system")],
)
def test_a_filter_is_known_by_code_or_words_whoever_made_it(engine, provider, runs, code, message):
    provider.on_submit.append(failed(JobStatus.FAILED, code, message))
    error = engine(runs()).results[0].error
    assert (error.type, error.retryable) == ("ContentModerationError", False)
    assert "request.prompt" in error.hint


def test_the_prompt_that_a_failure_repeats_is_no_filter_s_word(engine, provider, runs, configs):
    asked = "A moderation meeting about sensitive content"
    config = configs[0]()
    config = config.model_copy(update={"request": config.request.model_copy(update={"prompt": asked})})
    provider.on_submit.append(failed(JobStatus.FAILED, "oom", f"out of memory at {asked!r}"))
    assert engine(runs(1, config)).results[0].error.retryable


@pytest.mark.parametrize("code", ["400", "invalid_request_error", "InvalidParameter.Size", "BAD_REQUEST", "422"])
def test_a_request_that_the_job_was_refused_for_is_not_offered_again(engine, provider, runs, code):
    provider.on_submit.append(failed(JobStatus.FAILED, code, "no such size"))
    error = engine(runs()).results[0].error
    assert (error.type, error.retryable) == ("GenerationFailedError", False)


@pytest.mark.parametrize("code", ["500", "server_error", "429", None])
def test_other_failures_may_be_tried_again(engine, provider, runs, code):
    provider.on_submit.append(failed(JobStatus.FAILED, code, "out of memory"))
    assert engine(runs()).results[0].error.retryable


def test_a_completed_job_whose_file_a_filter_took_is_failed_and_not_downloaded_again_and_again(engine, provider, runs):
    provider.on_submit.append(failed(JobStatus.COMPLETED, "content_filter", "filtered: child safety"))
    provider.on_content += [ServerError("no video in the operation")] * 9
    outcome = engine(runs())
    result = outcome.results[0]
    assert (result.status, result.error.type, result.error.retryable) == ("failed", "ContentModerationError", False)
    assert "child safety" in result.error.message
    assert outcome.exit_code == 1
    assert len(provider.downloads) == 3
    assert result.spent_usd == 0.4


def test_a_file_that_is_there_all_the_same_is_kept(engine, provider, runs):
    provider.on_submit.append(failed(JobStatus.COMPLETED, "quality", "lower than asked for"))
    result = engine(runs()).results[0]
    assert result.status == "verified"
    assert any("lower than asked for" in warning for warning in result.warnings)


@pytest.mark.parametrize(("word", "said"), [("", "does not tell the job's status"), ("pondering", "'pondering'")])
def test_a_job_of_an_unknown_state_is_polled_on(engine, provider, runs, word, said):
    provider.on_retrieve.append(Job("video_0", JobStatus.UNKNOWN, word))
    result = engine(runs()).results[0]
    assert result.status == "verified"
    assert any(said in warning for warning in result.warnings)


def test_a_job_cancelled_at_the_provider_ends_as_cancelled(engine, provider, runs):
    provider.on_submit.append(failed(JobStatus.CANCELLED))
    outcome = engine(runs())
    assert outcome.results[0].status is RunStatus.CANCELLED
    assert outcome.exit_code == 1


def test_an_expired_job_is_a_state_of_its_own(engine, provider, runs):
    provider.on_submit.append(failed(JobStatus.EXPIRED))
    outcome = engine(runs())
    assert outcome.results[0].status is RunStatus.EXPIRED
    assert isinstance(outcome.errors[0], ExpiredError)
    assert len(provider.sent) == 1


def test_no_thumbnail_is_made_where_none_is_wanted(engine, runs, configs, names):
    video_config, _ = configs
    (run,) = runs(1, video_config(thumbnail=False))
    engine([run])
    assert names(run.directory) == ["result.json", "video.mp4"]


def test_a_deployment_that_is_called_otherwise_is_recorded(engine, runs, configs):
    video_config, _ = configs
    config = video_config()
    served = {
        "provider": CompatibleConfig(kind="compatible", base_url=config.provider.base_url),
        "model": config.model.model_copy(update={"deployment": "my-sora"}),
    }
    result = engine(runs(1, config.model_copy(update=served))).results[0]
    assert (result.model, result.deployment) == ("sora-2", "my-sora")


def test_an_observer_that_raises_loses_no_video(engine, runs, caplog):
    def broken(event):
        raise ValueError("a display's bug")

    engine.listeners.append(broken)
    assert engine(runs()).exit_code == 0
    assert "a display's bug" in caplog.text


def test_a_bug_met_by_one_run_spares_its_siblings_and_keeps_what_was_paid(engine, provider, runs, caplog):
    provider.on_content.append(ZeroDivisionError("bug"))
    outcome = engine(runs(2))
    assert sorted(result.status for result in outcome.results) == ["completed", "verified"]
    assert outcome.exit_code == 4
    assert "ZeroDivisionError" in caplog.text


def test_a_credential_that_the_server_repeats_is_not_written_down(engine, provider, runs):
    provider.seconds = 0
    raw = {"id": "video_0", "echo": {"Authorization": "Bearer canary"}}
    provider.on_submit.append(Job("video_0", JobStatus.COMPLETED, "completed", 100, raw=raw))
    (run,) = runs()
    engine([run])
    assert "canary" not in (run.directory / "result.json").read_text()


def test_the_client_is_closed_and_made_once_for_all_runs(engine, provider, runs):
    made = []
    engine(runs(5), create=lambda config: made.append(config) or provider)
    assert len(made) == 1
    assert provider.closed


def test_one_job_for_two_requests_is_noticed(engine, provider, runs):
    provider.created["video_0"] = 0.0
    provider.on_submit += [Job("video_0", JobStatus.QUEUED, "queued")] * 2
    results = engine(runs(3, max_concurrent_jobs=1)).results
    noticed = [any("another request" in warning for warning in result.warnings) for result in results]
    assert noticed == [False, True, False]


def test_a_file_inside_the_job_s_json_is_no_part_of_the_record(engine, provider, runs, stored):
    raw = {"id": "video_0", "data": [{"b64_json": "A" * 1_000_000}], "n": 2**62}
    provider.on_submit.append(Job("video_0", JobStatus.FAILED, "failed", raw=raw))
    (run,) = runs()
    engine([run])
    assert stored(run).raw_response == {"id": "video_0", "data": [{"b64_json": "<1,000,000 characters>"}], "n": 2**62}
