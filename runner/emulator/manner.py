"""Behave as compatible servers do: their manners as data, keys, errors, and create requests as they read them."""

from __future__ import annotations

import base64
import json
import re
import secrets
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError

from . import catalog
from .body import ReceivedBody, image_size, linked_image
from .drawing import Format
from .job import FRAME_RATE
from .settings import EmulatorSettings
from .surface import Refusal, Surface, bearer

WHOLE = frozenset({"seconds", "num_frames", "seed", "num_inference_steps", "steps", "width", "height", "n"})
REAL = frozenset({"fps", "guidance_scale", "guidance_scale_2", "true_cfg_scale", "flow_shift", "boundary_ratio"})
FLAGS = frozenset({"generate_sound", "generate_audio", "enhance_prompt"})
OBJECTS = frozenset({"lora", "extra_params", "image_reference", "input_reference", "metadata", "media"})

_SHARED = {
    "seconds", "num_frames", "seed", "num_inference_steps", "width", "height", "fps", "guidance_scale",
    "guidance_scale_2", "true_cfg_scale", "flow_shift", "negative_prompt", "extra_params",
}  # fmt: skip


@dataclass(frozen=True)
class Manner:
    """Describe what one server does in its own way.

    Attributes:
        fields: the fields of a create request that it reads beside prompt, model and size; others are ignored.
        json: whether a create request may be JSON.
        keyed: whether it asks for a key although none was set.
        envelope: whether errors come as OpenAI's; else as FastAPI's `{"detail": …}`.
        failure_is_error: whether a failed job is told with an HTTP error status.
        says_code: whether a failed job's error has a code.
        variant: how `/content` takes its variant: not at all, or as the number of an output.
        lists: whether there is a list of jobs.
        lists_freely: whether jobs can be listed without naming a backend.
        counts: whether a list of jobs says what follows it.
        tells_prompt: whether a job says what it was asked for.
        steps: whether progress moves between 0 and 100.
        deletes: whether a job can be deleted.
        unnamed_seconds: how long a video is where a request names no length; 0: a single frame.
        images_by_url: whether images come as addresses unless base64 is asked for; else addresses are refused.
        limits: the largest values that it takes.
        cost_header: the header in which it tells what a request has cost, where its price is known.
        tells_cost: whether a job tells its cost: nothing until it has ended.
        tells_address: whether a job tells where its file lies, which has no route then; its two states before are one.
        working: its word for a job that is worked on.
        sizes: the only sizes that it takes; others break it. None: any.
        tells_task: whether a job has an id, metadata and usage of its own making, and counts time in milliseconds.
        job_id: makes an id.
    """

    fields: frozenset[str]
    job_id: Callable[[], str]
    json: bool = True
    keyed: bool = False
    envelope: bool = False
    failure_is_error: bool = False
    says_code: bool = True
    variant: Literal["ignored", "number"] = "ignored"
    lists: bool = True
    lists_freely: bool = True
    counts: bool = True
    tells_prompt: bool = True
    steps: bool = True
    deletes: bool = True
    unnamed_seconds: int = 4
    images_by_url: bool = False
    limits: Mapping[str, float] = field(default_factory=dict)
    cost_header: str | None = None
    tells_cost: bool = False
    tells_address: bool = False
    tells_task: bool = False
    working: str = "in_progress"
    sizes: frozenset[str] | None = None


def managed_id(backend: str, model: str, video: str) -> str:
    """Return a gateway's id of a backend's video."""
    inner = f"litellm:custom_llm_provider:{backend};model_id:{model};video_id:{video}"
    return f"video_{base64.b64encode(inner.encode()).decode()}"


def managed_parts(job_id: str) -> list[str]:
    """Return backend, model and video of a gateway's id; another's as it is."""
    try:
        inner = base64.b64decode(job_id.removeprefix("video_"), validate=True).decode()
    except ValueError:
        return [job_id]
    return [part.rpartition(":")[2] for part in inner.split(";")]


