"""Behave as xAI does: its errors, ids, prices in ticks, and create requests as it reads them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from urllib.parse import parse_qs, urlsplit

from .body import ReceivedBody
from .job import EmulatedJob
from .manner import HostOrder, linked_picture, shape
from .surface import Refusal, Surface

USD_PER_SECOND: Mapping[str, Mapping[str, float]] = MappingProxyType({
    "grok-imagine-video": {"480p": 0.05, "720p": 0.07},
    "grok-imagine-video-1.5": {"480p": 0.08, "720p": 0.14, "1080p": 0.25},
    "grok-imagine-video-1.5-lite": {"480p": 0.02, "720p": 0.03, "1080p": 0.14},
})  # fmt: skip
USD_PER_IMAGE = {("low", "1k"): 0.04, ("low", "2k"): 0.06, ("medium", "1k"): 0.06, ("medium", "2k"): 0.08}
IMAGE_MODEL = "grok-imagine-image-2.0"
USD_PER_INPUT = 0.01
USD_PER_INPUT_SECOND = 0.01
DERIVING = "grok-imagine-video"
"""The model that edits and extends videos."""

TICKS = 10**10
"""Of one US dollar."""


class XAISurface(Surface):
    """Speak `/v1` as xAI does."""

    def error(self, refusal: Refusal) -> dict[str, object]:
        """Return its envelope: what kind of error, and its words."""
        return {"code": refusal.code or f"HTTP {refusal.status}", "error": refusal.message}

    def job_id(self) -> str:
        """Return an id of its form."""
        return str(uuid.uuid4())

    def models(self) -> tuple[str, ...]:
        """Return what it lists."""
        return self.settings.models or (*USD_PER_SECOND, IMAGE_MODEL)


def read_video(body: ReceivedBody) -> HostOrder:
    """Read a request for a video; raises Refusal naming what is wrong."""
    body.allow("model", "prompt", "duration", "resolution", "aspect_ratio", "image", "last_frame", "keyframes",
               "reference_images", "generate_audio", "user", "storage_options")  # fmt: skip
    model = body.string("model", "")
    rates = USD_PER_SECOND.get(model)
    if rates is None:
        raise Refusal(404, f"The model {model} does not exist or your team does not have access to it.")
    resolution = body.choice("resolution", tuple(rates), "480p")
    seconds = body.whole("duration", 1, 15, 8)
    frames = [_picture(body.fields[name], name) for name in ("image", "last_frame") if body.given(name)]
    keyframes = [_picture(_value(each, "image"), "keyframes") for each in _entries(body, "keyframes")]
    references = [_picture(each, "reference_images") for each in _entries(body, "reference_images")]
    if model == "grok-imagine-video" and frames and references:
        raise Refusal(400, "image does not go with reference_images", code="invalid_argument")
    pictures = (*frames, *keyframes, *references)
    prompt = body.string("prompt", "")
    if not prompt and not pictures:
        raise Refusal(400, "prompt is required", code="invalid_argument")
    size = shape(resolution, body.string("aspect_ratio", "16:9"))
    told = {name: body.fields[name] for name in ("resolution", "aspect_ratio", "generate_audio") if body.given(name)}
    usd = round(seconds * rates[resolution] + len(pictures) * USD_PER_INPUT, 6)
    return HostOrder(model, prompt, size, pictures, told, usd, seconds)


def source_id(body: ReceivedBody) -> str:
    """Return the job whose file lies at the address that the body names; raises Refusal(400) for any other address."""
    address = str(_value(body.fields.get("video"), "url") or "")
    job = parse_qs(urlsplit(address).query).get("job", [""])[0]
    if not job or "/_emulator/media/" not in address:
        raise Refusal(400, f"The video at {address} could not be fetched", code="invalid_argument")
    return job


def read_derived(body: ReceivedBody, source: EmulatedJob, operation: str) -> HostOrder:
    """Read a request for an edit or an extension of a finished video; raises Refusal naming what is wrong."""
    extending = operation == "extend"
    body.allow("model", "prompt", "video", "user", "storage_options", *(["duration"] if extending else []))
    model, prompt = body.string("model", ""), body.string("prompt", "")
    if model != DERIVING:
        raise Refusal(400, f"{model} cannot {operation} videos", code="invalid_argument")
    if not prompt:
        raise Refusal(400, "prompt is required", code="invalid_argument")
    least, most = (2, 30) if extending else (0, 8.7)
    if not least <= source.seconds <= most:
        raise Refusal(400, f"The video has {source.seconds} seconds: too short or too long", code="invalid_argument")
    width, height = map(int, source.size.split("x"))
    rate = USD_PER_SECOND[model]["720p" if min(width, height) > 480 else "480p"]
    added = body.whole("duration", 1, 10, 6) if extending else source.seconds
    usd = round(added * rate + source.seconds * USD_PER_INPUT_SECOND, 6)
    seconds = source.seconds + added if extending else source.seconds
    return HostOrder(model, prompt, (width, height), (), {}, usd, seconds)


def read_image(body: ReceivedBody) -> HostOrder:
    """Read a request for images; raises Refusal naming what is wrong."""
    body.allow("model", "prompt", "n", "resolution", "aspect_ratio", "quality", "response_format", "image", "images",
               "user", "storage_options")  # fmt: skip
    if body.form:
        raise Refusal(415, "Expected request with Content-Type: application/json")
    model, prompt = body.string("model", ""), body.string("prompt", "")
    if not prompt:
        raise Refusal(400, "prompt is required", code="invalid_argument")
    quality = body.choice("quality", ("low", "medium"), "medium")
    resolution = body.choice("resolution", ("1k", "2k"), "1k")
    body.choice("response_format", ("b64_json",), "b64_json")
    count = body.whole("n", 1, 10, 1)
    given = [body.fields["image"]] if body.given("image") else []
    pictures = tuple(_picture(each, "images") for each in (*given, *_entries(body, "images")))
    usd = round(count * USD_PER_IMAGE[quality, resolution] + len(pictures) * USD_PER_INPUT, 6)
    return HostOrder(
        model, prompt, shape(resolution, body.string("aspect_ratio", "1:1")), pictures, {}, usd, count=count,
        format="jpeg",
    )  # fmt: skip


def _entries(body: ReceivedBody, name: str) -> Sequence[object]:
    given = body.fields.get(name) or []
    if not isinstance(given, list):
        raise Refusal(400, f"{name} must be a list", code="invalid_argument")
    return given


def _value(given: object, name: str) -> object:
    return given.get(name) if isinstance(given, dict) else None


def _picture(given: object, name: str) -> bytes:
    return linked_picture(_value(given, "url"), name)
