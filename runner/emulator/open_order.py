"""A create request as a compatible server reads it: what it knows, any size, any length; the rest goes unread."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from runner.emulator.body import Body
from runner.emulator.manner import FLAGS, OBJECTS, REAL, WHOLE, Manner, invalid
from runner.emulator.surface import Refusal

from .clip import FRAME_RATE

DEFAULT_SIZE = "832x480"
STEP = 16
MEMORY = 1280 * 720 * 24 * 30
"""Pixels of a whole video: half a minute of 720p at 24 frames a second."""
_TRUE, _FALSE = ("true", "1", "yes", "on"), ("false", "0", "no", "off")


@dataclass(frozen=True)
class OpenOrder:
    """Describe what to render; `parameters` is all that was read beside it, `broken` why the model cannot."""

    prompt: str
    model: str
    size: str
    seconds: int
    parameters: dict[str, object]
    broken: str | None


def read_order(body: Body, manner: Manner, served: str) -> OpenOrder:
    """Read a create request; raises Refusal where the server would."""
    if not body.form and not manner.json:
        raise invalid("prompt", "Field required", "missing")
    fields = body.fields
    prompt = fields.get("prompt")
    if not isinstance(prompt, str) or not prompt:
        raise invalid("prompt", "Field required", "missing") if not manner.json else Refusal(400, "prompt is required")
    read = {name: _value(name, fields[name], manner, form=body.form) for name in manner.fields & fields.keys()}
    heard = {name: value for name, value in sorted(read.items()) if value is not None}
    size = _size(fields.get("size"), heard)
    fps = max(1, round(_number(heard.get("fps"), FRAME_RATE)))
    unnamed = _number(heard.get("seconds"), manner.unnamed_seconds) * fps
    frames = max(1, round(_number(heard.get("num_frames"), unnamed)))
    seconds = max(1, round(frames / fps))
    return OpenOrder(
        prompt, str(fields.get("model") or served), size, seconds, {**heard, "fps": fps, "frames": frames},
        _broken(size, frames),
    )  # fmt: skip


def _value(name: str, given: object, manner: Manner, *, form: bool) -> object:
    if form and not isinstance(given, str):
        # A form's a[b]=c: no field of the name a is there.
        return None
    if name in OBJECTS:
        return _object(name, given)
    if name in FLAGS:
        return _flag(name, given)
    if name in WHOLE or name in REAL:
        return _checked(name, _parsed(name, given), manner)
    return given


def _object(name: str, given: object) -> object:
    try:
        value = json.loads(given) if isinstance(given, str) else given
    except ValueError as error:
        raise Refusal(400, "Invalid JSON in form field.", param=name) from error
    if not isinstance(value, dict):
        kind = type(value).__name__
        raise Refusal(400, f"Invalid JSON in form field: expected dict, got {kind}.", param=name)
    return value


def _flag(name: str, given: object) -> bool:
    text = str(given).lower()
    if text not in _TRUE + _FALSE:
        raise invalid(name, "Input should be a valid boolean, unable to interpret input", "bool_parsing")
    return text in _TRUE


def _parsed(name: str, given: object) -> float:
    kind, noun = (int, "integer") if name in WHOLE else (float, "number")
    try:
        return kind(str(given))
    except ValueError as error:
        message = f"Input should be a valid {noun}, unable to parse string as a {noun}"
        raise invalid(name, message, f"{kind.__name__}_parsing") from error


def _checked(name: str, value: float, manner: Manner) -> float:
    least = 1 if name in WHOLE - {"seed"} or name == "fps" else 0
    if value < least and name not in ("seed", "flow_shift"):
        raise invalid(name, f"Input should be greater than or equal to {least}", "greater_than_equal")
    most = 1.0 if name == "boundary_ratio" else manner.limits.get(name)
    if most is not None and value > most:
        raise invalid(name, f"Input should be less than or equal to {most:g}", "less_than_equal")
    return value


def _size(given: object, heard: dict[str, object]) -> str:
    if given:
        if not isinstance(given, str) or not re.fullmatch(r"[1-9]\d{0,4}x[1-9]\d{0,4}", given):
            raise invalid("size", r"String should match pattern '^\d+x\d+$'", "string_pattern_mismatch")
        return given
    width, height = heard.get("width"), heard.get("height")
    return f"{width}x{height}" if width and height else DEFAULT_SIZE


def _number(value: object, default: float) -> float:
    return value if isinstance(value, int | float) else default


def _broken(size: str, frames: int) -> str | None:
    width, height = map(int, size.split("x"))
    if width % STEP or height % STEP:
        return f"`height` and `width` have to be divisible by {STEP} but are {height} and {width}."
    if width * height * frames > MEMORY:
        return "CUDA out of memory. Tried to allocate more than this GPU has."
    return None
