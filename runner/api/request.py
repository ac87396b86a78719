"""Describe what a program asks for: the API's own fields, further keys, and input images by address, path or bytes."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any, ClassVar, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, model_validator
from typing_extensions import TypedDict

from runner.artifacts.atomic import disk_errors
from runner.config.dialect import EXTENSIONS
from runner.config.problem import did_you_mean, fault_of
from runner.config.request import BaseRequest, ImageRequest, VideoRequest
from runner.config.shipped import names
from runner.errors import ConfigError
from runner.providers.reference import from_base64, media_type

from .media import MediaContent


def refuse_unknown(given: object, known: Iterable[str]) -> None:
    """Raise `ValueError` naming every keyword that no field has; a misspelt one would cost the full price."""
    if not isinstance(given, Mapping):
        return
    fields = list(known)
    unknown = [_unknown(str(name), fields) for name in given if name not in fields]
    if unknown:
        raise ValueError("; ".join(unknown))


def checked_model(name: str) -> str:
    """Return the name of a model that `conf/model/` describes; `ValueError` if there is none."""
    known = names("model")
    if name not in known:
        near = did_you_mean(name, known)
        raise ValueError(f"{name!r} is no model{f'; did you mean {near}?' if near else ''} ({', '.join(known)})")
    return name


def _unknown(name: str, known: Iterable[str]) -> str:
    near = did_you_mean(name, known)
    return f"{name!r} is no field{f'; did you mean {near!r}?' if near else ''}"


Role = Literal["reference", "first_frame", "last_frame", "asset", "style"]

Resolution = Literal["360p", "480p", "720p", "1080p", "4k"]
"""Resolutions by their usual names; which of them there are is the model's and the server's to say."""

AspectRatio = Literal["16:9", "9:16", "1:1", "4:3", "21:9", "16:10", "10:16"]
"""Usual aspect ratios; which of them there are is the model's to say."""

Source = str | Path | bytes | MediaContent
"""An image: a local path, a URL, a data URL, base64 text, or bytes."""


class ImageType(TypedDict, total=False):
    """Describe an image and what it is for; without a `type` it is a reference."""

    __pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[misc]  # how pydantic closes a TypedDict

    image: Source
    type: Role


_NOT_ASKED_FOR = frozenset({"kind", "prompt_file"})


class GenerationRequest(BaseModel):
    """Hold what video and image requests share; keys that only the command line's requests have are taken as well."""

    model_config = ConfigDict(frozen=True, extra="allow", hide_input_in_errors=True, arbitrary_types_allowed=True)

    target: ClassVar[type[BaseRequest]]
    sent_as: ClassVar[dict[str, str]]
    """What the API calls a field, where it is not called the same."""

    prompt: str
    negative_prompt: str | None = None
    size: str | None = None
    aspect_ratio: str | None = None
    image_list: Sequence[ImageType | Source] = Field(default_factory=list)
    seed: int | None = None
    extra_params: dict[str, Any] = Field(default_factory=dict)  # Any: what the server takes beyond the API

    @model_validator(mode="before")
    @classmethod
    def _known(cls, given: object) -> object:
        known = {*cls.model_fields, *cls.target.model_fields} - _NOT_ASKED_FOR
        refuse_unknown(given, known)
        if not isinstance(given, Mapping) or not isinstance(extra := given.get("extra_params"), Mapping):
            return given
        # What a server takes beyond OpenAI's API is called the same in a request, and may be passed on as it is.
        return _unpacked(given, extra, cls.sent_as, known - EXTENSIONS - {"extra_params"})

    @property
    def fields(self) -> dict[str, Any]:  # Any: one value per field
        """Return what was asked for beside the input files, by the names of the command line's requests."""
        asked = {
            name: getattr(self, name) for name in self.model_fields_set - {"image_list", "mask_image", "markup_image"}
        }
        return {**asked, **(self.__pydantic_extra__ or {})}


class VideoGenerationRequest(GenerationRequest):
    """Describe one video; `video` is the id of a finished one to start from (a response's `request_id`)."""

    target = VideoRequest
    sent_as = {"seconds": "duration_seconds", "input_reference": "image_list", "video_id": "video"}

    duration_seconds: int | None = None
    resolution: str | None = None
    generate_audio: bool | None = None
    video: str | None = None
    number_of_videos: int = 1
    enhance_prompt: bool | None = None


class ImageGenerationRequest(GenerationRequest):
    """Ask for images from one prompt; an `image_list` is edited, within `mask_image` or along `markup_image`."""

    target = ImageRequest
    sent_as = {"image": "image_list", "mask": "mask_image", "markup": "markup_image"}

    quality: str | None = None
    style: str | None = None
    n: int | None = None
    mask_image: Source | None = None
    markup_image: Source | None = None


def _unpacked(
    given: Mapping[str, Any], extra: Mapping[str, Any], sent_as: Mapping[str, str], fields: AbstractSet[str]
) -> dict[str, Any]:  # Any: not yet validated
    """Take extra parameters that are fields for these; raises `ValueError` where both say something else."""
    found, others = dict(given), {}
    for name, value in extra.items():
        field = sent_as.get(name, name)
        if field not in fields:
            others[name] = value
            continue
        if found.get(field) in (None, [], ()):
            one = field == "image_list" and not isinstance(value, list | tuple)
            found[field] = [value] if one else value
        elif value is not None and str(found[field]) != str(value):
            raise ValueError(f"extra_params[{name!r}] and {field} say different things; leave one of them out")
    return {**found, "extra_params": others}


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
