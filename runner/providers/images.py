"""Read the answer to an image request leniently, in one piece or as a stream."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from runner.artifacts.result import Usage

from .allowance import number, renewal
from .base import GeneratedImage, ImageBatch, JobStatus
from .file_address import holds_file
from .job import job_status, request_id
from .json_answer import plain, read_json
from .reference import media_type

_PARTIAL = ".partial_image"

# All keys in lower case and without separators, as in `job`.
_DATA = ("b64json", "b64", "base64", "imagebase64", "bytesbase64encoded", "imagebytes", "binarydatabase64", "imageb64")
_ADDRESSES = ("url", "imageurl", "uri", "fileurl", "outputurl", "downloadurl", "resulturl", "fileuri", "imageuri",
              "sample", "signedurl", "presignedurl", "publicurl", "imgurl")  # fmt: skip
_PROMPTS = ("revisedprompt", "actualprompt", "enhancedprompt")
_HOLDERS = frozenset({
    "data", "images", "image", "output", "outputs", "artifacts", "result", "results", "url", "urls", "imageurl",
    "imageurls", "generatedimages", "predictions", "candidates", "content", "parts", "choices", "message",
    "response", "body", "binarydatabase64", "imagebase64", "samples",
})  # fmt: skip
"""What images stand in, alone or as a list."""

_NO_ANSWERS = frozenset({
    "input", "inputs", "inputimage", "inputimages", "request", "params", "parameters", "usage", "error",
    "errors", "mask", "metadata", "meta", "reference", "thumbnail", "thumbnails", "initimage", "prompt",
})  # fmt: skip
"""What repeats the request, or speaks of something else."""

_LISTS = ("data", "images", "output", "outputs", "artifacts", "result", "results", "predictions", "candidates",
          "generatedimages", "choices")  # fmt: skip
_BASE64 = re.compile(r"[A-Za-z0-9+/_\s-]{64}")
_ADDRESS = re.compile(r"https?://|data:image/|/[\w-]", re.IGNORECASE)
MOST_EXTRA = 10
"""Images beyond those asked for that are kept."""

_DEEPEST = 8
_MOST_KEPT = 100
"""Entries of a list that the record of an answer keeps."""

_LONGEST_KEPT = 40_000
_LONGEST_TEXT = 4_000
_MOST_TOKENS = 1_000_000
"""Tokens that no image call uses: the largest image takes a thirtieth of them."""

_FEWEST_TOKENS = 10
"""Output tokens that an image takes at least."""

_FILES = ("image/png", "image/jpeg", "image/gif", "image/webp")


def read_images(documents: Sequence[object], headers: Mapping[str, str]) -> ImageBatch | None:
    """Return the finished images that an answer's documents hold, as of a stream of events; None if they hold none."""
    holding = [(raw, found) for raw in documents if not is_partial(raw) and (found := [*_found(raw)])]
    images = tuple(image for _, found in holding for image in found)
    if not images:
        return None
    light = [_light(raw) for raw, _ in holding]
    facts = light[-1] if isinstance(light[-1], dict) else {"data": light[-1]}
    whole = facts if len(light) == 1 else {**facts, "data": light}
    told = facts.get("usage")
    usage = _usage(told, len(images))
    wrong = usage is None and isinstance(told, dict) and any(number(value) for value in told.values())
    return ImageBatch(images, usage, request_id(headers), whole, renewal(headers), implausible_usage=wrong)


def image_file(content: bytes, headers: Mapping[str, str]) -> ImageBatch | None:
    """Return the image that an answer's body itself is, in place of JSON about one; None if it is none."""
    if media_type(content) in _FILES:
        image = GeneratedImage(base64.b64encode(content).decode(), None)
    elif _is_text_of_file(content):
        image = GeneratedImage(content.decode().strip(), None)
    else:
        return None
    return ImageBatch((image,), None, request_id(headers), {}, renewal(headers))


def _is_text_of_file(content: bytes) -> bool:
    """Return whether a body is an image as base64 or a data URL, and nothing else."""
    text = content.strip()
    if text[:5].lower() == b"data:":
        return text[:11].lower() == b"data:image/"  # else a stream of events
    return text.isascii() and holds_file(text.decode())


def is_partial(raw: object) -> bool:
    """Return whether `raw` is an event with an image that is still being made."""
    return isinstance(raw, dict) and (str(raw.get("type")).endswith(_PARTIAL) or "partial_image_index" in raw)


def lacks_images(raw: object) -> bool:
    """Return whether an answer has a place for images and none in it, which nobody is still making."""
    if not isinstance(raw, dict):
        return raw == []
    places = [value for key, value in raw.items() if plain(key) in _LISTS]
    return bool(places) and not any(map(_holds, places)) and not _is_under_way(raw)


