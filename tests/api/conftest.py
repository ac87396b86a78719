"""Configs that reach an emulator: fast polls, and a key that must not leak."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from runner import ImageGenerationConfig, VideoGenerationConfig, VideoGenerationRequest

KEY = "azure-key-that-must-not-leak"


@pytest.fixture
def key() -> str:
    return KEY


@pytest.fixture
def video_at() -> Callable[..., VideoGenerationConfig]:
    """A config for an emulator's Azure routes."""

    def make(emulator: Any, **fields: Any) -> VideoGenerationConfig:
        given = {"provider": "azure_openai", "model": "sora-2", "api_key": KEY, "base_url": emulator.azure_url}
        return VideoGenerationConfig(**{**given, "poll_interval": 0.01, "max_poll_attempts": 6000, **fields})

    return make


@pytest.fixture
def config(emulator, video_at) -> VideoGenerationConfig:
    return video_at(emulator)


@pytest.fixture
def image_config(emulator) -> ImageGenerationConfig:
    return ImageGenerationConfig(provider="azure_openai", model="gpt-image-2", api_key=KEY, base_url=emulator.azure_url)


@pytest.fixture
def request_() -> VideoGenerationRequest:
    return VideoGenerationRequest(prompt="A paper boat at sea", duration_seconds=4, aspect_ratio="16:9")
