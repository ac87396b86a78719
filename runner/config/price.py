"""What a run will cost, from the model's published prices; what no source gives stays unknown."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .capability import sent_size
from .model import ImageModel, VideoModel
from .request import ImageRequest, VideoRequest
from .run import RunConfig


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
    request, model = config.request, config.model
    if isinstance(request, VideoRequest) and isinstance(model, VideoModel):
        return _video(request, model)
    if isinstance(request, ImageRequest) and isinstance(model, ImageModel):
        return _image(request, model)
    return None


def _video(request: VideoRequest, model: VideoModel) -> float | None:
    if model.usd_per_second is None:
        return None
    size = sent_size(request, model) or model.default_size
    price = model.usd_per_second.get(size, model.usd_per_second.get("default"))
    seconds = request.duration_seconds or model.default_duration
    return None if price is None else round(price * seconds * request.number_of_videos, 6)


def _image(request: ImageRequest, model: ImageModel) -> float | None:
    if model.usd_per_image is None or request.quality is None:
        return None
    price = model.usd_per_image.get(request.quality, {}).get(sent_size(request, model) or "auto")
    return None if price is None else round(price * request.n, 6)


def actual_cost(config: RunConfig, *, text_in: int, image_in: int, image_out: int) -> float | None:
    """What an image call cost in US dollars by its token usage, or None without a token price."""
    prices = config.model.usd_per_million_tokens if isinstance(config.model, ImageModel) else None
    if prices is None:
        return None
    return (text_in * prices.text_in + image_in * prices.image_in + image_out * prices.image_out) / 1e6
