"""Behave as OpenRouter does: its errors, ids, prices, models, and create requests as it reads them."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple, cast

from .body import ReceivedBody
from .drawing import Format
from .manner import HostOrder, linked_picture, shape
from .surface import Refusal, Surface

Rates = Mapping[str, tuple[float, float]]
"""USD per second with sound and without, by resolution; the empty name is for all others."""

USD_PER_SECOND: Mapping[str, Rates] = MappingProxyType({
    "google/veo-3.1": {"": (0.40, 0.20), "4K": (0.60, 0.40)},
    "google/veo-3.1-fast": {"": (0.12, 0.10), "720p": (0.10, 0.08), "4K": (0.30, 0.25)},
    "google/veo-3.1-lite": {"": (0.08, 0.05), "720p": (0.05, 0.03)},
    "kwaivgi/kling-v3.0-std": {"": (0.126, 0.084)},
    "kwaivgi/kling-v3.0-pro": {"": (0.168, 0.112)},
    "kwaivgi/kling-video-o1": {"": (0.112, 0.112)},
    "alibaba/wan-3.0": {"": (0.10, 0.10), "480p": (0.05, 0.05), "1080p": (0.20, 0.20)},
    "alibaba/wan-2.7": {"": (0.10, 0.10)},
    "minimax/hailuo-3": {"": (0.13, 0.13)},
    "x-ai/grok-imagine-video": {"": (0.07, 0.07), "480p": (0.05, 0.05)},
    "x-ai/grok-imagine-video-1.5": {"": (0.14, 0.14), "480p": (0.08, 0.08), "1080p": (0.25, 0.25)},
    "x-ai/grok-imagine-video-1.5-lite": {"": (0.03, 0.03), "480p": (0.02, 0.02), "1080p": (0.14, 0.14)},
    "runway/gen-4.5": {"": (0.12, 0.12)},
    "black-forest-labs/flux-3-video": {"": (0.17, 0.17), "1080p": (0.29, 0.29)},
})  # fmt: skip
USD_PER_MILLION_TOKENS: Mapping[str, Mapping[str, tuple[float, float]]] = MappingProxyType(
    {
        "bytedance/seedance-2.5": {"": (10.7, 6.4)},
        "bytedance/seedance-2.0": {"": (7.0, 4.3), "1080p": (7.7, 4.7), "4K": (4.0, 2.4)},
    }
)
"""For models whose price goes by width · height · 24 · seconds / 1024 tokens, by resolution as above: without and with
a video that goes in."""

USD_PER_IMAGE: Mapping[str, float] = MappingProxyType({
    "x-ai/grok-imagine-image-2.0": 0.06, "google/gemini-3.1-flash-image": 0.0672, "google/gemini-3-pro-image": 0.134,
    "bytedance-seed/seedream-5-5": 0.02, "black-forest-labs/flux.2-pro": 0.03, "qwen/qwen-image-3": 0.03,
})  # fmt: skip
PER_MEGAPIXEL = frozenset({"black-forest-labs/flux.2-pro"})
"""Those of them whose price is one million pixels'."""

VIDEO_MODELS = (*USD_PER_SECOND, *USD_PER_MILLION_TOKENS)
_ANY: Rates = {"": (0.10, 0.10)}
_ANY_IMAGE = 0.04
_SIZE = re.compile(r"([1-9]\d{1,4})x([1-9]\d{1,4})")
_ERROR_TYPES = {
    400: "invalid_request", 401: "authentication", 402: "payment_required", 403: "content_policy_violation",
    404: "not_found", 413: "payload_too_large", 429: "rate_limit_exceeded", 502: "provider_unavailable",
    503: "provider_overloaded",
}  # fmt: skip


class OpenRouterSurface(Surface):
    """Speak `/v1` as OpenRouter speaks its `/api/v1`."""

    def error(self, refusal: Refusal) -> dict[str, object]:
        """Return its envelope: the status as the code, and the kind of error among the metadata."""
        kind = _ERROR_TYPES.get(refusal.status)
        metadata = {} if kind is None else {"metadata": {"error_type": kind}}
        return {"error": {"code": refusal.status, "message": refusal.message, **metadata}}

    def filtered(self) -> Refusal:
        """Return the refusal of a prompt that moderation dislikes."""
        return Refusal(403, "Your input was flagged by moderation.")

    def job_id(self) -> str:
        """Return an id of its form, with the time."""
        return f"gen-vid-{int(time.time())}-{secrets.token_hex(10)}"

    def models(self) -> tuple[str, ...]:
        """Return what it lists."""
        return self.settings.models or (*VIDEO_MODELS, *USD_PER_IMAGE)


