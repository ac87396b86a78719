"""Say what to generate, independent of who generates it; prompts may hold `{names}` that are filled."""

from __future__ import annotations

import itertools
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, field_validator, model_serializer

from runner.errors import ConfigError
from runner.text_file import MARK

from .dialect import ImageRole
from .frozen import Frozen
from .problem import did_you_mean

Size = Annotated[str, StringConstraints(pattern=r"^(auto|[1-9][0-9]{1,4}x[1-9][0-9]{1,4})$")]
"""WIDTHxHEIGHT in pixels, or `auto` where the model offers it."""


_BASE64_IMAGE = re.compile(r"(iVBORw0KGgo|/9j/|UklGR|R0lGOD)[\w+/=\s-]{200,}")
"""PNG, JPEG, WebP or GIF in base64, too long for a path that begins so."""


def _absolute(reference: str) -> str:
    text = reference.strip()
    if text[:8].lower().startswith(("http://", "https://", "data:")):
        return text
    if _BASE64_IMAGE.fullmatch(text):
        return f"data:;base64,{text}"
    expanded = os.path.expanduser(reference)  # noqa: PTH111 - Path.expanduser raises where there is no such user
    return str(Path(expanded).absolute())


ReferenceImage = Annotated[str, AfterValidator(_absolute)]
"""A URL, a data URL, or a local path, which is made absolute so that the run can be repeated from anywhere."""


VideoOperation = Literal["remix", "edit", "extend"]
"""What can be made of a finished video."""


class InputImage(Frozen):
    """Describe an image of a video; without a role the only one is its first frame, and several are references.

    Attributes:
        seconds: when it is seen, for a keyframe.
    """

    image: ReferenceImage
    role: ImageRole | None = None
    seconds: Annotated[float, Field(ge=0)] | None = None

    @model_serializer
    def _plainly(self) -> str | dict[str, str | float]:
        """Write an image without a role as its path or address alone."""
        if self.role is None:
            return self.image
        moment = {} if self.seconds is None else {"seconds": self.seconds}
        return {"role": self.role, "image": self.image, **moment}


def _image_of(entry: object) -> object:
    if isinstance(entry, str):
        return {"image": entry}
    if not isinstance(entry, Mapping):
        return entry
    role = entry.get("role")
    if not set(entry) <= {"role", "image", "seconds"} or "image" not in entry:
        raise ValueError("an image is a path, an address, or {role: first_frame, image: PATH}")
    if role is not None and role not in get_args(ImageRole):
        raise ValueError(f"an image cannot be {role!r} to a video. Possible: {', '.join(get_args(ImageRole))}")
    if (role == "keyframe") is (entry.get("seconds") is None):
        raise ValueError("a keyframe has its second: {role: keyframe, image: PATH, seconds: 2}; no other image has one")
    return entry


VideoImage = Annotated[InputImage, BeforeValidator(_image_of, json_schema_input_type=str | InputImage)]
"""An image of a video: its path or address alone, or with its role."""


_VIDEO_FILES = (".mp4", ".mov", ".webm", ".mkv", ".m4v", ".avi")


def _source(text: str) -> str:
    if text.lower().endswith(_VIDEO_FILES):
        raise ValueError("a file is not sent; it takes a finished video's job id, or the directory of its run")
    path = os.path.expanduser(text)  # noqa: PTH111 - isdir, unlike Path, answers for any text, also one that is an id
    return os.path.abspath(path) if os.path.isdir(path) else text  # noqa: PTH100, PTH112 - as above


SourceVideo = Annotated[str, StringConstraints(min_length=1), AfterValidator(_source)]
"""The id of a finished video, or the directory of the run that made it, which is made absolute."""


Prompt = Annotated[str, AfterValidator(lambda text: text.lstrip(MARK))]
"""A text without the byte order mark that it may have from a file."""


def _listed(value: object) -> object:
    """Take one image for a list of one."""
    return (value,) if isinstance(value, str | Mapping) and value else value


class BaseRequest(Frozen):
    """Describe what videos and images share."""

    prompt: Prompt
    prompt_file: Path | None = None
    negative_prompt: Prompt | None = None
    size: Size | None = None
    aspect_ratio: str | None = None
    resolution: str | None = None
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


Count = Annotated[int, Field(strict=True, ge=1)]
"""One or more."""

MOST_RUNS = 100_000
"""Of one sweep: ten times what was tried; more is a slip of the finger, and would fill the memory."""

Scale = Annotated[float, Field(ge=0, allow_inf_nan=False)]
"""Zero or more."""


