"""Read the images that a request uploads, decode them once, and hold them against each other and the video's size."""

from __future__ import annotations

from collections.abc import Iterator

from runner.artifacts.input_image import Look
from runner.config import ImageRequest, Problem, RunConfig, VideoModel, VideoRequest, sent_size
from runner.errors import ConfigError

from . import reference
from .endpoint import is_loopback, split
from .reference import Address, File, Remote

OVERLAYS = {"mask": "mask_image", "markup": "markup_image"}
"""The API's fields for what is laid over the first image, and the request's keys."""

# What tells a file's type; its pixels are looked at apart.
_HEAD = 16


def inputs(request: ImageRequest) -> dict[str, tuple[File, ...]]:
    """Return the files of an edit by the API's fields; what lies at an address is a `Remote`."""
    single = {field: getattr(request, key) for field, key in OVERLAYS.items()}
    overlays = {field: (_input(image),) for field, image in single.items() if image is not None}
    return {"image": tuple(map(_input, request.image_list)), **overlays}


def check(config: RunConfig, request: ImageRequest) -> list[Problem]:
    """Return what keeps images from being uploaded: unreadable, unencrypted, or an overlay that does not fit."""
    given = {f"request.image_list.{index}": image for index, image in enumerate(request.image_list)}
    overlays = {f"request.{key}": getattr(request, key) for key in OVERLAYS.values()}
    given |= {key: image for key, image in overlays.items() if image is not None}
    decoded = config.model.validation != "off"
    found = [
        problem for key, image in given.items() for problem in unreadable(key, image, fetched=True, decoded=decoded)
    ]
    if found or not decoded:
        return found
    misfits = [problem for key, image in overlays.items() if image for problem in _misfit(key, image, request)]
    return misfits if config.model.validation == "strict" else [problem.as_warning() for problem in misfits]


def unreadable(key: str, image: str, *, fetched: bool, decoded: bool) -> Iterator[Problem]:
    """Return why an image cannot be sent: it is not there or none or, if it is `decoded`, cut, damaged or too large.

    An address that is `fetched` by us must be an encrypted one.
    """
    try:
        found = reference.read(image, _HEAD)
        if isinstance(found, File) and decoded:
            reference.look_at(image)
        elif isinstance(found, Address) and fetched:
            _check_address(found.url)
    except ConfigError as error:
        yield Problem(key, error.message, error.hint)


def _input(image: str) -> File:
    found = reference.read(image)
    return Remote("image", b"", "", found.url) if isinstance(found, Address) else found


def _check_address(url: str) -> None:
    try:
        parts = split(url)
    except ValueError as error:
        raise ConfigError(f"the address {error}") from None
    if parts.scheme != "https" and not is_loopback(parts.hostname):
        raise ConfigError(f"would be downloaded unencrypted from {parts.hostname}", hint="https://, or a local path")


def _misfit(key: str, overlay: str, request: ImageRequest) -> Iterator[Problem]:
    top = reference.look_at(overlay)
    under = reference.look_at(request.image_list[0]) if request.image_list else None
    wrong = None if top is None else misfit(top, under)  # what lies at an address is known only once it is here
    if wrong is not None:
        yield Problem(key, wrong)


def misfit(overlay: Look, image: Look | None) -> str | None:
    """Return what is wrong with an overlay for `image` (None: not known yet); both as they are upright."""
    if overlay.format != "PNG":
        return f"must be a PNG, and is {overlay.format}"
    if not overlay.transparent:
        return "has no transparent parts: its alpha channel says what to change"
    if image is None or overlay.size == image.size:
        return None
    (width, height), turned = image.size, ", upright" if image.turned else ""
    sizes = f"it is {overlay.size[0]}x{overlay.size[1]}, the image {width}x{height}{turned}"
    return f"must be as large as the first image: {sizes}"


def frame_size(config: RunConfig) -> tuple[int, int] | None:
    """Width and height that an input image is to have; None where the server takes any."""
    request, model = config.request, config.model
    if not isinstance(request, VideoRequest) or not isinstance(model, VideoModel):
        return None
    # A model with listed sizes demands the very one; the others scale what they get by themselves.
    if model.sizes is None and request.image_fit == "error":
        return None
    size = sent_size(request, model) or (model.default_size if model.sizes is not None else None)
    if size is None or "x" not in size:
        return None
    width, height = map(int, size.split("x"))
    return width, height


def check_fit(config: RunConfig) -> Iterator[Problem]:
    """Yield the images at hand that have another size than the video; `model.validation` decides how grave it is."""
    request, size = config.request, frame_size(config)
    if not isinstance(request, VideoRequest) or request.video is not None:
        return
    if request.image_fit != "error":
        if request.image_list and size is None:
            yield Problem("request.image_fit", f"{request.image_fit} needs to know the video's size",
                          "request.size=WIDTHxHEIGHT")  # fmt: skip
        return
    if size is not None and config.model.validation != "off":
        for index, image in enumerate(request.image_list):
            problem = _size_misfit(f"request.image_list.{index}", image, size)
            if problem is not None:
                yield problem.as_warning() if config.model.validation == "warn" else problem


def _size_misfit(key: str, image: str, size: tuple[int, int]) -> Problem | None:
    try:
        given = reference.look_at(image)
    except ConfigError:
        return None  # said where the image is read
    if given is None or given.size == size:
        return None
    turned = " (upright, as its EXIF note turns it)" if given.turned else ""
    message = (
        f"is {given.size[0]}x{given.size[1]}{turned}, and the video is to be {size[0]}x{size[1]}: "
        "the API wants the same size"
    )
    return Problem(key, message, "request.image_fit=crop or pad, or the request.size of the image")
