"""Hosts from Python: the model's name there, roles of images, the price that the host tells."""

from __future__ import annotations

import pytest
from PIL import Image

from runner import VideoGenerationConfig, VideoGenerationRequest, generate_video
from runner.errors import ConfigError


@pytest.fixture
def server(make_emulator):
    return make_emulator(dialect="openrouter")


@pytest.fixture
def config(server):
    return VideoGenerationConfig(
        provider="openrouter", model="veo-3.1-lite", base_url=server.base_url, api_key="sk-or-v1-canary",
        provider_config={"poll_interval": 0.02},
    )  # fmt: skip


def test_a_last_frame_is_one_at_a_host(config, server, tmp_path):
    Image.new("RGB", (64, 36)).save(tmp_path / "last.png")
    image = {"image": str(tmp_path / "last.png"), "type": "last_frame"}
    request = VideoGenerationRequest(prompt="A fern", duration_seconds=4, aspect_ratio="16:9", image_list=[image])
    response = generate_video(config, request)
    (made,) = server.ledger()["created"]
    assert made["model"] == "google/veo-3.1-lite"
    assert response.raw_response["usage"] == {"cost": 0.2, "is_byok": False}
    assert "urls" not in response.raw_response


def test_what_the_host_s_model_does_not_take_is_refused_before_anything_is_sent(config, server):
    with pytest.raises(ConfigError, match="Invalid duration"):
        generate_video(config, VideoGenerationRequest(prompt="A fern", duration_seconds=5))
    assert server.ledger()["jobs"] == 0


def test_a_first_frame_without_a_prompt_is_the_host_s_to_make(config, server, tmp_path):
    Image.new("RGB", (64, 36)).save(tmp_path / "first.png")
    image = {"image": str(tmp_path / "first.png"), "type": "first_frame"}
    asked = {"prompt": "", "duration_seconds": 4, "aspect_ratio": "16:9"}
    generate_video(config, VideoGenerationRequest(**asked, image_list=[image]))
    assert server.ledger()["jobs"] == 1
    with pytest.raises(ConfigError, match="prompt is empty"):
        generate_video(config, VideoGenerationRequest(**asked))
    assert server.ledger()["jobs"] == 1
