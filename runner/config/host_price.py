"""Estimate what a host takes for a run, from its own prices, whose names are read as OpenRouter writes them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

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


Mode = Literal["text", "frames", "references"]
"""What a video is made from, where its price depends on that."""

_NAME = re.compile(r"[A-Za-z0-9_]{1,80}")
_LONGEST = 40
"""Characters of an amount."""
_MOST = 10**6
_RESOLUTION = r"(?:_(?P<resolution>\d{3,4}p|\d{1,2}k))?"
_SOUND = r"(?:_(?P<sound>with|without)_audio)?"
_MODES: Mapping[str, Mode] = {"text_to_video": "text", "image_to_video": "frames", "reference": "references"}
_SECONDS = re.compile(rf"(?:(?P<mode>{'|'.join(_MODES)})_)?duration_seconds{_SOUND}{_RESOLUTION}")
_CENTS_A_SECOND = re.compile(rf"cents_per_(?:second_output|video_output_second){_RESOLUTION}")
_TOKENS = re.compile(rf"video_tokens{_SOUND}{_RESOLUTION}")
_OF_A_VIDEO = re.compile(
    r"video_tokens(?:_\d{3,4}p|_\d{1,2}k)?_with_video_input|cents_per_second_video_continuation(?:_\d{3,4}p|_\d{1,2}k)?"
)
"""What is charged where a video goes in, which no request of ours does."""

_FLAT = {
    "cents_per_image_input": ("usd_per_input_image", 100),
    "minimum_cents_per_generation": ("usd_at_least", 100),
    "reference_images": ("usd_per_reference_image", 1),
}
"""What is charged for each image or video, with what part of a dollar its amount is."""


@dataclass(frozen=True, slots=True)
class SkuPrices:
    """Hold what an offer says of prices; where they are unknown, `unknown` says why."""

    offer: Mapping[str, object]
    unknown: str | None = None


@dataclass(frozen=True, slots=True)
class _Rate:
    """Describe one price by what it is for; None: for all."""

    mode: Mode | None
    sound: bool | None
    resolution: str | None
    usd: float

    def within(self, other: _Rate) -> bool:
        """Return whether all that it is for, the other is for, too."""
        return (
            other.mode in (None, self.mode)
            and other.sound in (None, self.sound)
            and other.resolution in (None, self.resolution)
        )


def prices(skus: object, resolutions: Sequence[str], *, timed: bool) -> SkuPrices:
    """Return the prices that `pricing_skus` gives, for a model of these resolutions.

    `timed`: whether the seconds of its videos are the request's to choose.
    """
    try:
        return SkuPrices(_told(skus, resolutions, timed=timed))
    except _UnclearError as error:
        return SkuPrices({}, str(error))


def _told(skus: object, resolutions: Sequence[str], *, timed: bool) -> dict[str, object]:
    seconds, tokens, flat = _sorted(skus)
    if seconds and tokens:
        raise _UnclearError("it charges by seconds and by tokens at once")
    if not timed:
        raise _UnclearError("how long its videos are is not the request's to choose")
    told = _by_tokens(tokens, resolutions) if tokens else _by_seconds(seconds, resolutions)
    if not any(told.values()):
        raise _UnclearError("none of its prices is for what it makes of texts and images")
    return {**told, **flat}


class _UnclearError(Exception):
    """Tell that it is not said what a video costs."""


def _sorted(skus: object) -> tuple[list[_Rate], list[_Rate], dict[str, float]]:
    """Return the prices of seconds, of tokens, and of what is charged once; raises where one is not understood."""
    if not isinstance(skus, Mapping) or not skus:
        raise _UnclearError("the host lists none")
    seconds: list[_Rate] = []
    tokens: list[_Rate] = []
    flat: dict[str, float] = {}
    for name, given in skus.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise _UnclearError("it charges for something whose name is not readable")
        usd = amount(given)
        if usd is None:
            raise _UnclearError(f"the amount of {name} is not readable")
        if found := _SECONDS.fullmatch(name):
            seconds.append(_rate(found, usd))
        elif found := _CENTS_A_SECOND.fullmatch(name):
            seconds.append(_rate(found, usd / 100))
        elif found := _TOKENS.fullmatch(name):
            tokens.append(_rate(found, usd * 1e6))
        elif name in _FLAT:
            key, parts = _FLAT[name]
            flat[key] = _rounded(usd / parts)
        elif not _OF_A_VIDEO.fullmatch(name):
            raise _UnclearError(f"it is not known what {name} counts")
    return seconds, tokens, flat


def amount(given: object) -> float | None:
    """Return an amount that a host tells as a text or a number; None where it is none that can be true."""
    if isinstance(given, bool) or not isinstance(given, str | int | float) or len(str(given)) > _LONGEST:
        return None
    try:
        exact = Decimal(str(given))
    except InvalidOperation:
        return None
    return float(exact) if exact.is_finite() and 0 <= exact <= _MOST else None


def _rate(found: re.Match[str], usd: float) -> _Rate:
    parts = found.groupdict()
    mode, sound, resolution = parts.get("mode"), parts.get("sound"), parts.get("resolution")
    return _Rate(_MODES[mode] if mode else None, sound == "with" if sound else None, resolution, usd)


def _by_tokens(tokens: Sequence[_Rate], resolutions: Sequence[str]) -> dict[str, object]:
    given = _telling(tokens)
    with_sound, silent = (_table(given, "text", sound, resolutions) for sound in (True, False))
    told: dict[str, object] = {"usd_per_million_video_tokens": with_sound}
    return told if silent == with_sound else {**told, "usd_per_million_silent_video_tokens": silent}


def _by_seconds(seconds: Sequence[_Rate], resolutions: Sequence[str]) -> dict[str, object]:
    given = _telling(seconds)
    with_sound, silent = (_table(given, "text", sound, resolutions) for sound in (True, False))
    told: dict[str, object] = {"usd_per_second": with_sound}
    if silent != with_sound:
        told["usd_per_silent_second"] = silent
    modes: tuple[Mode, ...] = ("frames", "references")
    for mode in modes:
        tables = [_table(given, mode, sound, resolutions) for sound in (True, False)]
        if tables == [with_sound, silent]:
            continue
        if tables[0] != tables[1]:
            raise _UnclearError("it charges by images and by sound at once")
        told[f"usd_per_second_from_{mode}"] = tables[0]
    return told


def _telling(given: Sequence[_Rate]) -> list[_Rate]:
    """Return the rates without those that say nothing more than all that are more general."""
    kept = []
    for rate in given:
        wider = {other.usd for other in given if other is not rate and rate.within(other)}
        if wider != {rate.usd}:
            kept.append(rate)
    return kept


def _table(given: Sequence[_Rate], mode: Mode, sound: bool, resolutions: Sequence[str]) -> dict[str, float] | None:
    """Return prices by resolution, as the model spells it; `default` is for all others. None where there are none."""
    # References are images, where they have no price of their own.
    kind = "frames" if mode == "references" and all(rate.mode != "references" for rate in given) else mode
    names = resolutions or [*{rate.resolution: None for rate in given if rate.resolution is not None}]
    default = _price(given, kind, sound, None)
    found = {name: _price(given, kind, sound, name.lower()) for name in names}
    table = {} if default is None else {"default": _rounded(default)}
    table |= {name: _rounded(usd) for name, usd in found.items() if usd is not None and usd != default}
    return table or None


def _price(given: Sequence[_Rate], mode: Mode, sound: bool, resolution: str | None) -> float | None:
    """Return the most exact price; raises `_UnclearError` where several are as exact, and differ."""
    wanted = _Rate(mode, sound, resolution, 0)
    fitting = [rate for rate in given if wanted.within(rate)]
    best = {rate.usd for rate in fitting if not any(other is not rate and other.within(rate) for other in fitting)}
    if len(best) > 1:
        raise _UnclearError(f"of its prices, several hold for {' '.join(filter(None, [mode, resolution]))}"
                       f" {'with' if sound else 'without'} sound")  # fmt: skip
    return next(iter(best), None)


def _rounded(usd: float) -> float:
    return round(usd, 9)


_AS: Mapping[str, str] = {
    "usd_per_silent_second": "usd_per_second",
    "usd_per_second_from_frames": "usd_per_second",
    "usd_per_second_from_references": "usd_per_second",
    "usd_per_million_silent_video_tokens": "usd_per_million_video_tokens",
}
"""Prices that are as others, where they are not told."""

_WORDS: Mapping[str, str] = {
    "usd_per_second": "a second",
    "usd_per_silent_second": "a silent second",
    "usd_per_second_from_frames": "a second from frames",
    "usd_per_second_from_references": "a second from references",
    "usd_per_million_video_tokens": "a million video tokens",
    "usd_per_million_silent_video_tokens": "a million silent video tokens",
    "usd_per_input_image": "an input image",
    "usd_per_reference_image": "a reference image",
    "usd_at_least": "a video at least",
    "usd_per_megapixel": "a megapixel",
}


def rates(
    offer: Mapping[str, Any], resolutions: Sequence[str]
) -> Iterator[tuple[str, float | None]]:  # Any: unvalidated
    """Yield each price of an offer of videos in words, with its amount; None where it is unknown."""
    for key, words in _WORDS.items():
        value = offer.get(key)
        if isinstance(value, Mapping) or (value is None and key in _AS):
            # By images alone, where both offers tell no more: sound and silence are compared for themselves.
            prices = value or offer.get(_AS.get(key, "")) or {}
            for name in resolutions or ["default"]:
                yield f"{words} at {name}" if resolutions else words, prices.get(name, prices.get("default"))
        elif value is not None:
            yield words, float(value)
