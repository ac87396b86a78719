from __future__ import annotations

import gc
import json
from pathlib import Path

import pytest

from runner import ConfigError, VideoGenerationRequest, generate_video


def test_the_response_tells_what_was_made(config, request_):
    response = generate_video(config, request_)
    assert response.status == "completed"
    assert response.request_id.startswith("video_")
    assert (response.duration, response.resolution, response.aspect_ratio) == (4.0, "1280x720", "16:9")
    assert response.content_type == "video/mp4"
    assert response.raw_response["id"] == response.request_id
    assert response.is_mock is False
    assert response.cost.actual_usd == pytest.approx(0.4)
    assert response.provider_metadata["request_sent"]["seconds"] == "4"


def test_the_video_is_bytes_with_type_and_path(config, request_):
    video = generate_video(config, request_).video
    assert isinstance(video, bytes)
    assert video == video.path.read_bytes() == video["content"]
    assert video.content_type == video["content_type"] == "video/mp4"


def test_a_temporary_file_lives_as_long_as_anything_refers_to_it(config, request_, tmp_path):
    response = generate_video(config, request_)
    video, path = response.video, response.path
    saved = response.save(tmp_path / "kept" / "boat.mp4")
    del response
    gc.collect()
    assert path.exists()
    assert video.path == path
    del video
    gc.collect()
    assert not path.exists()
    assert saved.read_bytes()[4:8] == b"ftyp"


def test_a_closed_response_leaves_nothing_behind(config, request_):
    with generate_video(config, request_) as response:
        directory = response.directory
    assert not directory.exists()


def test_files_in_an_output_directory_stay_and_never_meet(config, request_, tmp_path):
    first = generate_video(config, request_, output_dir=tmp_path)
    second = generate_video(config.model_copy(update={"output_dir": tmp_path}), request_)
    first.close()
    assert first.path != second.path
    assert first.path.exists()
    assert second.path.parent.parent == tmp_path


def test_the_key_touches_neither_the_disk_nor_the_environment(config, request_, tmp_path, key, monkeypatch):
    import os

    response = generate_video(config, request_, output_dir=tmp_path)
    assert key not in str(dict(os.environ))
    assert all(key.encode() not in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert key not in response.model_dump_json() + repr(response)


def test_a_key_in_the_config_wins_over_the_environment(make_emulator, video_at, request_, key, monkeypatch):
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "another")
    monkeypatch.setenv("AZURE_OPENAI_AD_TOKEN", "another")
    assert generate_video(video_at(make_emulator(api_key=key)), request_).status == "completed"


def test_without_a_key_the_environment_is_read(make_emulator, video_at, request_, monkeypatch):
    emulator = make_emulator(api_key="from-the-environment")
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "from-the-environment")
    assert generate_video(video_at(emulator, api_key=None), request_).status == "completed"


def test_a_finished_video_can_be_remixed(config, request_, emulator):
    first = generate_video(config, request_)
    remix = generate_video(config, VideoGenerationRequest(prompt="The same with snow", video=first.request_id))
    assert remix.raw_response["remixed_from_video_id"] == first.request_id
    assert emulator.ledger()["jobs"] == 2


def test_several_videos_are_several_jobs(config, emulator, tmp_path):
    request = VideoGenerationRequest(prompt="A paper boat at sea", duration_seconds=4, number_of_videos=3)
    response = generate_video(config, request, output_dir=tmp_path)
    assert len({each.request_id for each in response.videos}) == 3
    assert len({each.path for each in response.videos}) == 3
    assert emulator.ledger()["jobs"] == 3


def test_what_succeeded_of_several_videos_comes_back(make_emulator, video_at):
    rules = [{"match": {"operation": "create"}, "nth": 2, "fault": "internal"}]
    request = VideoGenerationRequest(prompt="A paper boat at sea", duration_seconds=4, number_of_videos=2)
    response = generate_video(video_at(make_emulator(rules=rules)), request)
    assert len(response.videos) == 1
    assert any("failed" in warning for warning in response.warnings)


