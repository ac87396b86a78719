"""An image request, checked against the rules of its model."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import cast

from runner.emulator import catalog
from runner.emulator.catalog import ImageRules
from runner.emulator.images import Format
from runner.emulator.refusal import Refusal, invalid_value, missing_parameter

from .body import Parameters

FORMATS = ("png", "webp", "jpeg", "gif", "svg")
SHARED = (
    "prompt", "model", "n", "quality", "response_format", "output_format", "output_compression", "stream",
    "partial_images", "size", "background", "user", "safety_identifier", "moderation",
    "complexity",
)  # fmt: skip
GENERATE_ONLY = ("style",)
EDIT_ONLY = ("image", "mask", "markup", "input_fidelity")
DEFAULT_SIZE = (1024, 1024)
STEP = 16
MAX_RATIO = 3
MAX_SIDES = (3840, 2160)
PIXELS = (655_360, 8_294_400)


@dataclass(frozen=True)
class ImageOrder:
    """Describe what to draw: everything resolved, `auto` included; `size` in pixels."""

    model: str
    prompt: str
    n: int
    size: tuple[int, int]
    quality: str
    format: Format
    compression: int
    transparent: bool
    stream: bool
    partial_images: int
    as_url: bool


def read_order(parameters: Parameters, model: str, rules: ImageRules, *, editing: bool) -> ImageOrder:
    """Check a request's parameters; raises Refusal(400) naming the one at fault."""
    parameters.allow(*SHARED, *(EDIT_ONLY if editing else GENERATE_ONLY))
    if parameters.given("response_format") and not rules.legacy:
        raise Refusal(400, "Unknown parameter: 'response_format'.", param="response_format", code="unknown_parameter")
    quality = parameters.choice("quality", rules.qualities, "auto" if "auto" in rules.qualities else "standard")
    form = cast("Format", parameters.choice("output_format", FORMATS, "png"))
    parameters.choice("moderation", ("low", "auto"), "auto")
    parameters.choice("input_fidelity", ("high", "low"), "low")
    parameters.choice("complexity", ("low", "medium", "high"), "medium")
    return ImageOrder(
        model=model,
        prompt=parameters.text("prompt", longest=catalog.PROMPT_LIMIT),
        n=parameters.whole("n", 1, rules.images, 1),
        size=_size(parameters, rules),
        quality="medium" if quality == "auto" else quality,
        format=form,
        compression=_compression(parameters, form),
        transparent=_transparent(parameters, form),
        stream=parameters.flag("stream"),
        partial_images=_partials(parameters),
        as_url=rules.legacy and parameters.choice("response_format", ("url", "b64_json"), "url") == "url",
    )


def _partials(parameters: Parameters) -> int:
    """Return how many partial images to send; only a stream has any."""
    number = parameters.whole("partial_images", 0, 3, 0)
    return number if parameters.flag("stream") else 0


def _compression(parameters: Parameters, form: Format) -> int:
    value = parameters.whole("output_compression", 0, 100, 100)
    if form == "png" and value != 100:
        raise invalid_value("output_compression", value, "Compression less than 100 is not supported for PNG.")
    return value


def _transparent(parameters: Parameters, form: Format) -> bool:
    transparent = parameters.choice("background", ("transparent", "opaque", "auto"), "auto") == "transparent"
    if transparent and form == "jpeg":
        raise invalid_value("background", "transparent", "A transparent background needs output_format png or webp.")
    return transparent


def _size(parameters: Parameters, rules: ImageRules) -> tuple[int, int]:
    text = parameters.string("size", "auto" if rules.sizes is None or "auto" in rules.sizes else "1024x1024")
    if rules.sizes is not None:
        text = parameters.choice("size", rules.sizes, text)
    if text == "auto":
        return DEFAULT_SIZE
    if not re.fullmatch(r"[1-9]\d{1,4}x[1-9]\d{1,4}", text):
        raise invalid_value("size", text, "Expected WIDTHxHEIGHT or 'auto'.")
    width, height = (int(side) for side in text.split("x"))
    if rules.sizes is None:
        _check_free_size(width, height)
    return width, height


def _check_free_size(width: int, height: int) -> None:
    long, short = max(width, height), min(width, height)
    problem = None
    if width % STEP or height % STEP:
        problem = f"Width and height must be multiples of {STEP}."
    elif long > MAX_RATIO * short:
        problem = "The aspect ratio must be between 1:3 and 3:1."
    elif long > MAX_SIDES[0] or short > MAX_SIDES[1]:
        problem = "The largest size is 3840x2160."
    elif not PIXELS[0] <= width * height <= PIXELS[1]:
        problem = f"The size must have {PIXELS[0]} to {PIXELS[1]} pixels."
    if problem:
        raise invalid_value("size", f"{width}x{height}", problem)


def order_model(parameters: Parameters) -> str:
    """Return the model's name, which is required."""
    if not parameters.given("model"):
        raise missing_parameter("model")
    return parameters.string("model", "")
