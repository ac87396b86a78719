"""Make the request of a run as the dialect of its server reads it: fields, input images that fit, extensions."""

from __future__ import annotations

import json
from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol, Self

from runner.artifacts.picture import Look
from runner.config.capability import IMAGE_FIELDS
from runner.config.dialect import EXTENSIONS, Dialect
from runner.config.model import VideoModel
from runner.config.problem import Problem
from runner.config.provider import dialect_of
from runner.config.request import ImageRequest, VideoRequest
from runner.config.run import RunConfig, sent_size, video_fields
from runner.errors import ConfigError

from . import reference
from .endpoint import is_loopback, split
from .reference import Address, File, Reference, source_id

MASKS = {"mask": "mask_image", "markup": "markup_image"}
"""The API's fields for what is laid over the first image, and the request's keys."""

# What tells a file's type; its pixels are looked at apart.
_HEAD = 16


def given_images(request: VideoRequest | ImageRequest) -> dict[str, str]:
    """Return the request's images by their keys below `request`."""
    listed = {f"image_list.{index}": image for index, image in enumerate(_images(request))}
    masks = {key: getattr(request, key, None) for key in MASKS.values()}
    return listed | {key: image for key, image in masks.items() if image is not None}


def _images(request: VideoRequest | ImageRequest) -> tuple[str, ...]:
    return request.images if request.image_list else ()


def fetched_here(config: RunConfig) -> bool:
    """Return whether an image at an address is downloaded by us: an edit uploads it, and not every server fetches.

    A server that fetches it itself may have its own ways to be sure of it.
    """
    request = config.request
    return isinstance(request, ImageRequest) or request.image_fit != "error" or not dialect_of(config.provider).fetches


def check_images(config: RunConfig) -> list[Problem]:
    """Return what keeps images from being sent: unreadable, unencrypted, or a mask that does not fit."""
    request, given = config.request, given_images(config.request)
    errors = {key: _unreadable(config, image) for key, image in given.items()}
    found = [Problem(f"request.{key}", error.message, error.hint) for key, error in errors.items() if error is not None]
    if found or config.model.validation == "off":
        return found
    images = [reference.look_at(image) for image in _images(request)[:1]]
    masks = {key: reference.look_at(given[key]) for key in MASKS.values() if key in given}
    # What lies at an address is known only once it is here.
    wrong = {key: misfit(mask, next(iter(images), None)) for key, mask in masks.items() if mask is not None}
    misfits = [Problem(f"request.{key}", message) for key, message in wrong.items() if message is not None]
    return misfits if config.model.validation == "strict" else [problem.as_warning() for problem in misfits]


def _unreadable(config: RunConfig, image: str) -> ConfigError | None:
    """Return why an image cannot be sent: it is not there or none or, if it is decoded, cut, damaged or too large."""
    try:
        found = reference.read(image, _HEAD)
        if isinstance(found, File) and config.model.validation != "off":
            reference.look_at(image)
        elif isinstance(found, Address) and fetched_here(config):
            _check_address(found.url)
    except ConfigError as error:
        return error
    return None


def _check_address(url: str) -> None:
    try:
        parts = split(url)
    except ValueError as error:
        raise ConfigError(f"the address {error}") from None
    if parts.scheme != "https" and not is_loopback(parts.hostname):
        raise ConfigError(f"would be downloaded unencrypted from {parts.hostname}", hint="https://, or a local path")


def misfit(mask: Look, image: Look | None) -> str | None:
    """Return what is wrong with a mask for `image` (None: not known yet); both as they are upright."""
    if mask.format != "PNG":
        return f"must be a PNG, and is {mask.format}"
    if not mask.transparent:
        return "has no transparent parts: its alpha channel says what to change"
    if image is None or mask.size == image.size:
        return None
    (width, height), turned = image.size, ", upright" if image.turned else ""
    sizes = f"it is {mask.size[0]}x{mask.size[1]}, the image {width}x{height}{turned}"
    return f"must be as large as the first image: {sizes}"


def frame_size(config: RunConfig) -> tuple[int, int] | None:
    """Return width and height that an input image is to have; None where the server takes any."""
    request, model = config.request, config.model
    if not isinstance(request, VideoRequest) or not isinstance(model, VideoModel):
        return None
    # A model with listed sizes demands the very one; the others, and hosts, scale what they get by themselves.
    if (not model.sizes or dialect_of(config.provider).hosted) and request.image_fit == "error":
        return None
    size = sent_size(request, model) or (model.default_size if model.sizes else None)
    if size is None or "x" not in size:
        return None
    width, height = map(int, size.split("x"))
    return width, height


