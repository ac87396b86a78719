"""What to generate, independent of who generates it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StringConstraints, field_validator

from .frozen import Frozen
from .sampling import VideoSampling

Size = Annotated[str, StringConstraints(pattern=r"^(auto|[1-9][0-9]{1,4}x[1-9][0-9]{1,4})$")]
"""WIDTHxHEIGHT in pixels, or `auto` where the model offers it."""


def _absolute(reference: str) -> str:
    return (
        reference
        if reference.startswith(("http://", "https://", "data:"))
        else str(Path(reference).expanduser().absolute())
    )


ReferenceImage = Annotated[str, AfterValidator(_absolute)]
"""A URL, a data URL, or a local path, which is made absolute so that the run can be repeated from anywhere."""


class BaseRequest(Frozen):
    """What videos and images share."""

    prompt: str
    prompt_file: Path | None = None
    negative_prompt: str | None = None
    size: Size | None = None
    aspect_ratio: str | None = None
    image_list: tuple[ReferenceImage, ...] = ()
    seed: int | None = Field(None, strict=True)
    extra_params: dict[str, Any] = Field(
        default_factory=dict
    )  # Any: what a server takes beyond the API is the user's to say

    @field_validator("aspect_ratio", mode="before")
    @classmethod
    def _sexagesimal(cls, value: object) -> object:
        """Explain the number that YAML 1.1 makes of an unquoted ratio."""
        if isinstance(value, int) and not isinstance(value, bool) and value >= 60:
            wide, high = divmod(value, 60)
            raise ValueError(
                f"is the number {value}: YAML reads an unquoted {wide}:{high:02d} in base 60. "
                f"Quote it in the file: aspect_ratio: '{wide}:{high}'"
            )
        return value


class VideoRequest(BaseRequest, VideoSampling):
    """One video: `seconds` and `size` of the API come from duration, size and aspect ratio."""

    kind: Literal["video"]
    duration_seconds: int | None = Field(None, strict=True, gt=0)
    resolution: str | None = None
    video: str | None = None
    generate_audio: bool | None = None
    number_of_videos: int = Field(1, strict=True, ge=1)
    enhance_prompt: bool | None = None
    thumbnail: bool = True


class ImageRequest(BaseRequest):
    """One to ten images from one prompt."""

    kind: Literal["image"]
    n: int = Field(1, strict=True, ge=1)
    quality: str | None = None
    style: Literal["vivid", "natural"] | None = None
    mask_image: ReferenceImage | None = None
    background: Literal["transparent", "opaque", "auto"] | None = None
    output_format: Literal["png", "webp", "jpeg"] | None = None
    output_compression: int | None = Field(None, strict=True, ge=0, le=100)
    moderation: Literal["low", "auto"] | None = None
    input_fidelity: Literal["low", "high"] | None = None


RequestConfig = Annotated[VideoRequest | ImageRequest, Field(discriminator="kind")]
