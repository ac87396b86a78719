"""Make requests as OpenRouter reads them: all JSON, images as data URLs, a video by its resolution and aspect ratio."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from runner.config.request import ImageRequest, VideoRequest
from runner.config.run import RunConfig, sent_audio, sent_prompt, sent_resolution, sent_size, video_seconds
from runner.errors import ConfigError

from .body import Body
from .reference import Reference, read

KEYS: Mapping[str, str] = {
    "prompt": "request.prompt",
    "model": "model.name or model.deployment",
    "duration": "request.duration_seconds",
    "resolution": "request.resolution",
    "aspect_ratio": "request.aspect_ratio",
    "size": "request.size or request.aspect_ratio",
    "frame_images": "request.image_list",
    "input_references": "request.image_list",
    "generate_audio": "request.generate_audio",
    "seed": "request.seed",
    "n": "request.n",
    "quality": "request.quality",
    "background": "request.background",
    "output_format": "request.output_format",
    "output_compression": "request.output_compression",
    "stream": "the runner, which reads the images of one answer",
}
"""The fields that are made of the request's keys."""


def build(config: RunConfig, extra: Mapping[str, Any]) -> Body:  # Any: JSON values
    """Return the request that a run makes, with what else its user gives; raises `ConfigError` if it cannot be made."""
    request = config.request
    if isinstance(request, ImageRequest):
        return Body.of_json("edit" if request.image_list else "generate", "/images", _image(config, request), extra)
    if request.video is not None:
        raise ConfigError("request.video: OpenRouter makes new videos only", hint="request.video=null")
    return Body.of_json("create", "/videos", _video(config, request), extra)


def _video(config: RunConfig, request: VideoRequest) -> dict[str, Any]:  # Any: JSON values
    pairs = [*zip(request.image_roles, map(read, request.images), strict=True)]
    if any(role == "keyframe" for role, _ in pairs):
        raise ConfigError("request.image_list: OpenRouter takes no keyframe", hint="role: first_frame or last_frame")
    frames = [{**part, "frame_type": role} for role, image in pairs if role != "reference" for part in _parts([image])]
    references = _parts([image for role, image in pairs if role == "reference"])
    return {
        **_common(config),
        "duration": video_seconds(config),
        "frame_images": frames,
        "input_references": references,
        # Sources differ on what is made where this is left out.
        "generate_audio": sent_audio(config),
    }


def _image(config: RunConfig, request: ImageRequest) -> dict[str, Any]:  # Any: JSON values
    return {
        **_common(config),
        "n": request.n,
        "quality": request.quality,
        "background": request.background,
        "output_format": request.output_format,
        "output_compression": request.output_compression,
        "input_references": _parts([*map(read, request.images)]),
    }


def _common(config: RunConfig) -> dict[str, Any]:  # Any: JSON values
    request = config.request
    size = sent_size(request, config.model)
    return {
        "model": config.sent_model,
        "prompt": sent_prompt(request),
        # A size is the whole shape; beside another ratio it would be refused.
        "size": None if size == "auto" else size,
        "resolution": sent_resolution(config),
        "aspect_ratio": request.aspect_ratio if size is None else None,
        "seed": request.seed,
    }


def _parts(images: Sequence[Reference]) -> list[dict[str, Any]]:  # Any: JSON values, and images that become some
    return [{"type": "image_url", "image_url": {"url": image}} for image in images]
