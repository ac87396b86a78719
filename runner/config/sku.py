"""Read the names and prices of what OpenRouter charges for a video; what is not understood has no price."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

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
class Prices:
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


def prices(skus: object, resolutions: Sequence[str], *, timed: bool) -> Prices:
    """Return the prices that `pricing_skus` gives, for a model of these resolutions.

    `timed`: whether the seconds of its videos are the request's to choose.
    """
    try:
        return Prices(_told(skus, resolutions, timed=timed))
    except _UnclearError as error:
        return Prices({}, str(error))


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
