"""The images that an edit uploads: read, and held against each other."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from runner.config import ImageRequest, Problem, RunConfig
from runner.errors import ConfigError

from . import reference
from .endpoint import is_loopback, split
from .overlay import misfit
from .reference import Address, File, Remote

OVERLAYS = {"mask": "mask_image", "markup": "markup_image"}
"""The API's fields for what is laid over the first image, and the request's keys."""

# A check needs no more of a file than tells its type.
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
    found = [problem for key, image in given.items() for problem in _unreadable(key, image)]
    if found or config.model.validation == "off":
        return found
    misfits = [problem for key, image in overlays.items() if image for problem in _misfit(key, image, request)]
    return misfits if config.model.validation == "strict" else [problem.as_warning() for problem in misfits]


def _input(image: str) -> File:
    found = reference.read(image)
    return Remote("image", b"", "", found.url) if isinstance(found, Address) else found


def _unreadable(key: str, image: str) -> Iterator[Problem]:
    try:
        found = reference.read(image, _HEAD)
        if isinstance(found, Address):
            _check_address(found.url)
    except ConfigError as error:
        yield Problem(key, error.message, error.hint)


def _check_address(url: str) -> None:
    try:
        parts = split(url)
    except ValueError as error:
        raise ConfigError(f"the address {error}") from None
    if parts.scheme != "https" and not is_loopback(parts.hostname):
        raise ConfigError(f"would be downloaded unencrypted from {parts.hostname}", hint="https://, or a local path")


def _misfit(key: str, overlay: str, request: ImageRequest) -> Iterator[Problem]:
    top = _opened(overlay)
    if top is None:
        return  # known only once it is here
    with top:
        image = _opened(request.image_list[0]) if request.image_list else None
        try:
            wrong = misfit(top, image)
        finally:
            if image is not None:
                image.close()
    if wrong is not None:
        yield Problem(key, wrong)


def _opened(image: str) -> BinaryIO | None:
    """An image to look into, without reading all of a file; None where it lies at an address."""
    if image[:5].lower() != "data:":
        return None if "://" in image else Path(image).expanduser().open("rb")
    found = reference.read(image)
    return io.BytesIO(found.content) if isinstance(found, File) else None
