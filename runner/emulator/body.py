"""Read the body of a request as fields and files, and examine what clients upload."""

from __future__ import annotations

import base64
import binascii
import io
import json
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from PIL import Image, UnidentifiedImageError
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException
from starlette.requests import Request

from . import catalog
from .catalog import ImageRules
from .drawing import Format, Picture
from .surface import Refusal, invalid_type, invalid_value, missing_parameter, unknown_parameter

MAX_FIELD_BYTES = 32 * 1024 * 1024
FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")


@dataclass(frozen=True)
class ReceivedBody:
    """Describe what a client sent: `fields` as JSON values or form strings, `files` by name without a trailing `[]`.

    What reads a parameter raises Refusal(400), which names the parameter that it dislikes.
    """

    fields: dict[str, object] = field(default_factory=dict)
    files: dict[str, list[bytes]] = field(default_factory=dict)
    form: bool = False

    def allow(self, *names: str) -> None:
        """Refuse any parameter that is not named."""
        for name in (*self.fields, *self.files):
            if name not in names:
                raise unknown_parameter(name)

    def given(self, name: str) -> bool:
        """Say whether a parameter was sent and is not null."""
        return self.fields.get(name) is not None or name in self.files

    def text(self, name: str, *, longest: int) -> str:
        """Return a required string of 1 to `longest` characters."""
        value = self._string(name)
        if value is None:
            raise missing_parameter(name)
        if not value:
            raise Refusal(400, f"Invalid '{name}': empty string.", param=name, code="empty_string")
        if len(value) > longest:
            message = f"Invalid '{name}': string too long. Expected at most {longest}, got {len(value)}."
            raise Refusal(400, message, param=name, code="string_above_max_length")
        return value

    def choice(self, name: str, allowed: Collection[str], default: str) -> str:
        """Return one of `allowed`, or the default."""
        value = self._string(name)
        if value is None:
            return default
        if value not in allowed:
            raise invalid_value(name, value, _listing(allowed))
        return value

    def string(self, name: str, default: str) -> str:
        """Return any string, or the default."""
        return self._string(name) or default

    def whole(self, name: str, low: int, high: int, default: int) -> int:
        """Return a whole number from `low` to `high`, or the default; forms carry it as digits."""
        value = self.fields.get(name)
        if value is None:
            return default
        if self.form and isinstance(value, str) and value.lstrip("-").isdecimal():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            raise invalid_type(name, "an integer", value)
        if not low <= value <= high:
            raise invalid_value(name, value, f"Expected a value from {low} to {high}.")
        return value

    def flag(self, name: str) -> bool:
        """Return a boolean, false when absent; forms carry it as a word."""
        value = self.fields.get(name)
        if self.form and value in ("true", "false"):
            return value == "true"
        if value is not None and not isinstance(value, bool):
            raise invalid_type(name, "a boolean", value)
        return bool(value)

    def reference(self, name: str) -> dict[str, str]:
        """Return an object of strings, such as `{"id": ...}`; empty when absent."""
        value = self.fields.get(name)
        if value is None:
            return {}
        if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
            raise invalid_type(name, "an object of strings", value)
        return value

    def _string(self, name: str) -> str | None:
        value = self.fields.get(name)
        if value is None:
            return None
        if not isinstance(value, str):
            raise invalid_type(name, "a string", value)
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise invalid_value(name, "...", "The string holds a lone surrogate.") from error
        return value


