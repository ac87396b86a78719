"""The images that a request uploads: read, decoded once, and held against each other."""

from __future__ import annotations

from collections.abc import Iterator

from runner.artifacts.input_image import Look
from runner.config import ImageRequest, Problem, RunConfig
from runner.errors import ConfigError

from . import reference
from .endpoint import is_loopback, split
from .reference import Address, File, Remote

OVERLAYS = {"mask": "mask_image", "markup": "markup_image"}
"""The API's fields for what is laid over the first image, and the request's keys."""

# What tells a file's type; its pixels are looked at apart.
_HEAD = 16


def inputs(request: ImageRequest) -> dict[str, tuple[File, ...]]:
    """The files of an edit by the API's fields; what lies at an address is a `Remote`."""
    single = {field: getattr(request, key) for field, key in OVERLAYS.items()}
    overlays = {field: (_input(image),) for field, image in single.items() if image is not None}
    return {"image": tuple(map(_input, request.image_list)), **overlays}


def check(config: RunConfig, request: ImageRequest) -> list[Problem]:
    """What keeps images from being uploaded: unreadable, unencrypted, or an overlay that does not fit."""
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