class VideoSampling(Frozen):
    """Describe the knobs of a diffusion model that makes videos; null leaves each to the server."""

    fps: Count | None = None
    num_frames: Count | None = None
    num_inference_steps: Count | None = None
    guidance_scale: Scale | None = None
    guidance_scale_2: Scale | None = None
    true_cfg_scale: Scale | None = None
    flow_shift: Annotated[float, Field(allow_inf_nan=False)] | None = None
    boundary_ratio: Annotated[float, Field(ge=0, le=1)] | None = None
    lora: dict[str, Any] | None = None
    """Any: an adapter's name, path and scale, in the server's own words."""


class VideoRequest(BaseRequest, VideoSampling):
    """Describe one video: `seconds` and `size` of the API come from duration, size and aspect ratio."""

    kind: Literal["video"]
    image_list: Annotated[tuple[VideoImage, ...], BeforeValidator(_listed)] = ()
    duration_seconds: int | None = Field(None, strict=True, gt=0)
    video: SourceVideo | None = None
    operation: VideoOperation | None = None
    """What is made of `video`; null with a video: a remix."""
    image_fit: Literal["error", "crop", "pad"] = "error"
    generate_audio: bool | None = None
    number_of_videos: int = Field(1, strict=True, ge=1, le=MOST_RUNS)
    enhance_prompt: bool | None = None
    thumbnail: bool = True
    variants: tuple[Literal["thumbnail", "spritesheet"], ...] = ()

    @property
    def images(self) -> tuple[str, ...]:
        """Return the paths and addresses of its images."""
        return tuple(each.image for each in self.image_list)

    @property
    def image_roles(self) -> tuple[ImageRole, ...]:
        """Return what each image is to the video."""
        plain: ImageRole = "first_frame" if len(self.image_list) == 1 else "reference"
        return tuple(each.role or plain for each in self.image_list)

    def with_images(self, images: Iterable[str]) -> Self:
        """Return the same with other images in the same roles."""
        pairs = zip(self.image_list, images, strict=True)
        return self.model_copy(
            update={"image_list": tuple(each.model_copy(update={"image": image}) for each, image in pairs)}
        )

    @property
    def made_by(self) -> Literal["create", "remix", "edit", "extend"]:
        """Return the operation that makes the video."""
        return "create" if self.video is None else self.operation or "remix"


class ImageRequest(BaseRequest):
    """Describe one to ten images from one prompt."""

    kind: Literal["image"]
    image_list: Annotated[tuple[ReferenceImage, ...], BeforeValidator(_listed)] = ()
    n: int = Field(1, strict=True, ge=1)
    quality: str | None = None
    style: Literal["vivid", "natural"] | None = None
    mask_image: ReferenceImage | None = None
    markup_image: ReferenceImage | None = None
    background: Literal["transparent", "opaque", "auto"] | None = None
    output_format: Literal["png", "webp", "jpeg", "gif", "svg"] | None = None
    output_compression: int | None = Field(None, strict=True, ge=0, le=100)
    moderation: Literal["low", "auto"] | None = None
    input_fidelity: Literal["low", "high"] | None = None
    complexity: Literal["low", "medium", "high"] | None = None
    partial_images: int | None = Field(None, strict=True, ge=0, le=3)
    safety_identifier: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = None

    @property
    def images(self) -> tuple[str, ...]:
        """Return the paths and addresses of its images."""
        return self.image_list

    def with_images(self, images: Iterable[str]) -> Self:
        """Return the same with other images."""
        return self.model_copy(update={"image_list": tuple(images)})


RequestConfig = Annotated[VideoRequest | ImageRequest, Field(discriminator="kind")]


def lacks_prompt(request: BaseRequest, *, wanted: bool = False) -> bool:
    """Return whether it has no prompt and nobody makes it without: some hosts make a video of a first frame alone.

    `wanted`: whether there was to be one in any case.
    """
    if request.prompt.strip():
        return False
    return wanted or not isinstance(request, VideoRequest) or "first_frame" not in request.image_roles


_FEWEST_LINES, _LONGEST_LINE = 6, 160
"""Lines from which on a text may be a list of prompts, and the characters up to which a line is short."""

_NARROWEST_WRAP = 40
"""Characters that text is wrapped at, at least."""

_PART = re.compile(r"[-*•·#>|(\[{\"“']|\w[\w &/-]{0,30}:|\d+[.)]|\d+(?::\d\d)? ?[-–s]")
"""How a line begins that is a part of one prompt: a list's item, a named section, a numbered shot, a time, speech."""


