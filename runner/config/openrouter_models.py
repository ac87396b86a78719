"""Turn what OpenRouter lists of its models into model files; what its words do not tell for certain stays unknown."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError

from .model import ModelConfig

Entry = Mapping[str, Any]  # Any: JSON
Data = dict[str, Any]  # Any: values of a model's keys

_SECONDS, _WITH_AUDIO, _WITHOUT_AUDIO = (
    re.compile(rf"duration_seconds{said}(?:_(?P<size>\d+[pk]))?") for said in ("", "_with_audio", "_without_audio")
)
_CENTS = re.compile(r"cents_per_(?:second_output|video_output_second)(?:_(?P<size>\d+[pk]))?")
_TOKENS = re.compile(r"video_tokens(?:_(?P<size>\d+[pk]))?")
_UNTOLD = ("minimum_cents_per_generation",)
"""Prices that no key here can say: with one of them the price is unknown."""

_MOST_IMAGES = 16
"""Images that are let through where the list does not say how many a model takes."""

_adapter: TypeAdapter[ModelConfig] = TypeAdapter(ModelConfig)


def option_name(model_id: str) -> str:
    """Return what the option of a model is called: google-veo-3.1 for google/veo-3.1."""
    return re.sub(r"[^\w.]+", "-", model_id).strip("-.")[:100]


def video_model(entry: Entry, today: dt.date) -> Data:
    """Return the keys of a model file; raises `ValueError` for a model that makes no new video of a given length."""
    durations, resolutions = entry.get("supported_durations"), list(entry.get("supported_resolutions") or ())
    if not durations or not all(isinstance(each, int) for each in durations):
        raise ValueError("makes no new videos of a length that one chooses")
    sizes, sound = entry.get("supported_sizes"), entry.get("generate_audio")
    frames = [role for role in ("first_frame", "last_frame") if role in (entry.get("supported_frame_images") or ())]
    prices = _video_prices(entry.get("pricing_skus") or {}, resolutions)
    parameters = {"resolution": bool(resolutions), "generate_audio": sound is not False, "seed": entry.get("seed")}
    references = "usd_per_reference_image" in prices
    usual = "720p" if "720p" in resolutions else next(iter(resolutions), None)
    return _checked({
        **_shared("video", entry, today, prices),
        "durations": sorted(durations),
        "default_duration": min((each for each in durations if each >= 4), default=max(durations)),
        "sizes": [] if sizes is None else sizes,
        "default_size": None,
        "size_rules": None,
        "aspect_ratios": dict.fromkeys(entry.get("supported_aspect_ratios") or ()),
        "resolutions": resolutions or None,
        "default_resolution": usual,
        "max_reference_images": _MOST_IMAGES if references else len(frames),
        "min_reference_images": 0,
        "image_roles": [*frames, *(["reference"] if references else [])],
        "default_audio": True if sound else None,
        "parameters": [name for name, taken in parameters.items() if taken],
        "usd_per_second": None,
    })  # fmt: skip


def image_model(entry: Entry, endpoints: Sequence[Entry], today: dt.date) -> Data:
    """Return the keys of a model file; `endpoints` are who serves it, with their prices."""
    told = entry.get("supported_parameters") or {}
    known = {name: _values(told.get(name)) for name in ("aspect_ratio", "resolution", "quality")}
    parameters = [name for name in ("resolution", "seed", "background", "output_format", "output_compression")
                  if name in told]  # fmt: skip
    return _checked({
        **_shared("image", entry, today, _image_prices(endpoints)),
        "sizes": None,
        "size_rules": None,
        "aspect_ratios": dict.fromkeys(known["aspect_ratio"]),
        "resolutions": known["resolution"] or None,
        "default_resolution": None,
        "qualities": known["quality"],
        "max_images": _most(told.get("n"), 1),
        "max_reference_images": _most(told.get("input_references"), 0),
        "parameters": parameters,
        "usd_per_image": None,
        "usd_per_million_tokens": None,
        "batch_discount": None,
        "output_tokens": None,
        "input_image_tokens": None,
    })  # fmt: skip


def _shared(kind: str, entry: Entry, today: dt.date, prices: Data) -> Data:
    model_id = str(entry["id"])
    return {
        "kind": kind,
        "name": option_name(model_id),
        "deployment": None,
        "validation": "strict",
        "max_prompt_length": None,
        "offers": {"openrouter": {"id": model_id, "retires": None, "successor": None, **prices}},
        "source": "OpenRouter's own list of its models",
        "read": today.isoformat(),
    }


def _checked(data: Data) -> Data:
    if "${" in json.dumps(data, ensure_ascii=False):
        # In a file of a config it would be replaced, as by a variable's value.
        raise ValueError("holds an interpolation")
    try:
        _adapter.validate_python(data)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ValueError(f"is told in words that are not known here: {place}: {first['msg']}") from error
    return data


def _video_prices(skus: Mapping[str, Any], resolutions: Sequence[str]) -> Data:  # Any: a price as text
    """Return what is certain of the prices: nothing where they go by what no key says."""
    names = {name.lower(): name for name in resolutions}
    amounts = {sku: float(text) for sku, text in skus.items()}
    inputs = {"usd_per_input_image": amounts.get("cents_per_image_input"),
              "usd_per_reference_image": amounts.get("reference_images")}  # fmt: skip
    if inputs["usd_per_input_image"] is not None:
        inputs["usd_per_input_image"] = round(inputs["usd_per_input_image"] / 100, 6)
    more = {key: usd for key, usd in inputs.items() if usd is not None}
    tokens = _found(_TOKENS, amounts, names, 1e-6)
    untold = any(sku in amounts for sku in _UNTOLD)
    untold |= bool(tokens) and amounts.get("video_tokens_without_audio") not in (None, amounts.get("video_tokens"))
    if untold:
        return more
    if tokens:
        return {"usd_per_million_video_tokens": tokens, **more}
    plain = _found(_SECONDS, amounts, names, 1) | _found(_CENTS, amounts, names, 100)
    sound, silent = (_found(pattern, amounts, names, 1) for pattern in (_WITH_AUDIO, _WITHOUT_AUDIO))
    if not sound and not plain:  # or only by what goes in
        return more
    silent = silent or (plain if sound else {})
    return {"usd_per_second": sound or plain, **({"usd_per_silent_second": silent} if silent else {}), **more}


def _found(
    pattern: re.Pattern[str], amounts: Mapping[str, float], names: Mapping[str, str], units: float
) -> dict[str, float]:
    """Return the US dollars, each of so many `units`, of what the pattern names, by resolution."""
    found = ((pattern.fullmatch(sku), amount) for sku, amount in amounts.items())
    return {_key(match["size"], names): round(amount / units, 6) for match, amount in found if match is not None}


def _key(size: str | None, names: Mapping[str, str]) -> str:
    return "default" if size is None else names.get(size.lower(), size)


def _image_prices(endpoints: Sequence[Entry]) -> Data:
    """Return the prices where there is one server with one price for each thing."""
    lines = [line for each in endpoints for line in each.get("pricing") or ()]
    if len(endpoints) != 1 or any(line.get("variant") for line in lines):
        return {}
    by = {(line.get("billable"), line.get("unit")): float(line["cost_usd"]) for line in lines}
    made, pixels = by.pop(("output_image", "image"), None), by.pop(("output_image", "megapixel"), None)
    inputs = [by.pop((name, "image"), None) for name in ("input_image", "input_reference")]
    if by or (made is None) is (pixels is None):
        return {}
    price: Data = {"usd_per_megapixel": pixels} if made is None else {"usd_per_image": {"default": {"default": made}}}
    given = [each for each in inputs if each is not None]
    return price | ({"usd_per_input_image": max(given)} if given else {})


def _values(told: Any) -> list[str]:  # Any: JSON
    values = told.get("values") if isinstance(told, dict) else None
    return [str(each) for each in values] if isinstance(values, list) else []


def _most(told: Any, otherwise: int) -> int:  # Any: JSON
    most = told.get("max") if isinstance(told, dict) else None
    return int(most) if isinstance(most, int | float) and most >= otherwise else otherwise
