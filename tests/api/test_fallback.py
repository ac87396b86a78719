from __future__ import annotations

import pytest

from runner import (
    AuthenticationError,
    BadRequestError,
    ConfigError,
    ContentModerationError,
    UncertainError,
    generate_video,
)


def fault(name, **more):
    return [{"match": {"operation": "create"}, "fault": name, **more}]


@pytest.fixture
def chain(make_emulator, video_at, tmp_path):
    """Two emulators, the first with a fault; their configs as a chain."""

    def make(rules, **fields):
        first = make_emulator(rules=rules, state_file=tmp_path / "first.sqlite3", latency=fields.pop("latency", 2.0))
        second = make_emulator(state_file=tmp_path / "second.sqlite3", api_key="the-second-key")
        fallback = video_at(second, model="my-second-sora", api_key="the-second-key")
        return video_at(first, fallback_configs=[fallback], **fields), first, second

    return make


@pytest.mark.parametrize(
    ("rules", "error"),
    [
        (fault("internal"), "GenerationFailedError"),
        (fault("rate_limit", retry_after=3600), "RateLimitError"),
        (fault("rate_limit"), "RateLimitError"),
    ],
)
def test_a_retryable_error_leads_to_the_next_config(chain, request_, rules, error):
    config, _, second = chain(rules)
    response = generate_video(config, request_)
    execution = response.execution_metadata
    assert (execution.total_attempts, execution.successful_attempt, execution.fallback_triggered) == (2, 2, True)
    failed, succeeded = execution.attempts
    assert (failed.status, failed.error_type, failed.is_retryable) == ("failed", error, True)
    assert (succeeded.model, succeeded.status, succeeded.error_type) == ("my-second-sora", "success", None)
    assert failed.ended_at <= succeeded.started_at < succeeded.ended_at
    assert succeeded.request_id == response.request_id
    assert second.ledger()["jobs"] == 1


def test_an_unreachable_endpoint_leads_to_the_next_config_at_once(make_emulator, video_at, request_, emulator):
    config = video_at(emulator, base_url="http://127.0.0.1:9", fallback_configs=[video_at(emulator)])
    attempts = generate_video(config, request_).execution_metadata.attempts
    assert [attempt.error_type for attempt in attempts] == ["HTTPConnectionError", None]
    assert (attempts[0].ended_at - attempts[0].started_at).total_seconds() < 5


def test_after_the_deadline_the_first_job_is_left_to_itself(chain, request_):
    config, first, _ = chain([], latency=10_000, max_poll_attempts=3)
    response = generate_video(config, request_)
    failed, _ = response.execution_metadata.attempts
    assert failed.error_type == "JobTimeoutError"
    assert failed.request_id.startswith("video_")
    assert failed.request_id != response.request_id
    assert first.ledger()["jobs"] == 1


@pytest.mark.parametrize(
    ("rules", "error"),
    [
        (fault("moderation"), ContentModerationError),
        (fault("status", status=400), BadRequestError),
        (fault("drop_after_commit"), UncertainError),
        (fault("status", status=500), UncertainError),
    ],
)
def test_nothing_else_is_tried_elsewhere(chain, request_, rules, error, tmp_path):
    config, _, second = chain(rules)
    with pytest.raises(error):
        generate_video(config, request_, output_dir=tmp_path / "out")
    assert second.ledger()["jobs"] == 0


def test_a_download_is_repeated_and_never_paid_for_elsewhere(chain, request_):
    config, first, second = chain([{"match": {"operation": "content"}, "nth": 1, "fault": "content_not_ready"}])
    assert generate_video(config, request_).execution_metadata.total_attempts == 1
    assert (first.ledger()["jobs"], second.ledger()["jobs"]) == (1, 0)


def test_when_all_fail_the_last_error_is_raised(make_emulator, video_at, request_, tmp_path):
    emulator = make_emulator(api_key="another-key")
    config = video_at(emulator, base_url="http://127.0.0.1:9", fallback_configs=[video_at(emulator)])
    with pytest.raises(AuthenticationError) as caught:
        generate_video(config, request_)
    assert "fell back to azure_openai" in caught.value.__notes__[0]


def test_fallbacks_are_checked_before_anything_is_sent(video_at, emulator, request_):
    config = video_at(emulator, fallback_configs=[video_at(emulator, base_url=None)])
    with pytest.raises(ConfigError, match=r"fallbacks\.0\.provider\.base_url: is missing"):
        generate_video(config, request_)
    assert emulator.ledger()["jobs"] == 0