def test_a_mock_needs_nothing(request_):
    from runner import VideoGenerationConfig

    config = VideoGenerationConfig(
        provider="azure_openai", model="prod-sora", mock={"enabled": True, "latency": 0.01}, poll_interval=0.02
    )
    response = generate_video(config, request_)
    assert response.is_mock
    assert response.video[4:8] == b"ftyp"


def test_an_unknown_deployment_gets_sora_2s_rules_and_a_warning(config, emulator, caplog):
    unknown = config.model_copy(update={"model": "prod-sora"})
    response = generate_video(unknown, VideoGenerationRequest(prompt="A boat", duration_seconds=4))
    assert "no model file describes prod-sora; it gets the rules of sora-2" in caplog.text
    assert any("prod-sora" in warning for warning in response.warnings)
    assert response.model == "prod-sora"
    with pytest.raises(ConfigError, match=r"Invalid duration for azure_openai \(prod-sora\): 5 seconds. Allowed"):
        generate_video(unknown, VideoGenerationRequest(prompt="A boat", duration_seconds=5))
    assert emulator.ledger()["jobs"] == 1


def test_a_deployment_whose_model_is_named_has_its_rules_and_price_and_no_warning(config, emulator, caplog):
    named = config.model_copy(update={"model": "prod-sora", "underlying_model": "sora-2"})
    response = generate_video(named, VideoGenerationRequest(prompt="A boat", duration_seconds=8))
    assert (response.model, response.provider_metadata["request_sent"]["model"]) == ("prod-sora", "prod-sora")
    assert response.cost.estimated_usd == response.cost.actual_usd == pytest.approx(0.8)
    assert (response.warnings, caplog.text) == ((), "")
    pro = config.model_copy(update={"model": "prod-sora", "underlying_model": "sora-2-pro"})
    response = generate_video(pro, VideoGenerationRequest(prompt="A boat", duration_seconds=8))
    assert response.cost.actual_usd == pytest.approx(2.4)
    with pytest.raises(ConfigError, match=r"Invalid duration for azure_openai \(sora-2\): 5 seconds. Allowed"):
        generate_video(named, VideoGenerationRequest(prompt="A boat", duration_seconds=5))


def test_an_underlying_model_of_the_other_kind_is_refused(config, request_):
    other = config.model_copy(update={"model": "prod-sora", "underlying_model": "gpt-image-2"})
    with pytest.raises(ConfigError, match="gpt-image-2 is an image model"):
        generate_video(other, request_)


def test_the_api_version_that_is_shown_changes_nothing_that_is_sent(config, request_):
    assert config.api_version == "2024-05-01-preview"
    shown = generate_video(config, request_)
    none = generate_video(config.model_copy(update={"api_version": None}), request_)
    sent = [each.provider_metadata for each in (shown, none)]
    assert sent[0]["request_sent"] == sent[1]["request_sent"]
    assert sent[0]["endpoint"] == sent[1]["endpoint"]


def test_an_extra_parameter_that_is_a_field_is_sent_as_it(config):
    request = VideoGenerationRequest(prompt="A boat", extra_params={"seconds": "8", "size": "720x1280"})
    response = generate_video(config, request)
    sent = response.provider_metadata["request_sent"]
    assert (sent["seconds"], sent["size"], response.duration) == ("8", "720x1280", 8.0)


def test_without_a_duration_none_is_sent(config):
    response = generate_video(config, VideoGenerationRequest(prompt="A boat"))
    assert "seconds" not in response.provider_metadata["request_sent"]


def test_the_directory_holds_the_same_record_as_a_run_of_the_command_line(config, request_, tmp_path):
    response = generate_video(config, request_, output_dir=tmp_path)
    record = json.loads((Path(response.directory) / "result.json").read_text())
    assert (record["status"], record["job_id"]) == ("verified", response.request_id)
