"""A run's config as the API's request: fields, files and what a server takes beyond the API."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from runner.config import ImageRequest, Problem, RunConfig, VideoRequest, dialect_of
from runner.config.capability import sent_size
from runner.config.dialect import EXTENSIONS
from runner.errors import ConfigError

from . import reference
from .reference import Address, File

Operation = Literal["create", "remix", "generate", "edit"]

_VIDEO_KEYS = {
    "prompt": "request.prompt",
    "model": "model.name or model.deployment",
    "seconds": "request.duration_seconds",
    "size": "request.size or request.aspect_ratio",
    "input_reference": "request.image_list",
}
_IMAGE_KEYS = {
    "prompt": "request.prompt",
    "model": "model.name or model.deployment",
    "n": "request.n",
    "size": "request.size or request.aspect_ratio",
    "quality": "request.quality",
    "style": "request.style",
    "background": "request.background",
    "output_format": "request.output_format",
    "output_compression": "request.output_compression",
    "moderation": "request.moderation",
    "input_fidelity": "request.input_fidelity",
    "image": "request.image_list",
    "mask": "request.mask_image",
    "response_format": "the runner, which reads base64 and addresses alike",
    "stream": "the runner, which waits for the finished image",
}
# Keys without a field in OpenAI's API, sent where the model honours them and the server has a field for them.
_VIDEO_EXTRAS = tuple(sorted(EXTENSIONS))
_IMAGE_EXTRAS = ("negative_prompt", "seed")
# A check needs no more of a file than tells its type.
_HEAD = 16


@dataclass(frozen=True, slots=True)
class Body:
    """One request to the API.

    Attributes:
        operation: which of the API's operations it is.
        fields: what the SDK has a parameter for.
        files: images to upload, by field.
        extra: what goes beside them, untyped.
        json: whether it must be JSON where the SDK would send a form.
        target: the job that it starts from, as in a remix.
    """

    operation: Operation
    fields: dict[str, Any]  # Any: JSON values
    files: dict[str, tuple[File, ...]] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)  # Any: JSON values
    json: bool = False
    target: str | None = None

    @property
    def record(self) -> dict[str, Any]:  # Any: JSON values
        """The request as JSON, with each file as its name, size and hash."""
        files = {name: [file.record for file in group] for name, group in self.files.items()}
        named = {name: group if len(group) > 1 else group[0] for name, group in files.items()}
        target = {} if self.target is None else {"video": self.target}
        return {"operation": self.operation, **target, **self.fields, **named, **self.extra}


def build(config: RunConfig, model: str) -> Body:
    """The request that a run makes, with `model` as its model; raises `ConfigError` if it cannot be made."""
    request = config.request
    return _video(config, request, model) if isinstance(request, VideoRequest) else _image(config, request, model)


def check_body(config: RunConfig) -> list[Problem]:
    """What keeps a run's request from being made as it was asked for."""
    return [*_overrides(config.request), *_misfits(config), *_images(config.request)]


def _video(config: RunConfig, request: VideoRequest, model: str) -> Body:
    extra = {**_honoured(config, _VIDEO_EXTRAS), **_extra(config)}
    if request.video is not None:
        return Body("remix", {"prompt": request.prompt}, extra=extra, target=request.video)
    seconds = None if request.duration_seconds is None else str(request.duration_seconds)
    fields = {"prompt": request.prompt, "model": model, "seconds": seconds, "size": sent_size(request, config.model)}
    given = {name: value for name, value in fields.items() if value is not None}
    match [reference.read(image) for image in request.image_list]:
        case []:
            return Body("create", given, extra=extra)
        case [File() as file]:
            return Body("create", given, {"input_reference": (file,)}, extra)
        case [Address(url)]:
            # The API reads an address from JSON only as an object; a form's bracketed fields are not read everywhere.
            return Body("create", given, extra={**extra, "input_reference": {"image_url": url}}, json=True)
        case several:
            raise ConfigError(f"a video takes 1 reference image, got {len(several)}", hint="request.image_list=[ONE]")


