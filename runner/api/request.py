"""What a program asks for: the API's own fields, and every further key of the command line's requests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from typing_extensions import TypedDict

from runner.config.request import BaseRequest, ImageRequest, VideoRequest

from .names import refuse_unknown

Role = Literal["reference", "first_frame", "last_frame", "asset", "style"]


class MediaContent(TypedDict):
    """Bytes with their content type."""

    __pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[misc]  # how pydantic closes a TypedDict

    content: bytes
    content_type: str


Source = str | Path | bytes | MediaContent
"""An image: a local path, a URL, a data URL, base64 text, or bytes."""


class ImageType(TypedDict, total=False):
    """An image and what it is for; without a `type` it is a reference."""

    __pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[misc]  # as above

    image: Source
    type: Role


_NOT_ASKED_FOR = frozenset({"kind", "prompt_file"})


class GenerationRequest(BaseModel):
    """What video and image requests share; keys that only the command line's requests have are taken as well."""

    model_config = ConfigDict(frozen=True, extra="allow", hide_input_in_errors=True, arbitrary_types_allowed=True)

    target: ClassVar[type[BaseRequest]]

    prompt: str
    negative_prompt: str | None = None
    size: str | None = None
    aspect_ratio: str | None = None
    image_list: Sequence[ImageType | Source] = ()
    seed: int | None = None
    extra_params: dict[str, Any] = Field(default_factory=dict)  # Any: what the server takes beyond the API

    @model_validator(mode="before")
    @classmethod
    def _known(cls, given: object) -> object:
        refuse_unknown(given, {*cls.model_fields, *cls.target.model_fields} - _NOT_ASKED_FOR)
        return given

    @property
    def fields(self) -> dict[str, Any]:  # Any: one value per field
        """What was asked for beside the input files, by the names of the command line's requests."""
        asked = {
            name: getattr(self, name) for name in self.model_fields_set - {"image_list", "mask_image", "markup_image"}
        }
        return {**asked, **(self.__pydantic_extra__ or {})}


class VideoGenerationRequest(GenerationRequest):
    """One video; `video` is the id of a finished one to start from (a response's `request_id`)."""

    target = VideoRequest

    duration_seconds: int | None = None
    resolution: str | None = None
    generate_audio: bool | None = None
    video: str | None = None
    number_of_videos: int = 1
    enhance_prompt: bool | None = None

    @model_validator(mode="before")
    @classmethod
    def _remix(cls, given: object) -> object:
        """Take a `video_id` among the extra parameters for what it is elsewhere."""
        extra = given.get("extra_params") if isinstance(given, dict) else None
        if isinstance(given, dict) and isinstance(extra, dict) and "video_id" in extra and not given.get("video"):
            others = {name: value for name, value in extra.items() if name != "video_id"}
            return {**given, "video": extra["video_id"], "extra_params": others}
        return given


class ImageGenerationRequest(GenerationRequest):
    """Images from one prompt; with an `image_list` they are edited, within `mask_image` or along `markup_image`."""

    target = ImageRequest

    quality: str | None = None
    style: str | None = None
    n: int | None = None
    mask_image: Source | None = None
    markup_image: Source | None = None
