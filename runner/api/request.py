"""Describe what a program asks for: the API's own fields, and every further key of the command line's requests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from typing_extensions import TypedDict

from runner.config.dialect import EXTENSIONS
from runner.config.problem import did_you_mean
from runner.config.request import BaseRequest, ImageRequest, VideoRequest
from runner.config.shipped import names

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