def _image(config: RunConfig, request: ImageRequest, model: str) -> Body:
    fields = {
        "prompt": request.prompt,
        "model": model,
        "n": request.n,
        "size": sent_size(request, config.model),
        "quality": request.quality,
        "background": request.background,
        "output_format": request.output_format,
        "output_compression": request.output_compression,
        # GPT image models always answer base64 and refuse to be told so; DALL·E would answer an address that expires.
        "response_format": "b64_json" if config.model.name.startswith("dall-e") else None,
    }
    editing = bool(request.image_list)
    optional = {"moderation": request.moderation, "style": request.style}
    fields |= {"input_fidelity": request.input_fidelity} if editing else optional
    given = {name: value for name, value in fields.items() if value is not None}
    extra = {**_honoured(config, _IMAGE_EXTRAS), **_extra(config)}
    if not editing:
        return Body("generate", given, extra=extra)
    # The API's edit has these too; the SDK's has no parameter for them.
    extra = {**{name: value for name, value in optional.items() if value is not None}, **extra}
    files = {"image": tuple(_local(image) for image in request.image_list)}
    if request.mask_image is not None:
        files["mask"] = (_local(request.mask_image),)
    return Body("edit", given, files, extra)


def _honoured(config: RunConfig, names: tuple[str, ...]) -> dict[str, Any]:  # Any: JSON values
    everything = config.model.validation == "off"
    honoured = config.model.parameters & dialect_of(config.provider).extensions
    values = {name: getattr(config.request, name) for name in names if everything or name in honoured}
    return {name: value for name, value in values.items() if value is not None}


def _extra(config: RunConfig) -> Mapping[str, Any]:  # Any: JSON values
    problems = [*_overrides(config.request), *_misfits(config)]
    if problems:
        raise ConfigError(str(problems[0]))
    return config.request.extra_params


def _overrides(request: VideoRequest | ImageRequest) -> Iterator[Problem]:
    mapped = _VIDEO_KEYS if isinstance(request, VideoRequest) else _IMAGE_KEYS
    for name in request.extra_params:
        if name in mapped:
            yield Problem(f"request.extra_params.{name}", f"would override what is set by {mapped[name]}",
                          "extra_params are for what the API itself does not know")  # fmt: skip
        elif name != "extra_params" and getattr(request, name, None) is not None:
            yield Problem(f"request.extra_params.{name}", f"is given twice: request.{name} is set too")


def _misfits(config: RunConfig) -> Iterator[Problem]:
    """Keys that the operation has no place for, and that would otherwise be left out in silence."""
    request = config.request
    if isinstance(request, VideoRequest):
        if request.video is not None and request.image_list:
            yield Problem("request.image_list", "has no place in a remix, which takes a video and a prompt",
                          "request.image_list=[]")  # fmt: skip
    elif not request.image_list:
        # With validation on, the model's own check speaks of the mask.
        for name in ("mask_image", "input_fidelity") if config.model.validation == "off" else ("input_fidelity",):
            if getattr(request, name) is not None:
                yield Problem(f"request.{name}", "is for editing, and there is no image to edit",
                              "request.image_list=[PATH]")  # fmt: skip


def _images(request: VideoRequest | ImageRequest) -> Iterator[Problem]:
    editing = isinstance(request, ImageRequest)
    given = {f"request.image_list.{index}": image for index, image in enumerate(request.image_list)}
    if isinstance(request, ImageRequest) and request.mask_image is not None:
        given["request.mask_image"] = request.mask_image
    for key, image in given.items():
        try:
            _local(image, _HEAD) if editing else reference.read(image, _HEAD)
        except ConfigError as error:
            yield Problem(key, error.message, error.hint)


def _local(image: str, size: int = -1) -> File:
    found = reference.read(image, size)
    if isinstance(found, Address):
        raise ConfigError("an edit uploads its images, and an address is none", hint="download it and give its path")
    return found