async def read_body(request: Request) -> ReceivedBody:
    """Read JSON or a form; raises Refusal(400) when it is neither."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in FORMS:
        return await _read_form(request)
    raw = await request.body()
    if not raw:
        return ReceivedBody()
    try:
        fields = json.loads(raw)
    except ValueError as error:
        raise Refusal(400, "We could not parse the JSON body of your request.") from error
    if not isinstance(fields, dict):
        raise Refusal(400, "The body of your request must be a JSON object.")
    return ReceivedBody(fields)


async def _read_form(request: Request) -> ReceivedBody:
    body = ReceivedBody(form=True)
    try:
        form = await request.form(max_part_size=MAX_FIELD_BYTES)
    except (MultiPartException, ValueError) as error:
        raise Refusal(400, f"Could not parse multipart form: {error}") from error
    for key, value in form.multi_items():
        if isinstance(value, UploadFile):
            body.files.setdefault(key.removesuffix("[]"), []).append(await value.read())
        else:
            _nest(body.fields, key, value)
    await form.close()
    return body


def _nest(fields: dict[str, object], key: str, value: str) -> None:
    name, bracket, inner = key.partition("[")
    if not bracket or inner == "]":
        fields[name] = value
        return
    nested = fields.setdefault(name, {})
    if isinstance(nested, dict):
        nested[inner.removesuffix("]")] = value


def _listing(allowed: Collection[str]) -> str:
    *most, last = (f"'{value}'" for value in allowed)
    return f"Supported values are: {', '.join(most)}, and {last}." if most else f"The supported value is: {last}."


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


@dataclass(frozen=True, kw_only=True)
class ImageOrder(Picture):
    """Describe what to draw, and how to answer: everything resolved, `auto` included."""

    n: int
    quality: str
    stream: bool
    partial_images: int
    as_url: bool


def read_order(body: ReceivedBody, model: str, rules: ImageRules, *, editing: bool) -> ImageOrder:
    """Check a request's parameters; raises Refusal(400) naming the one at fault."""
    body.allow(*SHARED, *(EDIT_ONLY if editing else GENERATE_ONLY))
    if body.given("response_format") and not rules.legacy:
        raise Refusal(400, "Unknown parameter: 'response_format'.", param="response_format", code="unknown_parameter")
    quality = body.choice("quality", rules.qualities, "auto" if "auto" in rules.qualities else "standard")
    form = cast("Format", body.choice("output_format", FORMATS, "png"))
    body.choice("moderation", ("low", "auto"), "auto")
    body.choice("input_fidelity", ("high", "low"), "low")
    body.choice("complexity", ("low", "medium", "high"), "medium")
    stream = body.flag("stream")
    partial_images = body.whole("partial_images", 0, 3, 0)
    return ImageOrder(
        model=model,
        prompt=body.text("prompt", longest=catalog.PROMPT_LIMIT),
        n=body.whole("n", 1, rules.images, 1),
        size=_size(body, rules),
        quality="medium" if quality == "auto" else quality,
        format=form,
        compression=_compression(body, form),
        transparent=_transparent(body, form),
        stream=stream,
        partial_images=partial_images if stream else 0,
        as_url=rules.legacy and body.choice("response_format", ("url", "b64_json"), "url") == "url",
    )


def _compression(body: ReceivedBody, form: Format) -> int:
    value = body.whole("output_compression", 0, 100, 100)
    if form == "png" and value != 100:
        raise invalid_value("output_compression", value, "Compression less than 100 is not supported for PNG.")
    return value


def _transparent(body: ReceivedBody, form: Format) -> bool:
    transparent = body.choice("background", ("transparent", "opaque", "auto"), "auto") == "transparent"
    if transparent and form == "jpeg":
        raise invalid_value("background", "transparent", "A transparent background needs output_format png or webp.")
    return transparent


def _size(body: ReceivedBody, rules: ImageRules) -> tuple[int, int]:
    text = body.string("size", "auto" if rules.sizes is None or "auto" in rules.sizes else "1024x1024")
    if rules.sizes is not None:
        text = body.choice("size", rules.sizes, text)
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


IMAGE_FORMATS = ("JPEG", "PNG", "WEBP")


def image_size(content: bytes, param: str) -> tuple[int, int]:
    """Return width and height of an uploaded image; raises Refusal(400) unless it is a JPEG, PNG or WebP."""
    try:
        with Image.open(io.BytesIO(content), formats=IMAGE_FORMATS) as image:
            image.load()
            return image.size
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError) as error:
        message = "Unsupported file. The image must be a readable JPEG, PNG or WebP."
        raise Refusal(400, message, param=param, code="invalid_image_file") from error


def is_transparent_png(content: bytes) -> bool:
    """Say whether an uploaded image is a PNG that can be transparent somewhere."""
    with Image.open(io.BytesIO(content), formats=IMAGE_FORMATS) as image:
        return image.format == "PNG" and image.has_transparency_data


def linked_image(reference: dict[str, str], param: str) -> bytes:
    """Return the bytes behind `{"image_url": "data:..."}`; the emulator fetches nothing from a network."""
    url = reference.get("image_url", "")
    header, comma, data = url.partition(",")
    if not header.startswith("data:image/") or not header.endswith(";base64") or not comma:
        message = "Only base64 data URLs can be read here: the emulator fetches nothing and keeps no files."
        raise Refusal(400, message, param=param, code="invalid_value")
    try:
        return base64.b64decode(data, validate=True)
    except binascii.Error as error:
        raise Refusal(400, "The data URL is not valid base64.", param=param, code="invalid_value") from error


def clip_facts(path: Path) -> tuple[str, int]:
    """Return size as WxH and whole seconds of an uploaded video; raises Refusal(400) unless it is one."""
    import av

    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            return f"{stream.width}x{stream.height}", max(1, round((container.duration or 0) / av.time_base))
    except (av.FFmpegError, IndexError) as error:
        message = "Unsupported file. The video must be a readable MP4."
        raise Refusal(400, message, param="video", code="invalid_video_file") from error
