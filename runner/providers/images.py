"""The answer to an image request, read leniently."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .allowance import renewal
from .base import GeneratedImage, ImageBatch, ImageUsage
from .job import request_id


def read_images(raw: object, headers: Mapping[str, str]) -> ImageBatch | None:
    """The images that `raw` holds, or None if it holds none."""
    data = raw.get("data") if isinstance(raw, dict) else None
    if not isinstance(raw, dict) or not isinstance(data, list):
        return None
    images = tuple(image for item in data if isinstance(item, dict) and (image := _image(item)) is not None)
    if not images:
        return None
    light = {**raw, "data": list(map(_light, data))}
    return ImageBatch(images, _usage(raw.get("usage")), request_id(headers), light, renewal(headers))


def _image(item: Mapping[str, Any]) -> GeneratedImage | None:  # Any: JSON
    b64, url, prompt = (_text(item.get(name)) for name in ("b64_json", "url", "revised_prompt"))
    return GeneratedImage(b64, url, prompt) if b64 or url else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _light(item: object) -> object:
    if not isinstance(item, dict) or not isinstance(item.get("b64_json"), str):
        return item
    return {**item, "b64_json": f"<{len(item['b64_json']):,} characters>"}


def _usage(usage: object) -> ImageUsage | None:
    if not isinstance(usage, dict):
        return None
    given = usage.get("input_tokens_details")
    details = given if isinstance(given, dict) else {}
    text = _count(details.get("text_tokens", usage.get("input_tokens")))
    return ImageUsage(text, _count(details.get("image_tokens")), _count(usage.get("output_tokens")))


def _count(value: object) -> int:
    return value if isinstance(value, int) else 0
