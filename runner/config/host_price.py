"""Estimate what a host takes for a run, from its own prices by resolution, sound, pixels and input images."""

from __future__ import annotations

from collections.abc import Mapping

from .model import ImageModel, Offer, Prices, VideoModel
from .price import Price
from .request import ImageRequest, VideoRequest
from .run import RunConfig, sent_audio, sent_resolution, sent_size, video_seconds

_FRAMES_PER_SECOND = 24
_PIXELS_PER_TOKEN = 1024
"""What the makers of token-priced models reckon with: width · height · 24 · seconds / 1024."""

_WIDE = {"480p": (854, 480), "720p": (1280, 720), "1080p": (1920, 1080), "4K": (3840, 2160)}
"""Sides of 16:9 by the name of their resolution, for ratios of which no size is known."""

_SAME_RATIO = 0.03
"""Sizes of whole pixels differ from their ratio by less."""

_BY_HEIGHT = {480: "480p", 720: "720p", 768: "768p", 1080: "1080p", 2160: "4K"}


def host_price(config: RunConfig, offer: Offer) -> Price | None:
    """Return what a host takes for one run by its `offer`, or None where no source tells."""
    request, model = config.request, config.model
    if isinstance(request, VideoRequest) and isinstance(model, VideoModel):
        made = _video(config, request, offer)
    elif isinstance(request, ImageRequest) and isinstance(model, ImageModel):
        made = _image(config, request, offer)
    else:
        return None
    if made is None:
        return None
    roles = request.image_roles if isinstance(request, VideoRequest) else ["reference"] * len(request.image_list)
    images = len(roles) * (offer.usd_per_input_image or 0)
    references = sum(role == "reference" for role in roles) * (offer.usd_per_reference_image or 0)
    number = request.number_of_videos if isinstance(request, VideoRequest) else 1
    return Price(round((made.usd + images + references) * number, 6), made.basis)


def _video(config: RunConfig, request: VideoRequest, offer: Offer) -> Price | None:
    seconds = video_seconds(config)
    if request.video is not None or seconds is None:
        return None
    silent = sent_audio(config) is False
    if offer.usd_per_million_video_tokens is not None:
        by_tokens = (silent and offer.usd_per_million_silent_video_tokens) or offer.usd_per_million_video_tokens
        price, pixels = _by_size(config, by_tokens), _pixels(config)
        if price is None or pixels is None:
            return None
        tokens = pixels * _FRAMES_PER_SECOND * seconds / _PIXELS_PER_TOKEN
        return Price(tokens * price / 1e6, "tokens")
    prices = _by_input(request, offer, silent=silent)
    price = None if prices is None else _by_size(config, prices)
    return None if price is None else Price(max(price * seconds, offer.usd_at_least or 0), "list")


def _by_input(request: VideoRequest, offer: Offer, *, silent: bool) -> Prices | None:
    """Return the prices of a second of video that is made from such images, with or without sound."""
    roles = {*request.image_roles}
    if "reference" in roles and offer.usd_per_second_from_references is not None:
        return offer.usd_per_second_from_references
    if roles - {"reference"} and offer.usd_per_second_from_frames is not None:
        return offer.usd_per_second_from_frames
    return (silent and offer.usd_per_silent_second) or offer.usd_per_second


def _image(config: RunConfig, request: ImageRequest, offer: Offer) -> Price | None:
    if offer.usd_per_megapixel is not None:
        pixels = _pixels(config)
        return None if pixels is None else Price(request.n * pixels / 1e6 * offer.usd_per_megapixel, "list")
    if offer.usd_per_image is None:
        return None
    prices = offer.usd_per_image.get(request.quality or "default", offer.usd_per_image.get("default"))
    price = None if prices is None else _by_size(config, prices)
    return None if price is None else Price(request.n * price, "list")


def _by_size(config: RunConfig, prices: Mapping[str, float]) -> float | None:
    """Return the price for the size or resolution that is sent; None where it is not said which of them holds."""
    if len({*prices.values()}) == 1 and "default" in prices:
        return prices["default"]
    size = sent_size(config.request, config.model)
    resolution = sent_resolution(config)
    if size is not None:
        if size in prices:
            return prices[size]
        resolution = _BY_HEIGHT.get(min(_sides(size) or (0, 0)))
    return None if resolution is None else prices.get(resolution, prices.get("default"))


def _pixels(config: RunConfig) -> int | None:
    size = sent_size(config.request, config.model)
    sides = _listed(config) or _WIDE.get(sent_resolution(config) or "") if size is None else _sides(size)
    return None if sides is None else sides[0] * sides[1]


def _listed(config: RunConfig) -> tuple[int, int] | None:
    """Return the sides that a ratio has in a resolution, by the model's sizes: its nth resolution has the nth size."""
    model, name = config.model, sent_resolution(config)
    ratio = _ratio(config.request.aspect_ratio or "")
    if ratio is None or name not in (model.resolutions or ()):
        return None
    known = [sides for size in model.sizes or () if (sides := _sides(size)) is not None]
    alike = sorted(sides for sides in known if abs(sides[0] / sides[1] / ratio - 1) < _SAME_RATIO)
    order = sorted(model.resolutions or (), key=lambda each: _WIDE.get(each, (0, 0)))
    return alike[order.index(name)] if len(alike) == len(order) else None


def _ratio(text: str) -> float | None:
    """Return width / height; None for what cannot be one, as a user may send it with `model.validation=off`."""
    try:
        wide, high = map(float, text.split(":"))
    except ValueError:
        return None
    return wide / high if wide > 0 and high > 0 else None


def _sides(size: str) -> tuple[int, int] | None:
    width, found, height = size.partition("x")
    return (int(width), int(height)) if found else None
