"""Configs of runs, which child processes of tests make too."""

from __future__ import annotations

import datetime as dt
from typing import Any

from runner.config.model import ImageModel, VideoModel
from runner.config.provider import OpenAIConfig
from runner.config.request import ImageRequest, VideoRequest
from runner.config.run import RunConfig

_MODEL = {
    "deployment": None,
    "validation": "strict",
    "sizes": None,
    "aspect_ratios": {},
    "max_reference_images": 1,
    "parameters": frozenset(),
    "max_prompt_length": 1000,
    "offers": {},
    "source": "https://example.com",
    "read": dt.date(2026, 11, 1),
}


def video_config(base_url: str = "https://fake.example/v1", *, thumbnail: bool = True, **provider: Any) -> RunConfig:
    model = VideoModel(
        kind="video", name="sora-2", durations=(4, 8, 12), default_duration=4, default_size="1280x720",
        usd_per_second={"default": 0.1}, **_MODEL
    )  # fmt: skip
    request = VideoRequest(
        kind="video", prompt="A paper boat at sea", duration_seconds=4, size="1280x720", thumbnail=thumbnail
    )
    return RunConfig(provider=OpenAIConfig(kind="openai", base_url=base_url, **provider), model=model, request=request)


def image_config(
    base_url: str = "https://fake.example/v1", *, n: int = 1, request: dict[str, Any] | None = None, **provider: Any
) -> RunConfig:
    model = ImageModel(
        kind="image", name="gpt-image-2", size_rules=None, qualities=("low", "high"), max_images=10,
        usd_per_image={"low": {"1024x1024": 0.01}},
        usd_per_million_tokens={"text_in": 5, "image_in": 8, "image_out": 30}, **_MODEL
    )  # fmt: skip
    asked = {"prompt": "A paper boat at sea", "n": n, "quality": "low", "size": "1024x1024", **(request or {})}
    return RunConfig(
        provider=OpenAIConfig(kind="openai", base_url=base_url, **provider),
        model=model,
        request=ImageRequest(kind="image", **asked),
    )
