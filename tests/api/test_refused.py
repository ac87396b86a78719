"""What is refused before anything is sent, and what a failure carries."""

from __future__ import annotations

import pytest

from runner import (
    AuthenticationError,
    BudgetError,
    ConfigError,
    ContentModerationError,
    GenerationFailedError,
    ImageGenerationConfig,
    ImageGenerationRequest,
    JobTimeoutError,
    UncertainError,
    VideoGenerationConfig,
    VideoGenerationRequest,
    generate_image,
    generate_video,
    sweep,
)


def endless() -> list[object]:
    """A list that holds itself."""
    found: list[object] = []
    found.append(found)
    return found


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"duration_seconds": 5}, r"Invalid duration for azure_openai \(sora-2\): 5 seconds. Allowed values: 4, 8, 12"),
        ({"aspect_ratio": "4:3"}, "Invalid aspect ratio: 4:3. Supported ratios: "),
        ({"image_list": [{"image": "a.png"}, {"image": "b.png"}]}, "only supports 1 reference image, got 2"),
        ({"image_list": [{"image": "a.png", "type": "last_frame"}]}, "no field for a last_frame"),
        ({"image_list": ["nowhere.png"]}, "nowhere.png does not exist"),
        ({"seed": 1}, "seed"),
        ({"negative_prompt": "rain"}, "negative_prompt"),
        ({"extra_params": {"seconds": "5"}}, r"Invalid duration for azure_openai \(sora-2\): 5 seconds"),
        ({"extra_params": {"model": "sora-2-pro"}}, "would override"),
        ({"prompt": " "}, "prompt is empty"),
        ({"prompt": "A \ud83d"}, "request.prompt holds half a character"),
        ({"negative_prompt": "A \ud83d"}, "request.negative_prompt holds half a character"),
        ({"image_list": [{"type": "first_frame"}]}, r"image_list\[0\]: has no image"),
        ({"image_list": ["half\ud83d.png"]}, "image-0 holds half a character"),
        ({"image_list": ["zero\0.png"]}, "is no path"),
        ({"image_list": ["//[x"]}, "does not exist"),
        ({"image_list": ["~no-such-user/a.png"]}, "does not exist"),
        ({"seed": 10**5000}, "request.seed is too large a number"),
        ({"duration_seconds": 10**5000}, "request.duration_seconds is too large a number"),
        ({"fps": {"a": 10**5000}}, "request.fps"),
        ({"extra_params": {"a": b"bytes"}}, "request.extra_params is of the type bytes"),
        ({"extra_params": {"a": float("nan")}}, "request.extra_params is nan, which is no number"),
        ({"extra_params": {"a": ["\ud83d"]}}, "request.extra_params holds half a character"),
        ({"extra_params": {"a": object()}}, "request.extra_params is of the type object"),
        ({"lora": {1: "style"}}, "request.lora"),
        ({"lora": {"a": endless()}}, "request.lora"),
    ],
)
def test_what_the_model_cannot_do_is_refused_before_anything_is_sent(config, emulator, fields, message):
    with pytest.raises(ConfigError, match=message):
        generate_video(config, VideoGenerationRequest(**{"prompt": "A boat", **fields}))
    assert emulator.ledger()["jobs"] == 0


