"""Prepare input images for the engine: addresses and paths stay as they are, bytes become files."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import cast

from runner.artifacts.atomic import disk_errors
from runner.config.plain_data import fault_of
from runner.errors import ConfigError
from runner.providers.reference import from_base64, media_type

from .media import MediaContent
from .request import GenerationRequest, ImageGenerationRequest, ImageType, Source

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")

_ROLES = {
    "video": frozenset({"reference", "first_frame", "last_frame"}),
    "image": frozenset({"reference", "asset", "style"}),
}


def references(request: GenerationRequest, directory: Path) -> dict[str, object]:
    """Return `image_list`, `mask_image` and `markup_image` as paths and addresses; writes bytes to `directory`."""
    kind = "image" if isinstance(request, ImageGenerationRequest) else "video"
    images = [
        _in_role(image, _placed(_source(image, n, _ROLES[kind]), directory / f"image-{n}"), kind)
        for n, image in enumerate(request.image_list)
    ]
    given: dict[str, object] = {"image_list": images} if images else {}
    if isinstance(request, ImageGenerationRequest):
        masks = {"mask": request.mask_image, "markup": request.markup_image}
        present = {name: image for name, image in masks.items() if image is not None}
        given |= {f"{name}_image": _placed(image, directory / name) for name, image in present.items()}
    return given


def _in_role(image: ImageType | Source, placed: str, kind: str) -> str | dict[str, str]:
    """Return an image of a video with the role that its program gives it; one alone begins the video anyway."""
    role = image.get("type") if isinstance(image, dict) and "content" not in image else None
    return {"role": str(role), "image": placed} if kind == "video" and role is not None else placed


def _source(image: ImageType | Source, number: int, possible: frozenset[str]) -> Source:
    if not isinstance(image, dict):
        return image
    if "content" in image:
        return cast("MediaContent", image)
    if "image" not in image:
        raise ConfigError(f"image_list[{number}]: has no image", hint='{"image": "photo.png", "type": "reference"}')
    role = image.get("type", "reference")
    if role not in possible:
        raise ConfigError(f"image_list[{number}]: an image cannot be used as {role!r} here",
                          hint=f"possible: {', '.join(sorted(possible))}")  # fmt: skip
    return image["image"]


def _placed(source: Source, stem: Path) -> str:
    match source:
        case bytes():
            return _written(source, stem)
        case dict():
            return _written(source["content"], stem)
        case Path():
            return str(source)
    if fault := fault_of(source):
        raise ConfigError(f"{stem.name} {fault}")
    content = None if "://" in source[:8] or source.startswith("data:") else _base64(source)
    return source if content is None else _written(content, stem)


def _base64(text: str) -> bytes | None:
    """Return the image that `text` spells, if it is no path."""
    if _SCHEME.match(text[:8]):
        return None
    path = os.path.expanduser(text)  # noqa: PTH111 - unlike Path, os.path raises for no text
    if len(text) < 1000 and os.path.exists(path):  # noqa: PTH110 - as above
        return None
    try:
        content = from_base64(text)
    except ValueError:
        return None
    return content if media_type(content) else None


def _written(content: bytes, stem: Path) -> str:
    kind = media_type(content)
    if kind is None:
        raise ConfigError(f"{stem.name}: the bytes given are no PNG, JPEG or WebP image", hint="convert it first")
    path = stem.with_suffix(f".{kind.removeprefix('image/')}")
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return str(path)
