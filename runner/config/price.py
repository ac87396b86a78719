"""What a run will cost, from the model's published prices; what no source gives stays unknown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .capability import sent_size
from .model import ImageModel, VideoModel
from .provider import CompatibleConfig
from .request import ImageRequest, VideoRequest
from .run import RunConfig

PARTIAL_IMAGE_TOKENS = 100
"""Output tokens of each partial image, from OpenAI's guide to image generation."""

_LONGEST_VIDEO = 86_400.0
"""Seconds that no model makes at once."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A sum in US dollars, and whether parts of it are unknown."""

    usd: float
    complete: bool = True

    def __str__(self) -> str:
        if self.complete:
            return f"${self.usd:,.2f}" if self.usd == 0 or self.usd >= 0.1 else f"${self.usd:,.3f}"
        return f"≥ ${self.usd:,.2f}" if self.usd else "unknown"

    @classmethod
    def total(cls, costs: Iterable[float | None]) -> Estimate:
        """The sum of what is known, marked incomplete if anything is not."""
        known = [*costs]
        return cls(sum(cost for cost in known if cost is not None), complete=None not in known)


def estimate(config: RunConfig) -> float | None:
    """List price of one run in US dollars, or None where no source gives one."""
    request, model, provider = config.request, config.model, config.provider
    if isinstance(provider, CompatibleConfig) and provider.dialect != "litellm":
        return None  # what a server of one's own costs, the list of a model's maker does not tell
    if isinstance(request, VideoRequest) and isinstance(model, VideoModel):
        return _video(request, model)
    if isinstance(request, ImageRequest) and isinstance(model, ImageModel):
        return _image(request, model)
    return None


def _video(request: VideoRequest, model: VideoModel) -> float | None:
    if model.usd_per_second is None:
        return None
    if request.video is not None:
        return _derived(request, model.usd_per_second)
    size = sent_size(request, model) or model.default_size
    price = model.usd_per_second.get(size, model.usd_per_second.get("default"))
    seconds = request.duration_seconds or model.default_duration
    return None if price is None else round(price * seconds * request.number_of_videos, 6)


def _derived(request: VideoRequest, prices: Mapping[str, float]) -> float | None:
    """An extension is paid by what it adds; how long and how large another one's source is, only its provider knows."""
    if request.made_by != "extend" or request.duration_seconds is None or len({*prices.values()}) != 1:
        return None
    return round(min(prices.values()) * request.duration_seconds * request.number_of_videos, 6)


def job_cost(config: RunConfig, seconds: object, size: object) -> float | None:
    """List price in US dollars of a finished job by the length and size that its provider tells, else the estimate."""
    request, model = config.request, config.model
    if not isinstance(request, VideoRequest) or not isinstance(model, VideoModel) or request.video is None:
        return estimate(config)
    told = request.duration_seconds if request.made_by == "extend" else _number(seconds)
    prices: Mapping[str, float] = model.usd_per_second or {}
    price = prices.get(str(size), prices.get("default"))
    return None if price is None or told is None else round(price * told, 6)


def _number(value: object) -> float | None:
    """A length that a server tells, in seconds; None for what cannot be one."""
    try:
        told = float(str(value))
    except ValueError:
        return None
    return told if 0 < told <= _LONGEST_VIDEO else None


def _image(request: ImageRequest, model: ImageModel) -> float | None:
    if model.usd_per_image is None or request.quality is None:
        return None
    price = model.usd_per_image.get(request.quality, {}).get(sent_size(request, model) or "auto")
    sketches = _partial_images(request, model)
    return None if price is None or sketches is None else round(price * request.n + sketches, 6)


def _partial_images(request: ImageRequest, model: ImageModel) -> float | None:
    prices, number = model.usd_per_million_tokens, request.partial_images or 0
    if not number:
        return 0
    return None if prices is None else number * PARTIAL_IMAGE_TOKENS * prices.image_out / 1e6


def actual_cost(config: RunConfig, *, text_in: int, image_in: int, image_out: int) -> float | None:
    """What an image call cost in US dollars by its token usage, or None without a token price."""
    prices = config.model.usd_per_million_tokens if isinstance(config.model, ImageModel) else None
    if prices is None:
        return None
    return (text_in * prices.text_in + image_in * prices.image_in + image_out * prices.image_out) / 1e6