MANNERS: Mapping[str, Manner] = MappingProxyType({
    "vllm_omni": Manner(
        frozenset(_SHARED | {"aspect_ratio", "quality", "boundary_ratio", "generate_sound", "lora", "image_reference"}),
        lambda: f"video_gen_{secrets.token_hex(16)}",
        json=False,
        failure_is_error=True,
        limits={"num_inference_steps": 200, "guidance_scale": 20, "guidance_scale_2": 20, "true_cfg_scale": 20},
        steps=False,
        unnamed_seconds=0,
    ),
    "sglang": Manner(
        frozenset(_SHARED | {"n", "enhance_prompt", "reference_url", "quality"}),
        lambda: str(uuid.uuid4()),
        says_code=False,
        variant="number",
        counts=False,
        tells_prompt=False,
        images_by_url=True,
    ),
    "litellm": Manner(
        frozenset(_SHARED | {
            "boundary_ratio", "generate_sound", "lora", "resolution", "image_reference", "aspect_ratio",
            "generate_audio", "frame_images", "input_references",
        }),
        lambda: managed_id("hosted_vllm", str(uuid.uuid4()), f"video_gen_{secrets.token_hex(16)}"),
        keyed=True,
        envelope=True,
        deletes=False,
        lists_freely=False,
        cost_header="x-litellm-response-cost",
    ),
    "aquiles": Manner(
        frozenset({"seconds", "quality"}),
        lambda: f"video_{secrets.token_hex(16)}",
        working="processing",
        sizes=frozenset((*catalog.STANDARD_SIZES, *catalog.LARGE_SIZES)),
        images_by_url=True,
    ),
    "new_api": Manner(
        frozenset({"seconds", "metadata"}),
        lambda: f"task_{secrets.token_hex(16)}",
        keyed=True,
        envelope=True,
        deletes=False,
        lists=False,
        tells_task=True,
    ),
    "edenai": Manner(
        frozenset({"seconds", "input_reference"}),
        lambda: str(uuid.uuid4()),
        keyed=True,
        envelope=True,
        deletes=False,
        tells_cost=True,
    ),
    "together": Manner(
        frozenset({
            "seconds", "width", "height", "resolution", "ratio", "fps", "steps", "guidance_scale", "seed",
            "negative_prompt", "generate_audio", "media",
        }),
        lambda: str(uuid.uuid4()),
        keyed=True,
        envelope=True,
        deletes=False,
        lists=False,
        tells_address=True,
    ),
})  # fmt: skip


class CompatibleSurface(Surface):
    """Speak `/v1` as the server does whose dialect the settings name."""

    def __init__(self, settings: EmulatorSettings) -> None:
        super().__init__(settings)
        self.manner = MANNERS[settings.dialect]

    def authorize(self, headers: Mapping[str, str]) -> None:
        """Ask for a key only where the server does, or where one was set."""
        wanted, key = self.settings.api_key, bearer(headers)
        if (self.manner.keyed and not key) or wanted not in (None, key):
            raise Refusal(401, "Unauthorized", "auth_error", code="401")

    def error(self, refusal: Refusal) -> dict[str, object]:
        """Return OpenAI's envelope from a gateway, FastAPI's detail from the others."""
        if self.manner.envelope:
            return super().error(refusal)
        return dict(refusal.inner) if refusal.inner is not None else {"detail": refusal.message}

    def job_id(self) -> str:
        """Return an id of the server's form."""
        return self.manner.job_id()

    def video_sizes(self, model: str) -> tuple[str, ...]:
        """Return the sizes that OpenAI's own operations look for; creating takes any."""
        del model
        return catalog.STANDARD_SIZES + catalog.LARGE_SIZES

    def models(self) -> tuple[str, ...]:
        """Return what is served: one model, unless the settings name others."""
        return self.settings.models or ("Wan-AI/Wan2.2-T2V-A14B-Diffusers",)


