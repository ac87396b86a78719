"""List the models of the emulated OpenRouter as it does: what each makes, and what is charged for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from .openrouter import USD_PER_IMAGE, VIDEO_MODELS, skus

CREATED = 1_783_000_000
_WIDE = ("16:9", "9:16")
_USUAL = ("16:9", "9:16", "1:1")
_MANY = ("16:9", "4:3", "1:1", "3:4", "9:16", "21:9")
_FIRST = ("first_frame",)
_BOTH = ("first_frame", "last_frame")


class _Video(NamedTuple):
    """Describe what a model makes; None: the host does not tell."""

    durations: Sequence[int]
    resolutions: Sequence[str]
    ratios: Sequence[str]
    frames: Sequence[str]
    sound: bool | None
    seed: bool | None
    sizes: Sequence[str] | None = None
    extra: Mapping[str, str] = MappingProxyType({})
    """What is charged beside seconds or tokens."""


_VIDEOS: Mapping[str, _Video] = MappingProxyType({
    "google/veo-3.1": _Video((4, 6, 8), ("720p", "1080p", "4K"), _WIDE, _BOTH, True, True),
    "google/veo-3.1-fast": _Video((4, 6, 8), ("720p", "1080p", "4K"), _WIDE, _BOTH, True, True),
    "google/veo-3.1-lite": _Video((8, 4, 6), ("720p", "1080p"), _WIDE, _BOTH, True, True),
    "kwaivgi/kling-v3.0-std": _Video(range(3, 16), ("720p",), _USUAL, _BOTH, True, False),
    "kwaivgi/kling-v3.0-pro": _Video(range(3, 16), ("720p",), _USUAL, _BOTH, True, False),
    "kwaivgi/kling-video-o1": _Video(
        (5, 10), ("720p",), _USUAL, _BOTH, True, False, ("1280x720", "720x1280", "720x720")
    ),
    "alibaba/wan-3.0": _Video(range(2, 31), ("480p", "720p", "1080p"), _MANY[:5], _FIRST, True, True),
    "alibaba/wan-2.7": _Video(range(2, 11), ("720p", "1080p"), _MANY[:5], _BOTH, True, True),
    "minimax/hailuo-3": _Video(range(5, 16), ("2K",), _MANY, _BOTH, True, False, None, {"reference_images": "0.04"}),
    "x-ai/grok-imagine-video": _Video(
        range(1, 16), ("480p", "720p"), _MANY[:5], _FIRST, None, None, None, {"cents_per_image_input": "0.2"}
    ),
    "x-ai/grok-imagine-video-1.5": _Video(
        range(1, 16), ("480p", "720p", "1080p"), _MANY[:5], _FIRST, None, None, None, {"cents_per_image_input": "1"}
    ),
    "x-ai/grok-imagine-video-1.5-lite": _Video(
        range(1, 16), ("480p", "720p", "1080p"), _MANY[:5], _FIRST, None, None, None, {"cents_per_image_input": "1"}
    ),
    "runway/gen-4.5": _Video(range(2, 11), ("720p",), _WIDE, _FIRST, False, True, ("1280x720", "720x1280")),
    "black-forest-labs/flux-3-video": _Video(range(5, 21), ("720p", "1080p"), _MANY, _BOTH, True, False),
    "bytedance/seedance-2.5": _Video(range(4, 31), ("480p", "720p"), _MANY, _BOTH, True, True),
    "bytedance/seedance-2.0": _Video(range(4, 16), ("480p", "720p", "1080p", "4K"), _MANY, _BOTH, True, True),
})  # fmt: skip


def video_models() -> list[dict[str, object]]:
    """Return the entries of `GET /videos/models`."""
    return [_video(name, _VIDEOS[name]) for name in VIDEO_MODELS]


def _video(name: str, video: _Video) -> dict[str, object]:
    return {
        **_named(name),
        "canonical_slug": name,
        "supported_durations": [*video.durations],
        "supported_resolutions": [*video.resolutions],
        "supported_aspect_ratios": [*video.ratios],
        "supported_sizes": None if video.sizes is None else [*video.sizes],
        "supported_frame_images": [*video.frames],
        "generate_audio": video.sound,
        "seed": video.seed,
        "upscale_factor": None,
        "creativity": None,
        "allowed_passthrough_parameters": [],
        "pricing_skus": {**skus(name), **video.extra},
    }


_RESOLUTIONS: Mapping[str, Sequence[str]] = MappingProxyType(
    {"x-ai/grok-imagine-image-2.0": ("1K", "2K"), "bytedance-seed/seedream-5-5": ("1K", "1.5K", "2K")}
)
_MOST_IMAGES: Mapping[str, int] = MappingProxyType({"x-ai/grok-imagine-image-2.0": 1})


def image_models() -> list[dict[str, object]]:
    """Return the entries of `GET /images/models`, whose prices are told for each alone."""
    return [
        {
            **_named(name),
            "architecture": {"input_modalities": ["text", "image"], "output_modalities": ["image"]},
            "endpoints": f"/api/v1/images/models/{name}/endpoints",
            "supported_parameters": _parameters(name),
            "supports_streaming": False,
        }
        for name in USD_PER_IMAGE
    ]


def _parameters(name: str) -> dict[str, object]:
    tiers = _RESOLUTIONS.get(name)
    return {
        "aspect_ratio": {"type": "enum", "values": [*_MANY, "auto"]},
        **({"resolution": {"type": "enum", "values": [*tiers]}} if tiers else {}),
        "n": {"type": "range", "min": 1, "max": _MOST_IMAGES.get(name, 4)},
        "input_references": {"type": "range", "min": 0, "max": 3},
        "seed": {"type": "boolean"},
    }


def _named(name: str) -> dict[str, object]:
    return {"id": name, "name": name, "description": "An emulated model.", "created": CREATED}
