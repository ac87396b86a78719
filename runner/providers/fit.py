"""Whether an input image has the size of the video that it begins."""

from __future__ import annotations

from collections.abc import Iterator

from runner.config import Problem, RunConfig, VideoModel, VideoRequest, sent_size
from runner.errors import ConfigError

from . import reference


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
    """The images at hand that have another size than the video; `model.validation` decides how grave it is."""
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
            problem = _misfit(f"request.image_list.{index}", image, size)
            if problem is not None:
                yield problem.as_warning() if config.model.validation == "warn" else problem


def _misfit(key: str, image: str, size: tuple[int, int]) -> Problem | None:
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
