"""Estimate what a run will cost, from published prices or token counts; what no source gives stays unknown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from .dialect import OPENAI
from .model import ImageModel, TokenPrice, VideoModel
from .provider import AzureOpenAIConfig, CompatibleConfig, EmulatorConfig, dialect_of
from .request import ImageRequest, VideoRequest
from .run import RunConfig, sent_size

PARTIAL_IMAGE_TOKENS = 100
"""Output tokens of each partial image, from OpenAI's guide to image generation."""

_LONGEST_VIDEO = 86_400.0
"""Seconds that no model makes at once."""

MARGIN = 1.25
"""What a price that is estimated from tokens counts, times itself, until the answer tells what was used."""

Basis = Literal["list", "tokens"]
"""Where a price is from: the maker's list, or an estimate of the tokens that will be used."""

# No source tells what the qualities above high take; each is taken for twice the one before.
_BEYOND_HIGH = {"xhigh": 2.0, "max": 4.0}
_CHARACTERS_PER_TOKEN = 3
_MOST_TOKENS = 10**9
"""Beyond what any call uses: a number that is larger is none that money should be reckoned from."""


@dataclass(frozen=True, slots=True)
class Price:
    """Describe what a run will cost in US dollars, and how that is known."""

    usd: float
    basis: Basis

    @property
    def reserved(self) -> float:
        """Return what it counts in US dollars until its real cost is known."""
        return round(self.usd * MARGIN, 6) if self.basis == "tokens" else self.usd


def estimate(config: RunConfig) -> float | None:
    """Return the expected cost of one run in US dollars, or None where no source gives one."""
    found = expected_price(config)
    return None if found is None else found.usd


def reserved(config: RunConfig) -> float | None:
    """Return what one run counts in US dollars until its real cost is known, or None where no source gives a price."""
    found = expected_price(config)
    return None if found is None else found.reserved


def expected_price(config: RunConfig) -> Price | None:
    """Return what one run will cost, or None where no source tells."""
    request, model, provider = config.request, config.model, config.provider
    if isinstance(provider, CompatibleConfig | EmulatorConfig):
        dialect = dialect_of(provider)
        if dialect.hosted:
            from .host_price import host_price  # most requests go to no host

            found = None if config.offer is None else host_price(config, config.offer)
            share = batch_share(config)
            return None if found is None or share is None else Price(round(found.usd * share, 6), found.basis)
        maker = isinstance(provider, EmulatorConfig) and dialect is OPENAI
        if not maker and not dialect.gateway:
            return None  # the maker's price list does not tell what a server of one's own or another's costs
    if isinstance(request, VideoRequest) and isinstance(model, VideoModel):
        listed = _video(request, model)
        return None if listed is None else Price(listed, "list")
    if isinstance(request, ImageRequest) and isinstance(model, ImageModel):
        share, found = batch_share(config), _image(request, model)
        return None if share is None or found is None else Price(round(found.usd * share, 6), found.basis)
    return None


def batch_share(config: RunConfig) -> float | None:
    """Return what of its price a request costs the way it is sent; None where no source gives the price of a batch."""
    if not config.batch:
        return 1.0
    if not isinstance(config.model, ImageModel) or isinstance(config.provider, AzureOpenAIConfig):
        return None  # the discount is of the model's maker
    discount = config.model.batch_discount
    return None if discount is None else 1 - discount


def _video(request: VideoRequest, model: VideoModel) -> float | None:
    if model.usd_per_second is None:
        return None
    if request.video is not None:
        return _derived(request, model.usd_per_second)
    size = sent_size(request, model) or model.default_size or "default"
    price = model.usd_per_second.get(size, model.usd_per_second.get("default"))
    seconds = request.duration_seconds or model.default_duration
    return None if price is None else round(price * seconds * request.number_of_videos, 6)


def _derived(request: VideoRequest, prices: Mapping[str, float]) -> float | None:
    """Return the price of an extension, by what it adds; None where only the provider knows its source's size."""
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
    """Return a length that a server tells, in seconds; None for what cannot be one."""
    try:
        told = float(str(value))
    except ValueError:
        return None
    return told if 0 < told <= _LONGEST_VIDEO else None


