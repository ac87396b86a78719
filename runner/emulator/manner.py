"""Behave as compatible servers do: their manners as data, keys where one asks for them, errors in its own form."""

from __future__ import annotations

import base64
import secrets
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from . import catalog
from .settings import EmulatorSettings
from .surface import OpenAISurface, Refusal, bearer

WHOLE = frozenset({"seconds", "num_frames", "seed", "num_inference_steps", "width", "height", "n"})
REAL = frozenset({"fps", "guidance_scale", "guidance_scale_2", "true_cfg_scale", "flow_shift", "boundary_ratio"})
FLAGS = frozenset({"generate_sound", "enhance_prompt"})
OBJECTS = frozenset({"lora", "extra_params", "image_reference"})

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
        lists_freely: whether jobs can be listed without naming a backend.
        counts: whether a list of jobs says what follows it.
        tells_prompt: whether a job says what it was asked for.
        steps: whether progress moves between 0 and 100.
        deletes: whether a job can be deleted.
        unnamed_seconds: how long a video is where a request names no length; 0: a single frame.
        images_by_url: whether images come as addresses unless base64 is asked for; else addresses are refused.
        limits: the largest values that it takes.
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
    lists_freely: bool = True
    counts: bool = True
    tells_prompt: bool = True
    steps: bool = True
    deletes: bool = True
    unnamed_seconds: int = 4
    images_by_url: bool = False
    limits: Mapping[str, float] = field(default_factory=dict)


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
        frozenset(_SHARED | {"boundary_ratio", "generate_sound", "lora", "resolution", "image_reference"}),
        lambda: managed_id("hosted_vllm", str(uuid.uuid4()), f"video_gen_{secrets.token_hex(16)}"),
        keyed=True,
        envelope=True,
        deletes=False,
        lists_freely=False,
    ),
})  # fmt: skip


class CompatibleSurface(OpenAISurface):
    """`/v1` of the server whose dialect the settings name."""

    def __init__(self, settings: EmulatorSettings) -> None:
        super().__init__(settings)
        self.manner = MANNERS[settings.dialect]

    def authorize(self, headers: Mapping[str, str]) -> None:
        """Ask for a key only where the server does, or where one was set."""
        wanted, key = self.settings.api_key, bearer(headers)
        if (self.manner.keyed and not key) or wanted not in (None, key):
            raise Refusal(401, "Unauthorized", "auth_error", code="401")

    def error(self, refusal: Refusal) -> dict[str, object]:
        """OpenAI's envelope from a gateway, FastAPI's detail from the others."""
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
    """FastAPI's 422 for one field."""
    detail = [{"type": kind, "loc": ["body", name], "msg": message}]
    return Refusal(422, f"{name}: {message}", param=name, inner={"detail": detail})