def _holds(place: object) -> bool:
    """Return whether something stands in a place for images."""
    if isinstance(place, dict):
        return any(_holds(value) for key, value in place.items() if plain(key) not in _PROMPTS)
    return any(map(_holds, place)) if isinstance(place, list) else bool(place)


def _is_under_way(raw: Mapping[str, Any]) -> bool:  # Any: JSON
    words = [value for key, value in raw.items() if plain(key) in ("status", "state", "taskstatus")]
    return any(
        isinstance(word, str) and job_status(word) in (JobStatus.QUEUED, JobStatus.IN_PROGRESS) for word in words
    )


def _found(node: object, key: str = "data", depth: int = 0) -> Iterator[GeneratedImage]:
    """Yield the images in an answer, in their order."""
    if isinstance(node, str):
        yield from _spelled(node, key, depth)
    elif isinstance(node, list) and depth < _DEEPEST:
        for item in node:
            yield from _found(item, key, depth + 1)
    elif isinstance(node, dict) and depth < _DEEPEST:
        image = _image(node)
        if image is not None:
            yield image
            return
        inside = ([*_found(value, plain(name), depth + 1)] for name, value in node.items()
                  if plain(name) not in _NO_ANSWERS)  # fmt: skip
        # What stands in two places is the same images twice.
        yield from next(filter(None, inside), [])


def _spelled(text: str, key: str, depth: int) -> Iterator[GeneratedImage]:
    """Yield the image that a bare text is, where images stand."""
    if key not in _HOLDERS or not text:
        return
    if _ADDRESS.match(text) and len(text) < _LONGEST_KEPT and not text.startswith("data:"):
        yield GeneratedImage(None, text)
    elif text.startswith("data:") or _BASE64.match(text):
        yield GeneratedImage(text, None)
    elif text.lstrip()[:1] in ("{", "[") and depth < _DEEPEST:
        yield from _found(read_json(text, str), key, depth + 1)


def _image(item: Mapping[str, Any]) -> GeneratedImage | None:  # Any: JSON
    values = {plain(name): value for name, value in item.items()}
    b64 = next((value for name in _DATA if isinstance(value := values.get(name), str) and value), None)
    if b64 is None and str(values.get("mimetype", "")).startswith("image/"):
        b64 = values.get("data") if isinstance(values.get("data"), str) else None
    url = None if _is_under_way(item) else next(_named(values), None)
    prompt = next((value for name in _PROMPTS if isinstance(value := values.get(name), str) and value), None)
    return GeneratedImage(b64, url, prompt) if b64 or url else None


def _named(values: Mapping[str, Any]) -> Iterator[str]:  # Any: JSON
    for name in _ADDRESSES:
        value = values.get(name)
        value = value.get("url") if isinstance(value, dict) else value
        if isinstance(value, str) and value:
            yield value


def _light(node: object, key: str = "", depth: int = 0) -> Any:  # Any: JSON
    """Return the same without the images' data."""
    if isinstance(node, str):
        heavy = key in _DATA or len(node) > _LONGEST_KEPT or node.startswith("data:image")
        heavy = heavy or (key in _HOLDERS and len(node) > _LONGEST_TEXT)
        return f"<{len(node):,} characters>" if heavy else node
    if isinstance(node, list):
        kept = [_light(item, key, depth + 1) for item in node[:_MOST_KEPT]]
        return [*kept, f"<{len(node) - _MOST_KEPT:,} more>"] if len(node) > _MOST_KEPT else kept
    if isinstance(node, dict):
        return {name: _light(value, plain(name), depth + 1) for name, value in node.items()}
    return node


def _usage(usage: object, images: int) -> Usage | None:
    """Return the tokens that a call used; None for numbers that cannot be true, as of gateways that count none."""
    if not isinstance(usage, dict):
        return None
    details = _details(usage, "input_tokens_details")
    text = _count(details.get("text_tokens", usage.get("input_tokens")))
    image, made = _count(details.get("image_tokens")), _count(usage.get("output_tokens"))
    if text is None or image is None or made is None or not images * _FEWEST_TOKENS <= made <= images * _MOST_TOKENS:
        return None
    # What cannot be true of these leaves the dearer price.
    text_made = _count(_details(usage, "output_tokens_details").get("text_tokens")) or 0
    cached = _count(details.get("cached_tokens")) or 0
    return Usage(text_in=text, image_in=image, image_out=made, text_out=text_made, cached_in=cached)


def _details(usage: Mapping[str, Any], name: str) -> Mapping[str, Any]:  # Any: JSON
    given = usage.get(name)
    return given if isinstance(given, dict) else {}


def _count(value: object) -> int | None:
    told = 0 if value is None else number(value)
    return int(told) if told is not None and 0 <= told <= _MOST_TOKENS * _MOST_KEPT else None