def _image(request: ImageRequest, model: ImageModel) -> Price | None:
    """Return the list price, if there is one and nothing but text goes in; else what the tokens would cost."""
    tokens, listed = model.usd_per_million_tokens, _listed(request, model)
    sketches = _partial_images(request, tokens)
    if listed is not None and sketches is not None and not request.image_list:
        return Price(round(listed + sketches, 6), "list")
    if tokens is None or sketches is None:
        return None
    made = listed
    if made is None:
        each = _output_tokens(request, model)
        made = None if each is None else each * request.n * tokens.image_out / 1e6
    return None if made is None else Price(round(made + sketches + _input(request, model, tokens), 6), "tokens")


def _listed(request: ImageRequest, model: ImageModel) -> float | None:
    if model.usd_per_image is None or request.quality is None:
        return None
    each = model.usd_per_image.get(request.quality, {}).get(sent_size(request, model) or "auto")
    return None if each is None else each * request.n


def _partial_images(request: ImageRequest, prices: TokenPrice | None) -> float | None:
    number = (request.partial_images or 0) * request.n
    if not number:
        return 0
    return None if prices is None else number * PARTIAL_IMAGE_TOKENS * prices.image_out / 1e6


def _output_tokens(request: ImageRequest, model: ImageModel) -> float | None:
    """Return the tokens of one image; where the model chooses, high quality in the dearest usual size counts."""
    if not model.output_tokens:
        return None
    quality = request.quality or "auto"
    level = quality if quality in model.output_tokens else "high"
    known = model.output_tokens.get(level) or max(model.output_tokens.values(), key=lambda sizes: max(sizes.values()))
    factor = 1.0 if quality == level else _BEYOND_HIGH.get(quality, 1.0)
    return factor * _in_size(sent_size(request, model) or "auto", known)


def _in_size(size: str, known: Mapping[str, int]) -> float:
    """Return the tokens in any size; an unknown size counts in proportion to the known one of the nearest area."""
    if size in known:
        return known[size]
    if size == "auto":
        return max(known.values())
    wanted = _area(size)
    nearest = min(known, key=lambda each: max(_area(each), wanted) / min(_area(each), wanted))
    return known[nearest] * wanted / _area(nearest)


def _area(size: str) -> int:
    width, _, height = size.partition("x")
    return int(width) * int(height)


def _input(request: ImageRequest, model: ImageModel, prices: TokenPrice) -> float:
    """Return what goes in, in US dollars: the prompt and, by what one takes at most, the images."""
    masks = [image for image in (request.mask_image, request.markup_image) if image is not None]
    each = (model.input_image_tokens or {}).get(request.input_fidelity or "low", 0)
    images = each * (len(request.image_list) + len(masks)) if request.image_list else 0
    text = len(request.prompt.encode("utf-8", "replace")) / _CHARACTERS_PER_TOKEN
    return (text * prices.text_in + images * prices.image_in) / 1e6


def actual_cost(
    config: RunConfig, *, text_in: int, image_in: int, image_out: int, text_out: int = 0, cached_in: int = 0
) -> float | None:
    """Return the cost of an image call in US dollars by its tokens; None without prices or numbers that can be true.

    `image_out` counts all output, `text_out` and `cached_in` say how much of it is text, and how much of the input was
    cached; what has no price of its own is counted as the rest.
    """
    prices = config.model.usd_per_million_tokens if isinstance(config.model, ImageModel) else None
    share, counts = batch_share(config), (text_in, image_in, image_out, text_out, cached_in)
    if share is None or prices is None or image_out <= 0 or any(not 0 <= count <= _MOST_TOKENS for count in counts):
        return None
    text_made = min(text_out, image_out)
    made = (image_out - text_made) * prices.image_out + text_made * _or(prices.text_out, prices.image_out)
    # Few answers tell which input was cached; caching saves least on text.
    cached_text = min(cached_in, text_in)
    cached_images = min(cached_in - cached_text, image_in)
    given = (text_in - cached_text) * prices.text_in + (image_in - cached_images) * prices.image_in
    kept = cached_text * _or(prices.cached_text_in, prices.text_in)
    kept += cached_images * _or(prices.cached_image_in, prices.image_in)
    return (made + given + kept) * share / 1e6


def _or(price: float | None, other: float) -> float:
    return other if price is None else price
