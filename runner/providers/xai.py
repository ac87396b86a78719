"""Make requests as xAI reads them: all JSON, each input image in a field by its role."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runner.config.provider import dialect_of
from runner.config.request import ImageRequest, VideoRequest
from runner.config.run import RunConfig, sent_audio, sent_prompt, sent_resolution, sent_size, video_seconds
from runner.errors import ConfigError

from .body import Body
from .reference import Reference, read, source_id

KEYS: Mapping[str, str] = {
    "prompt": "request.prompt",
    "model": "model.name or model.deployment",
    "duration": "request.duration_seconds",
    "resolution": "request.resolution",
    "aspect_ratio": "request.aspect_ratio",
    "video": "request.video",
    "image": "request.image_list",
    "images": "request.image_list",
    "last_frame": "request.image_list",
    "keyframes": "request.image_list",
    "reference_images": "request.image_list",
    "generate_audio": "request.generate_audio",
    "n": "request.n",
    "quality": "request.quality",
    "response_format": "the runner, which reads base64",
}
"""The fields that are made of the request's keys."""


def build(config: RunConfig, extra: Mapping[str, Any]) -> Body:  # Any: JSON values
    """Return the request that a run makes, with what else its user gives; raises `ConfigError` if it cannot be made."""
    request = config.request
    if sent_size(request, config.model) not in (None, "auto"):
        raise ConfigError("request.size: xAI takes no size", hint="request.resolution, and request.aspect_ratio")
    if isinstance(request, ImageRequest):
        if request.image_list:
            return Body.of_json("edit", "/images/edits", _image(config, request), extra)
        return Body.of_json("generate", "/images/generations", _image(config, request), extra)
    if request.video is not None:
        return _derived(config, request, extra, request.video)
    return Body.of_json("create", "/videos/generations", _video(config, request), extra)


def _video(config: RunConfig, request: VideoRequest) -> dict[str, Any]:  # Any: JSON values
    images = [*zip(request.image_roles, request.image_list, map(read, request.images), strict=True)]
    frames = {role: _part(image) for role, _, image in images if role in ("first_frame", "last_frame")}
    return {
        **_common(config),
        "duration": video_seconds(config),
        "image": frames.get("first_frame"),
        "last_frame": frames.get("last_frame"),
        "keyframes": [
            {"image": _part(image), "timestamp_s": given.seconds} for role, given, image in images if role == "keyframe"
        ],
        "reference_images": [_part(image) for role, _, image in images if role == "reference"],
        "generate_audio": sent_audio(config),
    }


def _derived(config: RunConfig, request: VideoRequest, extra: Mapping[str, Any], video: str) -> Body:  # Any: as above
    """Return a request that starts from a finished video; where that lies is asked for just before it is sent."""
    if request.made_by == "remix":
        raise ConfigError("request.operation: xAI cannot remix videos", hint="request.operation=edit or extend")
    fields = {"model": config.sent_model, "prompt": request.prompt}
    target = source_id(config, video)
    if request.made_by == "edit":
        return Body.of_json("edit_video", "/videos/edits", fields, extra, target)
    added = request.duration_seconds or dialect_of(config.provider).default_extension
    return Body.of_json("extend", "/videos/extensions", {**fields, "duration": added}, extra, target)


def _image(config: RunConfig, request: ImageRequest) -> dict[str, Any]:  # Any: JSON values
    parts = [_part(read(image)) for image in request.images]
    resolution = sent_resolution(config)
    return {
        **_common(config),
        "resolution": None if resolution is None else resolution.lower(),
        "n": request.n,
        "quality": request.quality,
        # One source has a field of its own; an address that comes back would expire.
        "image": parts[0] if len(parts) == 1 else None,
        "images": parts if len(parts) > 1 else None,
        "response_format": "b64_json",
    }


def _common(config: RunConfig) -> dict[str, Any]:  # Any: JSON values
    return {
        "model": config.sent_model,
        "prompt": sent_prompt(config.request),
        "resolution": sent_resolution(config),
        "aspect_ratio": config.request.aspect_ratio,
    }


def _part(image: Reference) -> dict[str, Any]:  # Any: an image that becomes a data URL or its address
    return {"url": image}