def check_fit(config: RunConfig) -> Iterator[Problem]:
    """Yield the images at hand that have another size than the video; `model.validation` decides how grave it is."""
    request = config.request
    if not isinstance(request, VideoRequest) or request.video is not None or not request.image_list:
        return
    size = frame_size(config)
    if request.image_fit != "error":
        if size is None:
            yield Problem("request.image_fit", f"{request.image_fit} needs to know the video's size",
                          "request.size=WIDTHxHEIGHT")  # fmt: skip
        return
    if size is None or config.model.validation == "off":
        return
    for index, image in enumerate(_images(request)):
        with suppress(ConfigError):  # reported where the image is read
            given = reference.look_at(image)
            if given is not None and given.size != size:
                turned = " (upright, as its EXIF note turns it)" if given.turned else ""
                message = f"is {given.size[0]}x{given.size[1]}{turned}, and the video is to be {size[0]}x{size[1]}"
                problem = Problem(f"request.image_list.{index}", f"{message}: the API wants the same size",
                                  "request.image_fit=crop or pad, or the request.size of the image")  # fmt: skip
                yield problem.as_warning() if config.model.validation == "warn" else problem


Operation = Literal["create", "remix", "edit_video", "extend", "generate", "edit"]

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
    "image": "request.image_list",
    "partial_images": "request.partial_images",
    "response_format": "the runner, which reads base64 and addresses alike",
    **{field: f"request.{key}" for key, field in IMAGE_FIELDS.items()},
}
# Keys without a field in OpenAI's API, sent where the model honours them and the server has a field for them.
_VIDEO_EXTRAS = tuple(sorted(EXTENSIONS))
_IMAGE_EXTRAS = ("negative_prompt", "seed")


@dataclass(frozen=True, slots=True)
class Body:
    """Describe one request to the API.

    Attributes:
        operation: which of the API's operations it is.
        fields: what the SDK has a parameter for.
        files: images to upload, by field.
        extra: what goes beside them, untyped.
        json: whether it must be JSON where the SDK would send a form.
        target: the job that it starts from, as in a remix; a host that takes the video's address gets that in JSON.
        path: where it is posted as JSON, past the SDK's own methods; its fields may hold images then, at any depth.
    """

    operation: Operation
    fields: dict[str, Any]  # Any: JSON values
    files: dict[str, tuple[Reference, ...]] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)  # Any: JSON values
    json: bool = False
    target: str | None = None
    path: str | None = None

    @classmethod
    def of_json(
        cls,
        operation: Operation,
        path: str,
        fields: Mapping[str, Any],
        extra: Mapping[str, Any],
        target: str | None = None,
    ) -> Self:  # Any: JSON values
        """Return a request that is posted as JSON to `path`, without fields that hold nothing."""
        given = {name: value for name, value in fields.items() if value not in (None, [], {})}
        return cls(operation, given, extra=dict(extra), target=target, path=path)

    @property
    def document(self) -> dict[str, Any]:  # Any: JSON values
        """Return the JSON that is posted to `path`, with each image as a data URL or its address."""
        document: dict[str, Any] = _written({**self.fields, **self.extra}, lambda image: image.url)  # Any: as above
        return document

    @property
    def record(self) -> dict[str, Any]:  # Any: JSON values
        """Return the request as JSON, with each file as its name, size and hash."""
        target = {} if self.target is None else {"video": self.target}
        if self.path is not None:
            fields = _written(self.fields, lambda image: image.record if isinstance(image, File) else image.url)
            return {"operation": self.operation, **fields, **target, **self.extra}
        files = {name: [file.record for file in group] for name, group in self.files.items()}
        named = {name: group if len(group) > 1 else group[0] for name, group in files.items()}
        return {"operation": self.operation, **target, **self.fields, **named, **self.extra}


def _written(value: Any, write: Callable[[Reference], object]) -> Any:  # Any: JSON values
    """Return the same with each image in it as `write` gives it."""
    if isinstance(value, File | Address):
        return write(value)
    if isinstance(value, dict):
        return {key: _written(each, write) for key, each in value.items()}
    return [_written(each, write) for each in value] if isinstance(value, list) else value


class _HostBody(Protocol):
    """Describe the module that makes a host's requests."""

    KEYS: Mapping[str, str]

    def build(self, config: RunConfig, extra: Mapping[str, Any]) -> Body: ...  # Any: JSON values


def _host(dialect: Dialect) -> _HostBody | None:
    """Return what makes requests in a host's own JSON; most requests go to no host."""
    match dialect.protocol:
        case "openrouter":
            from . import openrouter

            return openrouter
        case "xai":
            from . import xai

            return xai
        case "together":
            from . import together

            return together
        case "openai":
            return None


