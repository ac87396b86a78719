"""Providers that a program brings along, alone and in a chain with the shipped ones."""

from __future__ import annotations

import pytest

from runner import (
    ConfigError,
    GenerationFailedError,
    ImageGenerationConfig,
    ImageGenerationRequest,
    ImageGenerationResponse,
    JobTimeoutError,
    UncertainError,
    VideoGenerationConfig,
    VideoGenerationRequest,
    VideoGenerationResponse,
    generate_image,
    generate_image_async,
    generate_video,
    generate_video_async,
    register_provider,
)
from runner.api import config as registry

ADDRESS = "https://example.com/video.mp4"
REQUEST = VideoGenerationRequest(prompt="A boat")


class Handler:
    """A provider of a program's own, which notes its calls and raises `error` if there is one."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error, self.calls = error, []

    def generate_video(self, config, request, on_progress=None):
        return self._video("sync", config, request, on_progress)

    async def generate_video_async(self, config, request, on_progress=None):
        return self._video("async", config, request, on_progress)

    def generate_image(self, config, request, on_progress=None):
        raise NotImplementedError("no images here")

    async def generate_image_async(self, config, request, on_progress=None):
        self.calls.append(("async", config, request, on_progress))
        return ImageGenerationResponse(request_id="i1", images=[ADDRESS], status="completed", raw_response={})

    def _video(self, *call):
        self.calls.append(call)
        if self.error is not None:
            raise self.error
        return VideoGenerationResponse(request_id="v1", video=ADDRESS, status="completed", raw_response={"a": 1})


@pytest.fixture(autouse=True)
def handlers(monkeypatch):
    monkeypatch.setattr(registry, "_handlers", {})


@pytest.fixture
def own():
    handler = Handler()
    register_provider("my-provider", handler)
    return handler


def mine(**fields):
    return VideoGenerationConfig(**{"provider": "my-provider", "model": "m1", "api_key": "k", **fields})


def test_a_registered_provider_answers_with_what_it_was_given(own):
    config = mine()
    response = generate_video(config, REQUEST, print)
    assert (response.video, response.raw_response) == (ADDRESS, {"a": 1})
    assert own.calls == [("sync", config, REQUEST, print)]
    assert own.calls[0][1] is config
    assert own.calls[0][1].api_key.get_secret_value() == "k"


async def test_its_coroutine_is_awaited_on_the_callers_loop(own):
    assert (await generate_video_async(mine(), REQUEST)).request_id == "v1"
    assert own.calls[0][0] == "async"
    config = ImageGenerationConfig(provider="my-provider", model="m1")
    assert (await generate_image_async(config, ImageGenerationRequest(prompt="A boat"))).images == [ADDRESS]


def test_the_response_tells_of_the_attempt(own):
    record = generate_video(mine(), REQUEST).execution_metadata
    assert (record.total_attempts, record.successful_attempt, record.fallback_triggered) == (1, 1, False)
    assert (record.attempts[0].provider, record.attempts[0].model, record.attempts[0].request_id) == (
        "my-provider",
        "m1",
        "v1",
    )


def test_what_it_cannot_do_it_says_itself(own):
    config = ImageGenerationConfig(provider="my-provider", model="m1")
    with pytest.raises(NotImplementedError, match="no images here"):
        generate_image(config, ImageGenerationRequest(prompt="A boat"))


def test_the_last_one_registered_under_a_name_holds(own):
    second = Handler()
    register_provider("my-provider", second)
    generate_video(mine(), REQUEST)
    assert (len(own.calls), len(second.calls)) == (0, 1)


@pytest.mark.parametrize("name", ["azure-openai", "azure_openai"])
def test_a_shipped_name_can_be_taken_over(name):
    handler = Handler()
    register_provider(name, handler)
    generate_video(VideoGenerationConfig(provider="azure_openai", model="m1"), REQUEST)
    assert len(handler.calls) == 1


def test_a_mock_comes_before_it(own):
    response = generate_video(mine(mock={"latency": 0.01}, poll_interval=0.02), REQUEST)
    assert response.is_mock
    assert own.calls == []


def test_a_name_that_nobody_registered_is_refused_with_what_to_do(own):
    with pytest.raises(ConfigError, match="Unsupported provider: my-provder; did you mean my-provider") as caught:
        generate_video(mine(fallback_configs=[mine(provider="my-provder")]), REQUEST)
    assert "register_provider" in caught.value.hint
    assert own.calls == []


def test_a_config_may_be_made_before_its_provider_is_registered():
    config = mine()
    register_provider("my-provider", Handler())
    assert generate_video(config, REQUEST).video == ADDRESS


def test_a_mock_needs_no_provider():
    config = mine(provider="fal", model="fal-ai/veo3", mock={"latency": 0.01}, poll_interval=0.02)
    assert generate_video(config, REQUEST).is_mock


@pytest.mark.parametrize(
    ("name", "handler", "message"),
    [(" ", Handler(), "needs a name"), ("mine", Handler, "Handler is a class"), ("mine", object(), "none of the")],
)
def test_what_is_no_handler_is_refused(name, handler, message):
    with pytest.raises(ConfigError, match=message):
        register_provider(name, handler)


def test_an_answer_that_is_no_response_is_refused_with_what_to_return(own, monkeypatch):
    monkeypatch.setattr(own, "generate_video", lambda *_, **__: {"video": ADDRESS})
    with pytest.raises(ConfigError, match="gave back dict, not VideoGenerationResponse") as caught:
        generate_video(mine(), REQUEST)
    assert "video=…" in caught.value.hint


@pytest.mark.parametrize("error", [GenerationFailedError("bad luck"), JobTimeoutError("late", job_id="j1")])
def test_after_its_error_the_engine_goes_on(config, emulator, request_, error):
    register_provider("my-provider", Handler(error))
    response = generate_video(mine(fallback_configs=[config]), request_)
    assert response.video[4:8] == b"ftyp"
    record = response.execution_metadata
    assert (record.total_attempts, record.successful_attempt, record.configs_in_chain) == (2, 2, 2)
    assert [each.provider for each in record.attempts] == ["my-provider", "azure_openai"]
    assert (record.attempts[0].error_type, record.attempts[0].is_retryable) == (type(error).__name__, True)
    assert emulator.ledger()["jobs"] == 1


async def test_after_the_engines_error_it_is_asked(own, make_emulator, video_at, request_):
    emulator = make_emulator(rules=[{"match": {"operation": "create"}, "fault": "internal"}])
    config = video_at(emulator, fallback_configs=[mine()])
    response = await generate_video_async(config, request_)
    assert response.video == ADDRESS
    assert response.execution_metadata.attempts[0].request_id.startswith("video_")
    assert response.execution_metadata.fallback_triggered
    assert emulator.ledger()["jobs"] == 1


def test_the_engine_waits_for_nothing_where_the_chain_goes_on(
    make_emulator, emulator, config, video_at, request_, tmp_path
):
    register_provider("my-provider", Handler(GenerationFailedError("bad luck")))
    rules = [{"match": {"operation": "create"}, "nth": 1, "fault": "rate_limit", "retry_after": 30}]
    busy = make_emulator(rules=rules, state_file=tmp_path / "busy.sqlite3")
    chain = mine(fallback_configs=[video_at(busy, fallback_configs=[config])])
    attempts = generate_video(chain, request_).execution_metadata.attempts
    assert [each.error_type for each in attempts] == ["GenerationFailedError", "RateLimitError", None]
    assert (busy.ledger()["jobs"], emulator.ledger()["jobs"]) == (0, 1)


def test_one_of_several_videos_waits_for_its_turn_as_without_a_fallback(make_emulator, own, video_at):
    rules = [{"match": {"operation": "create"}, "nth": 2, "fault": "rate_limit", "retry_after": 0.05}]
    emulator = make_emulator(rules=rules)
    request = VideoGenerationRequest(prompt="A boat", number_of_videos=3)
    response = generate_video(video_at(emulator, fallback_configs=[mine()]), request)
    assert (len(response.videos), own.calls) == (3, [])


def test_it_is_not_asked_where_something_paid_may_still_come(own, make_emulator, video_at, request_, tmp_path):
    emulator = make_emulator(rules=[{"match": {"operation": "create"}, "fault": "drop_after_commit"}])
    with pytest.raises(UncertainError):
        generate_video(video_at(emulator, fallback_configs=[mine()]), request_, output_dir=tmp_path)
    assert own.calls == []


def test_an_error_that_is_not_retryable_ends_the_chain(config, emulator, request_):
    register_provider("my-provider", Handler(ConfigError("never")))
    with pytest.raises(ConfigError, match="never"):
        generate_video(mine(fallback_configs=[config]), request_)
    assert emulator.ledger()["jobs"] == 0


def test_the_last_error_is_raised_when_all_fail(own):
    register_provider("other", Handler(GenerationFailedError("second")))
    own.error = GenerationFailedError("first")
    with pytest.raises(GenerationFailedError, match="second"):
        generate_video(mine(fallback_configs=[mine(provider="other")]), REQUEST)
