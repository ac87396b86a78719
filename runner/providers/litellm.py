"""Make requests for new videos as a LiteLLM gateway reads them: JSON with OpenRouter's names, or a form with a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runner.config.backend import backend_of, lists_images, sound_field
from runner.config.request import VideoRequest
from runner.config.run import RunConfig, video_fields

from .body import Body
from .reference import File, Reference, read

KEYS = {
    "prompt": "request.prompt",
    "model": "model.name or model.deployment",
    "seconds": "request.duration_seconds",
    "duration": "request.duration_seconds, which is sent as seconds: every backend reads those",
    "size": "request.size or request.aspect_ratio",
    "aspect_ratio": "request.aspect_ratio",
    "input_reference": "request.image_list",
    "frame_images": "request.image_list",
    "input_references": "request.image_list",
}
"""The fields that are made of the request's keys."""


def build(config: RunConfig, request: VideoRequest, extra: Mapping[str, Any]) -> Body:  # Any: JSON values
    """Return the request for a new video; raises `ConfigError` if it cannot be made.

    A form's values stay text at the gateway, which not every backend reads: only an image that is a file is sent so.
    """
    given = video_fields(config)
    ratio = request.aspect_ratio if "size" not in given else None
    others = {"aspect_ratio": ratio} | {
        sound_field(config) if key == "generate_audio" else key: value for key, value in extra.items()
    }
    more = {name: value for name, value in others.items() if value is not None}
    images, backend = [*map(read, request.images)], backend_of(config)
    if lists_images(config):
        return Body("create", given | _lists(request, images), extra=more, path="/videos")
    if len(images) == 1 and isinstance(images[0], File) and (backend is None or backend.image == "file"):
        return Body("create", given, {"input_reference": (images[0],)}, more)
    return Body("create", given | ({"input_reference": images[0]} if images else {}), extra=more, path="/videos")


def _lists(request: VideoRequest, images: list[Reference]) -> dict[str, list[dict[str, Any]]]:  # Any: images, too
    frames, references = [], []
    for role, image in zip(request.image_roles, images, strict=True):
        part = {"type": "image_url", "image_url": {"url": image}}
        if role == "reference":
            references.append(part)
        else:
            frames.append({**part, "frame_type": role})
    return {name: parts for name, parts in (("frame_images", frames), ("input_references", references)) if parts}