def _by_gateway(request: VideoRequest | ImageRequest, dialect: Dialect) -> bool:
    """Return whether it asks a gateway, which has fields of its own, for a new video."""
    return dialect.lists_by_backend and isinstance(request, VideoRequest) and request.made_by == "create"


def build(config: RunConfig) -> Body:
    """Return the request that a run makes; raises `ConfigError` if it cannot be made."""
    return _built(config, dialect_of(config.provider))


def _built(config: RunConfig, dialect: Dialect) -> Body:
    request, host, extra = config.request, _host(dialect), _extra(config, dialect)
    if host is not None:
        return host.build(config, extra)
    if isinstance(request, ImageRequest):
        return _image(config, request, {**_honoured(config, dialect, _IMAGE_EXTRAS), **extra})
    extra = {**_honoured(config, dialect, _VIDEO_EXTRAS), **extra}
    if _by_gateway(request, dialect):
        from . import litellm

        return litellm.build(config, request, extra)
    return _video(config, request, dialect, extra)


def check_body(config: RunConfig) -> list[Problem]:
    """Return what keeps a run's request from being made as it was asked for."""
    dialect = dialect_of(config.provider)
    found = [*_overrides(config, dialect), *_misfits(config, dialect), *check_images(config)]
    return [*found, *check_fit(config), *_source(config)]


def _video(
    config: RunConfig, request: VideoRequest, dialect: Dialect, extra: dict[str, Any]
) -> Body:  # Any: JSON values
    if request.video is not None:
        return _derived(config, request, extra, request.video)
    given = video_fields(config)
    if request.image_list and (others := {*request.image_roles} - dialect.image_roles):
        # Whatever else is let through: it would become the first frame.
        raise ConfigError(f"request.image_list: this server has no field for a {min(others)}")
    match [reference.read(image) for image in _images(request)]:
        case []:
            return Body("create", given, extra=extra)
        case [File() as file]:
            return Body("create", given, {"input_reference": (file,)}, extra)
        case [Address(url)]:
            # The API reads an address from JSON only as an object; a form's bracketed fields are not read everywhere.
            return Body("create", given, extra={**extra, "input_reference": {"image_url": url}}, json=True)
        case several:
            raise ConfigError(f"a video takes 1 reference image, got {len(several)}", hint="request.image_list=[ONE]")


def _derived(config: RunConfig, request: VideoRequest, extra: Mapping[str, Any], video: str) -> Body:  # Any: as above
    """Return a request that starts from a finished video, as JSON: the SDK's forms carry no reference to a job."""
    operation: Operation = "remix"
    fields = {"prompt": request.prompt}
    if request.made_by == "edit":
        operation = "edit_video"
    elif request.made_by == "extend":
        operation, fields["seconds"] = "extend", str(request.duration_seconds)
    return Body(operation, fields, extra=dict(extra), json=True, target=source_id(config, video))


def _image(config: RunConfig, request: ImageRequest, extra: dict[str, Any]) -> Body:  # Any: JSON values
    fields = {
        "prompt": request.prompt,
        "model": config.sent_model,
        "n": request.n,
        "size": sent_size(request, config.model),
        "quality": request.quality,
        "background": request.background,
        "output_format": request.output_format,
        "output_compression": request.output_compression,
        "complexity": request.complexity,
        "safety_identifier": request.safety_identifier,
        "partial_images": request.partial_images,
        "stream": None if request.partial_images is None else True,
        # GPT image models always answer base64 and refuse to be told so; DALL·E would answer an address that expires.
        "response_format": "b64_json" if config.model.name.startswith("dall-e") else None,
    }
    editing = bool(request.image_list)
    optional = {"moderation": request.moderation, "style": request.style}
    fields |= {"input_fidelity": request.input_fidelity} if editing else optional
    given = {name: value for name, value in fields.items() if value is not None}
    if not editing:
        return Body("generate", given, extra=extra)
    # The API's edit has these too; the SDK's has no parameter for them.
    extra = {**{name: value for name, value in optional.items() if value is not None}, **extra}
    masks = {field: getattr(request, key) for field, key in MASKS.items()}
    files = {"image": tuple(map(reference.read, request.image_list))}
    files |= {field: (reference.read(image),) for field, image in masks.items() if image is not None}
    return Body("edit", given, files, extra)