def invalid(name: str, message: str, kind: str = "value_error") -> Refusal:
    """Return FastAPI's 422 for one field."""
    detail = [{"type": kind, "loc": ["body", name], "msg": message}]
    return Refusal(422, f"{name}: {message}", param=name, inner={"detail": detail})


DEFAULT_SIZE = "832x480"
STEP = 16
MEMORY = 1280 * 720 * 24 * 30
"""Pixels of a whole video: half a minute of 720p at 24 frames a second."""


@dataclass(frozen=True)
class OpenOrder:
    """Describe what to render; `parameters` is all that was read beside it, `broken` why the model cannot."""

    prompt: str
    model: str
    size: str
    seconds: int
    parameters: dict[str, object]
    broken: str | None


def read_order(body: ReceivedBody, manner: Manner, served: str) -> OpenOrder:
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
    if manner.sizes is not None and not fields.get("size"):
        size = catalog.STANDARD_SIZES[0]
    if manner.sizes is not None and size not in manner.sizes:
        raise Refusal(500, "Internal Server Error")
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
    if name in FLAGS | WHOLE | REAL:
        return _parsed(name, given, manner)
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


def _parsed(name: str, given: object, manner: Manner) -> object:
    """Return a number or a flag as FastAPI reads it; raises Refusal in its words."""
    least = 1 if name in WHOLE - {"seed"} or name == "fps" else None if name in ("seed", "flow_shift") else 0
    most = 1.0 if name == "boundary_ratio" else manner.limits.get(name)
    kind = bool if name in FLAGS else int if name in WHOLE else float
    try:
        return _adapter(kind, least, most).validate_python(given)
    except ValidationError as error:
        first = error.errors()[0]
        raise invalid(name, first["msg"], first["type"]) from error


@lru_cache
def _adapter(kind: type, least: float | None, most: float | None) -> TypeAdapter[Any]:  # Any: a number or a flag
    if kind is bool:
        return TypeAdapter(bool)
    bounds = Field(ge=least, le=most)
    return TypeAdapter(Annotated[int, bounds]) if kind is int else TypeAdapter(Annotated[float, bounds])


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


_SHORT_SIDES = {
    "360p": 360, "480p": 480, "720p": 720, "768p": 768, "1080p": 1080, "512": 512, "768": 768, "1K": 1024, "1k": 1024,
    "1.5K": 1536, "2K": 1440, "2k": 1440, "4K": 2160,
}  # fmt: skip
_RATIO = re.compile(r"([1-9]\d?(?:\.\d+)?):([1-9]\d?(?:\.\d+)?)")


@dataclass(frozen=True)
class HostOrder:
    """Describe what is asked for, and its price: one video of so many seconds, or `count` images."""

    model: str
    prompt: str
    size: tuple[int, int]
    pictures: tuple[bytes, ...]
    parameters: dict[str, object]
    usd: float
    seconds: int = 0
    count: int = 1
    format: Format = "png"


def shape(resolution: str, ratio: str) -> tuple[int, int]:
    """Return width and height in pixels; raises Refusal(400) for a name or a ratio that is none."""
    sides = _RATIO.fullmatch(ratio)
    if resolution not in _SHORT_SIDES or sides is None:
        raise Refusal(400, f"resolution {resolution} or its aspect_ratio is not supported")
    wide, high, short = float(sides[1]), float(sides[2]), _SHORT_SIDES[resolution]
    return (_even(short * wide / high), short) if wide >= high else (short, _even(short * high / wide))


def _even(side: float) -> int:
    return 2 * round(side / 2)


def linked_picture(address: object, name: str) -> bytes:
    """Return the picture that a data URL is; raises Refusal(400) for anything else."""
    content = linked_image({"image_url": str(address)}, name)
    image_size(content, name)
    return content