def prompts_in(text: str) -> int:
    """Return how many prompts a text may hold, one in each short line; 1 where it reads as a single prompt.

    Paragraphs, lists, named sections and text that was wrapped at a width are a single prompt.
    """
    lines = [line.strip() for line in text.splitlines()]
    if len(lines) < _FEWEST_LINES or not all(0 < len(line) <= _LONGEST_LINE for line in lines):
        return 1
    parts = sum(_PART.match(line) is not None for line in lines)
    return 1 if 2 * parts > len(lines) or _wrapped(lines) else len(lines)


def _wrapped(lines: list[str]) -> bool:
    """Return whether most lines end where the next one's first word would not have fitted."""
    width = max(map(len, lines))
    (_, alike), *_ = Counter(line.split()[0] for line in lines).most_common(1)
    if width < _NARROWEST_WRAP or 2 * alike > len(lines):
        return False  # prompts after one pattern have much the same length, too
    full = [len(line) + 1 + len(after.split()[0]) > width for line, after in itertools.pairwise(lines)]
    return 2 * sum(full) > len(full)


_PLACEHOLDER = re.compile(r"\$\{[^{}]*\}|\{\{|\}\}|(?<!\$)\{([A-Za-z_][\w.-]*)\}")
"""What means something in a text: an interpolation, which stays as it is, a doubled brace, or a placeholder."""


def placeholders(text: str) -> list[str]:
    """Return the names that a text asks for, each once, in their order."""
    return [*dict.fromkeys(found[1] for found in _PLACEHOLDER.finditer(text) if found[1])]


def fill(text: str, names: Mapping[str, object]) -> str:
    """Return the text with its placeholders replaced; dots in a name look into nested mappings.

    A text without a placeholder stays as it is, doubled braces too. A `}}` is one brace only where a `{{` is open
    before it, so that JSON in a prompt keeps its braces. Raises `ConfigError` for names that are missing or hold no
    single value.
    """
    if not placeholders(text):
        return text
    whole = _PLACEHOLDER.fullmatch(text)
    if whole and whole[1]:
        return _value(whole[1], names)  # no copy of it, as of a table's ten thousand prompts
    opened = 0

    def replaced(found: re.Match[str]) -> str:
        nonlocal opened
        if found[1]:
            return _value(found[1], names)
        if found[0] == "{{":
            opened += 1
            return "{"
        if found[0] == "}}" and opened:
            opened -= 1
            return "}"
        return found[0]

    return _PLACEHOLDER.sub(replaced, text)


def look_up(names: Mapping[str, object], name: str) -> object | None:
    """Return the value of a name, whose dots look into nested mappings; None if there is none."""
    if name in names:
        return names[name]
    for place in (at for at, letter in enumerate(name) if letter == "."):
        inner = names.get(name[:place])
        if isinstance(inner, Mapping) and (found := look_up(inner, name[place + 1 :])) is not None:
            return found
    return None


def as_text(value: object) -> str:
    """Return a single value as text: numbers and truth values as YAML writes them, `true` and `1.0e+20`."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        text = repr(value)
        return text if "." in text else text.replace("e", ".0e", 1)
    return str(value)


def _value(name: str, names: Mapping[str, object]) -> str:
    value = look_up(names, name)
    if isinstance(value, Mapping | list | tuple | set):
        inner = [f"{{{name}.{key}}}" for key in value] if isinstance(value, Mapping) else []
        hint = f"one of its values: {', '.join(inner[:3])}" if inner else "give it one value"
        kind = "a mapping" if isinstance(value, Mapping) else "a list"
        raise ConfigError(f"{{{name}}} is {kind}, and a text takes single values", hint=hint)
    if value is not None:
        return as_text(value)
    known = [*_names(names)]
    if name in known:
        raise ConfigError(f"{{{name}}} has no value", hint=f"give {name} one, or type {{{{ for a brace that is text")
    near = did_you_mean(name, known)
    meant = f"did you mean {{{near}}}? " if near else f"known: {', '.join(known[:5])}; " if known else ""
    raise ConfigError(f"{{{name}}} stands for nothing that is known", hint=f"{meant}{{{{ is a brace that is text")


def _names(names: Mapping[str, object], before: str = "") -> Iterator[str]:
    """Yield what a placeholder may name."""
    for name, value in names.items():
        if isinstance(value, Mapping):
            yield from _names(value, f"{before}{name}.")
        else:
            yield f"{before}{name}"
