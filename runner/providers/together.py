"""Make requests as Together reads them: all JSON, sizes as width and height, input images in `media`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runner.config.request import ImageRequest, VideoRequest
from runner.config.run import RunConfig, sent_audio, sent_resolution, sent_size, video_seconds
from runner.errors import ConfigError

from .body import Body
from .reference import Reference, read

KEYS: Mapping[str, str] = {
    "prompt": "request.prompt",
    "model": "model.name or model.deployment",
    "seconds": "request.duration_seconds",
    "width": "request.size or request.aspect_ratio",
    "height": "request.size or request.aspect_ratio",
    "ratio": "request.aspect_ratio",
    "resolution": "request.resolution",
    "media": "request.image_list",
    "generate_audio": "request.generate_audio",
    "seed": "request.seed",
    "negative_prompt": "request.negative_prompt",
    "fps": "request.fps",
    "steps": "request.num_inference_steps",
    "guidance_scale": "request.guidance_scale",
    "n": "request.n",
    "response_format": "the runner, which reads base64",
}
"""The fields that are made of the request's keys."""

_FRAMES = {"first_frame": "first", "last_frame": "last"}


def build(config: RunConfig, extra: Mapping[str, Any]) -> Body:  # Any: JSON values
    """Return the request that a run makes, with what else its user gives; raises `ConfigError` if it cannot be made."""
    request = config.request
    if isinstance(request, ImageRequest):
        if request.image_list:
            raise ConfigError("request.image_list: no image is sent to Together", hint="request.image_list=[]")
        # Its path is another version's: see Dialect.image_version.
        return Body.of_json("generate", "/images/generations", _image(config, request), extra)
    if request.video is not None:
        raise ConfigError("request.video: no finished video is sent to Together", hint="request.video=null")
    return Body.of_json("create", "/videos", _video(config, request), extra)


def _video(config: RunConfig, request: VideoRequest) -> dict[str, Any]:  # Any: JSON values
    seconds, size = video_seconds(config), sent_size(request, config.model)
    return {
        **_common(config),
        "seconds": None if seconds is None else str(seconds),
        "ratio": request.aspect_ratio if size is None else None,
        "resolution": sent_resolution(config),
        "generate_audio": sent_audio(config),
        "fps": request.fps,
        "steps": request.num_inference_steps,
        "guidance_scale": request.guidance_scale,
        "media": _media([*zip(request.image_roles, map(read, request.images), strict=True)]),
    }


def _media(images: list[tuple[str, Reference]]) -> dict[str, list[Any]]:  # Any: images that become data URLs
    frames = [{"input_image": image, "frame": _FRAMES[role]} for role, image in images if role in _FRAMES]
    references = [image for role, image in images if role == "reference"]
    if len(frames) + len(references) < len(images):
        raise ConfigError("request.image_list: no keyframe is sent to Together", hint="role: first_frame or last_frame")
    return {name: parts for name, parts in (("frame_images", frames), ("reference_images", references)) if parts}


def _image(config: RunConfig, request: ImageRequest) -> dict[str, Any]:  # Any: JSON values
    # An address that comes back would expire.
    return {**_common(config), "n": request.n, "response_format": "base64"}


def _common(config: RunConfig) -> dict[str, Any]:  # Any: JSON values
    request = config.request
    size = sent_size(request, config.model)
    width, _, height = (size or "").partition("x")
    return {
        "model": config.sent_model,
        "prompt": request.prompt,
        "negative_prompt": request.negative_prompt,
        "width": int(width) if height else None,
        "height": int(height) if height else None,
        "seed": request.seed,
    }