def _video_usd(model: str, size: tuple[int, int], seconds: int, resolution: str, *, sound: bool) -> float:
    if model in USD_PER_MILLION_TOKENS:
        by_resolution = USD_PER_MILLION_TOKENS[model]
        usd, _ = by_resolution.get(resolution, by_resolution[""])
        return round(size[0] * size[1] * 24 * seconds / 1024 * usd / 1e6, 6)
    rates = USD_PER_SECOND.get(model, _ANY)
    with_sound, silent = rates.get(resolution, rates[""])
    return round(seconds * (with_sound if sound else silent), 6)


def skus(model: str) -> dict[str, str]:
    """Return the prices of a model as its catalogue names them."""
    named: dict[str, str] = {}
    for resolution, pair in USD_PER_MILLION_TOKENS.get(model, {}).items():
        name = f"video_tokens_{resolution.lower()}" if resolution else "video_tokens"
        usual, with_video = (f"{usd / 1e6:.9f}" for usd in pair)
        named |= {name: usual, f"{name}_with_video_input": with_video}
    for resolution, pair in USD_PER_SECOND.get(model, {}).items():
        end = f"_{resolution.lower()}" if resolution else ""
        sounds = ("with_audio", "without_audio")
        named |= {f"duration_seconds_{sound}{end}": str(usd) for sound, usd in zip(sounds, pair, strict=True)}
    return named


def read_video(body: ReceivedBody) -> HostOrder:
    """Read a request for a video; raises Refusal(400) naming what is wrong."""
    model, prompt = _model(body), body.string("prompt", "")
    frames = [_linked(part, "frame_images") for part in _parts(body, "frame_images")]
    if any(part.get("frame_type") not in ("first_frame", "last_frame") for part in _parts(body, "frame_images")):
        raise Refusal(400, "frame_images: frame_type must be first_frame or last_frame")
    references = [_linked(part, "input_references") for part in _parts(body, "input_references")]
    if not prompt and not frames:
        raise Refusal(400, "prompt: Required")
    seconds = body.whole("duration", 1, 60, 5)
    sound = body.flag("generate_audio")
    told = {name: body.fields[name] for name in ("resolution", "aspect_ratio", "seed") if body.given(name)}
    size = _size(body, "720p", "16:9")
    usd = _video_usd(model, size, seconds, str(told.get("resolution")), sound=sound)
    # With both, the frames are what counts.
    pictures = tuple(frames or references)
    return HostOrder(model, prompt, size, pictures, {**told, "generate_audio": sound}, usd, seconds)


def read_image(body: ReceivedBody) -> HostOrder:
    """Read a request for images; raises Refusal(400) naming what is wrong."""
    model, prompt = _model(body), body.string("prompt", "")
    if not prompt:
        raise Refusal(400, "prompt: Required")
    pictures = tuple(_linked(part, "input_references") for part in _parts(body, "input_references"))
    kind = cast("Format", body.choice("output_format", ("png", "jpeg", "webp"), "png"))
    body.choice("quality", ("auto", "low", "medium", "high", "xhigh", "max"), "auto")
    count = body.whole("n", 1, 10, 1)
    size = _size(body, "1K", "1:1")
    each = size[0] * size[1] / 1e6 if model in PER_MEGAPIXEL else 1
    usd = round(count * each * USD_PER_IMAGE.get(model, _ANY_IMAGE), 6)
    return HostOrder(model, prompt, size, pictures, {}, usd, count=count, format=kind)


def _model(body: ReceivedBody) -> str:
    name = body.string("model", "")
    if "/" not in name:
        raise Refusal(400, f"{name} is not a valid model ID")
    return name


def _size(body: ReceivedBody, resolution: str, ratio: str) -> tuple[int, int]:
    """Return width and height, from an exact size or from resolution and aspect ratio."""
    given = body.string("size", "")
    if exact := _SIZE.fullmatch(given):
        if body.given("resolution") or body.given("aspect_ratio"):
            raise Refusal(400, f"size {given} does not go with resolution or aspect_ratio")
        return int(exact[1]), int(exact[2])
    return shape(given or body.string("resolution", resolution), body.string("aspect_ratio", ratio))


def _parts(body: ReceivedBody, name: str) -> Sequence[Mapping[str, object]]:
    given = body.fields.get(name) or []
    parts = [part for part in given if isinstance(part, dict)] if isinstance(given, list) else []
    fine = all(part.get("type") == "image_url" and isinstance(part.get("image_url"), dict) for part in parts)
    if not isinstance(given, list) or len(parts) != len(given) or not fine:
        raise Refusal(400, f"{name}: Expected parts of the type image_url")
    return parts


def _linked(part: Mapping[str, object], name: str) -> bytes:
    return linked_picture(cast("Mapping[str, object]", part["image_url"]).get("url"), name)


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