def test_a_sweep_of_what_no_record_could_hold_leaves_nothing(config, emulator, request_, tmp_path):
    half = VideoGenerationRequest(prompt="A \ud83d", duration_seconds=4)
    with pytest.raises(ConfigError, match=r"request\.prompt holds half a character"):
        sweep(config, [request_, half], output_dir=tmp_path / "out")
    with pytest.raises(ConfigError, match=r"name: .* is not allowed"):
        sweep(config, request_, output_dir=tmp_path / "out", name="A \ud83d")
    with pytest.raises(ConfigError, match=r"model.*half|model.*not allowed"):
        sweep(config.model_copy(update={"model": "A \ud83d"}), request_, output_dir=tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert emulator.ledger()["jobs"] == 0


def test_azure_needs_a_base_url_and_the_error_names_an_example(request_):
    with pytest.raises(ConfigError, match=r"for example https://RESOURCE.openai.azure.com"):
        generate_video(VideoGenerationConfig(provider="azure_openai", model="sora-2", api_key="k" * 20), request_)


def test_a_retired_model_is_refused_on_openais_own_endpoint_only(request_, emulator):
    config = VideoGenerationConfig(provider="openai", model="sora-2", api_key="k" * 20)
    with pytest.raises(ConfigError, match="retired by openai on 2026-09-24"):
        generate_video(config, request_)
    other_runs = config.model_copy(update={"base_url": emulator.base_url, "poll_interval": 0.01})
    assert generate_video(other_runs, request_).status == "completed"


@pytest.mark.parametrize("generate", [generate_video, generate_image])
def test_a_prompt_alone_is_no_request(generate):
    config = VideoGenerationConfig if generate is generate_video else ImageGenerationConfig
    with pytest.raises(ConfigError, match="the request is a str; nothing was sent") as caught:
        generate(config(provider="emulator", model="sora-2"), "A fox")
    assert "GenerationRequest(prompt=…)" in caught.value.hint


def test_a_model_of_the_other_kind_is_refused(request_):
    with pytest.raises(ConfigError, match="gpt-image-2 is an image model"):
        generate_video(VideoGenerationConfig(provider="openai", model="gpt-image-2", api_key="k" * 20), request_)
    with pytest.raises(ConfigError, match="sora-2 is a video model"):
        generate_image(
            ImageGenerationConfig(provider="openai", model="sora-2", api_key="k" * 20),
            ImageGenerationRequest(prompt="A boat"),
        )


def test_a_key_of_another_provider_is_refused_by_name(request_):
    config = VideoGenerationConfig(provider="openai", model="sora-2", provider_config={"auth": "token"})
    with pytest.raises(ConfigError, match=r"provider\.?.*auth"):
        generate_video(config, request_)


def test_nothing_stays_of_a_refused_call(config, tmp_path):
    request = VideoGenerationRequest(prompt="A boat", duration_seconds=5)
    with pytest.raises(ConfigError):
        generate_video(config, request, output_dir=tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_wrong_key_is_told_without_the_key(make_emulator, video_at, request_, key):
    with pytest.raises(AuthenticationError) as caught:
        generate_video(video_at(make_emulator(api_key="the-right-one")), request_)
    assert key not in str(caught.value) + str(caught.value.__dict__)
    assert (caught.value.provider, caught.value.model) == ("azure_openai", "sora-2")


@pytest.mark.parametrize(
    ("fault", "kind", "retryable"),
    [("internal", GenerationFailedError, True), ("moderation", ContentModerationError, False)],
)
def test_a_failed_job_carries_all_that_is_known(make_emulator, video_at, request_, fault, kind, retryable):
    emulator = make_emulator(rules=[{"match": {"operation": "create"}, "fault": fault}])
    with pytest.raises(kind) as caught:
        generate_video(video_at(emulator), request_)
    error = caught.value
    assert (error.provider, error.model, error.retryable) == ("azure_openai", "sora-2", retryable)
    assert error.job_id.startswith("video_")
    assert error.request_id is not None
    assert error.raw_response["status"] == "failed"
    assert error.message


def test_a_timeout_carries_job_attempts_and_seconds_and_the_record_stays(make_emulator, video_at, request_, tmp_path):
    emulator = make_emulator(latency=10_000)
    config = video_at(emulator, poll_interval=0.01, max_poll_attempts=3)
    with pytest.raises(TimeoutError) as caught:
        generate_video(config, request_, output_dir=tmp_path)
    error = caught.value
    assert isinstance(error, JobTimeoutError)
    assert error.job_id.startswith("video_")
    assert error.attempts >= 1
    assert error.seconds >= 0.03
    assert [path.name for path in tmp_path.rglob("result.json")] == ["result.json"]


def test_the_timeout_bounds_the_wait_as_well(make_emulator, video_at, request_, tmp_path):
    config = video_at(make_emulator(latency=100_000), timeout=1, poll_interval=0.5, max_poll_attempts=6000)
    with pytest.raises(JobTimeoutError) as caught:
        generate_video(config, request_, output_dir=tmp_path)
    assert caught.value.seconds < 300  # all attempts would take 3,000


def test_a_lost_answer_is_uncertain_and_sent_once(make_emulator, video_at, request_, tmp_path):
    emulator = make_emulator(rules=[{"match": {"operation": "create"}, "fault": "drop_after_commit"}])
    with pytest.raises(UncertainError):
        generate_video(video_at(emulator), request_, output_dir=tmp_path)
    assert emulator.ledger()["jobs"] == 1


def test_a_call_above_its_max_usd_is_not_sent(config, emulator):
    request = VideoGenerationRequest(prompt="A boat", duration_seconds=8, number_of_videos=2)
    with pytest.raises(BudgetError, match=r"the 2 runs would cost \$1.60") as caught:
        generate_video(config.model_copy(update={"max_usd": 1.5}), request)
    assert caught.value.hint.startswith("max_usd=1.60")
    assert emulator.ledger()["jobs"] == 0
    assert len(generate_video(config.model_copy(update={"max_usd": 1.6}), request).videos) == 2


def test_an_image_above_its_max_usd_is_not_sent(image_config, emulator):
    request = ImageGenerationRequest(prompt="A boat", quality="high", size="1024x1024")
    with pytest.raises(BudgetError):
        generate_image(image_config.model_copy(update={"max_usd": 0.0001}), request)
    assert emulator.ledger()["images"] == 0


def test_max_usd_needs_a_price(config):
    unknown = config.model_copy(update={"model": "prod-sora", "max_usd": 1.0})
    with pytest.raises(ConfigError, match="no source gives a price") as caught:
        generate_video(unknown, VideoGenerationRequest(prompt="A boat"))
    assert "underlying_model" in caught.value.hint


def test_fallbacks_count_against_max_usd_and_have_none_of_their_own(make_emulator, video_at, tmp_path):
    rules = [{"match": {"operation": "create"}, "fault": "internal"}]
    first = make_emulator(rules=rules, state_file=tmp_path / "first.sqlite3")
    second = make_emulator(state_file=tmp_path / "second.sqlite3")
    request = VideoGenerationRequest(prompt="A boat", duration_seconds=4)
    config = video_at(first, fallback_configs=[video_at(second)], max_usd=0.5)
    with pytest.raises(BudgetError, match=r"max_usd=0.5 is reached"):
        generate_video(config, request)
    assert second.ledger()["jobs"] == 0
    wrong = video_at(first, fallback_configs=[video_at(second, max_usd=1)])
    with pytest.raises(ConfigError, match="max_usd is the whole call's"):
        generate_video(wrong, request)