def _honoured(config: RunConfig, dialect: Dialect, names: tuple[str, ...]) -> dict[str, Any]:  # Any: JSON values
    everything = config.model.validation == "off"
    honoured = config.model.parameters & dialect.extensions
    values = {name: getattr(config.request, name) for name in names if everything or name in honoured}
    return {name: value for name, value in values.items() if value is not None}


def _extra(config: RunConfig, dialect: Dialect) -> Mapping[str, Any]:  # Any: JSON values
    problems = [*_overrides(config, dialect), *_misfits(config, dialect)]
    if problems:
        raise ConfigError(str(problems[0]))
    return config.request.extra_params


def _overrides(config: RunConfig, dialect: Dialect) -> Iterator[Problem]:
    request = config.request
    host = _host(dialect)
    own = _VIDEO_KEYS if isinstance(request, VideoRequest) else _IMAGE_KEYS
    mapped: Mapping[str, str] = own if host is None else host.KEYS
    if _by_gateway(request, dialect):
        from . import litellm

        mapped = litellm.KEYS
    for name in request.extra_params:
        if name in mapped:
            yield Problem(f"request.extra_params.{name}", f"would override what is set by {mapped[name]}",
                          "extra_params are for what the API itself does not know")  # fmt: skip
        elif name != "extra_params" and getattr(request, name, None) is not None:
            yield Problem(f"request.extra_params.{name}", f"is given twice: request.{name} is set too")


def _misfits(config: RunConfig, dialect: Dialect) -> Iterator[Problem]:
    """Yield keys that the operation has no place for, and that would otherwise be left out silently."""
    request = config.request
    if isinstance(request, VideoRequest):
        if request.video is not None or request.operation is not None:
            from runner.config.restrictions import check_source  # most videos are made from nothing

            yield from check_source(request, dialect)
        if request.number_of_videos > 1:
            yield Problem("request.number_of_videos", "one request makes one video; a sweep makes several of it, this "
                          "run cannot", "request.number_of_videos=1, and replica=0,1,2 in a sweep")  # fmt: skip
    elif not request.image_list:
        # With validation on, the model's own check speaks of masks and markup.
        masks = ("mask_image", "markup_image") if config.model.validation == "off" else ()
        for name in (*masks, "input_fidelity"):
            if getattr(request, name) is not None:
                yield Problem(f"request.{name}", "is for editing, and there is no image to edit",
                              "request.image_list=[PATH]")  # fmt: skip


def _source(config: RunConfig) -> Iterator[Problem]:
    if isinstance(config.request, VideoRequest) and config.request.video is not None:
        try:
            source_id(config, config.request.video)
        except ConfigError as error:
            yield Problem("request.video", error.message, error.hint)


_IMAGES = frozenset({"generate", "edit"})


def build_for(dialect: Dialect, config: RunConfig) -> Body:
    """Return the request that a run makes, said so that a server of this dialect reads all of it."""
    return _in_dialect(_built(config, dialect), dialect)


def _in_dialect(body: Body, dialect: Dialect) -> Body:
    if body.path is not None:
        return body
    extra = {dialect.name(key): value for key, value in body.extra.items()}
    if body.fields.get("size") == "auto" and not dialect.takes_auto:
        body = replace(body, fields={key: value for key, value in body.fields.items() if key != "size"})
    if body.operation in _IMAGES:
        if dialect.asks_base64:
            extra.setdefault("response_format", "b64_json")
        if dialect.packs_images and body.operation == "generate":
            extra = _packed(extra, dialect.image_fields, dialect.pack)
        return replace(body, extra=_text(extra) if dialect.nested_as_text and body.operation == "edit" else extra)
    json_body = body.json
    if body.json and body.target is None and dialect.image_address is not None:
        url = extra.pop("input_reference")["image_url"]
        extra[dialect.image_address] = {"image_url": url} if dialect.image_address == "image_reference" else url
        json_body = False
    extra = _packed(extra, dialect.fields, dialect.pack)
    return replace(body, extra=_text(extra) if dialect.nested_as_text and not json_body else extra, json=json_body)


def _packed(
    extra: Mapping[str, Any], fields: Container[str] | None, pack: str | None
) -> dict[str, Any]:  # Any: JSON values
    """Return what the request has no field for, moved into the one that takes anything; else it would be ignored."""
    if fields is None or pack is None:
        return dict(extra)
    known = {key: value for key, value in extra.items() if key in fields}
    others = {key: value for key, value in extra.items() if key not in fields}
    return {**known, pack: {**others, **known.get(pack, {})}} if others else known


def _text(extra: Mapping[str, Any]) -> dict[str, Any]:  # Any: JSON values
    return {key: json.dumps(value) if isinstance(value, dict | list) else value for key, value in extra.items()}
