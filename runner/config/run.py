"""Hold one run: composed, validated, immutable; with the length and size that it is sent with."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field

from .budget import Budget
from .frozen import Frozen, Off
from .model import ModelConfig, VideoModel
from .problem import Problem
from .provider import ProviderConfig, dialect_of
from .request import ImageRequest, RequestConfig, VideoRequest
from .tracking import NoTracking, Tracking

Objective = Literal["cost", "latency", "duration", "file_size"]
Progress = Annotated[Literal["auto", "live", "plain", "off"], Off]


class Fallback(Frozen):
    """Describe where a run's request goes, and to which model, when the choices before it failed."""

    provider: ProviderConfig
    model: ModelConfig


class RunConfig(Frozen):
    """Describe a provider, a model, a request, and how this invocation behaves."""

    provider: ProviderConfig
    model: ModelConfig
    request: RequestConfig
    fallbacks: tuple[Fallback, ...] = ()
    """Tried in this order after errors that another place may not meet; nothing that may be paid is sent twice."""
    replica: int = Field(0, strict=True, ge=0)
    dry_run: bool = False
    fail_fast: bool = False
    delete_remote: bool = False
    budget: Budget = Budget()
    yes: bool = False
    reuse: bool = False
    progress: Progress = "auto"
    gallery: bool = True
    objective: Objective = "cost"
    tracking: Tracking = NoTracking()

    def choice(self, number: int) -> RunConfig:
        """The run as its first choice (0) or its nth fallback makes it, with the fallbacks that are left then."""
        if number == 0:
            return self
        chosen, rest = self.fallbacks[number - 1], self.fallbacks[number:]
        return self.model_copy(update={"provider": chosen.provider, "model": chosen.model, "fallbacks": rest})

    @property
    def sent_model(self) -> str:
        """Return what is sent as `model`: the model's name, or the one under which this provider serves it."""
        provider = self.provider
        named = provider.kind in ("azure_openai", "compatible") or (
            provider.kind == "emulator" and provider.dialect != "plain"
        )
        return (self.model.deployment if named else None) or self.model.name

    @property
    def choices(self) -> list[RunConfig]:
        """Return all that may be tried, in order; the first is the run itself."""
        return [self.choice(number) for number in range(len(self.fallbacks) + 1)]


Check = Callable[[RunConfig], Iterable[Problem]]


def check_choices(config: RunConfig, check: Check) -> list[Problem]:
    """Return what `check` has against the run and each of its fallbacks; what all have in common is said once."""
    problems = list(check(config))
    for number, choice in enumerate(config.choices[1:]):
        problems += [_at(number, problem) for problem in check(choice) if problem not in problems]
    return problems


def _at(number: int, problem: Problem) -> Problem:
    key = f"fallbacks.{number}"
    if problem.key.partition(".")[0] in ("provider", "model"):
        return replace(problem, key=f"{key}.{problem.key}")
    return replace(problem, key=key, message=f"{problem.key}: {problem.message}" if problem.key else problem.message)


_SIZES = frozenset({"width", "height", "aspect_ratio", "short_edge", "resolution"})
_OWN_SERVERS = frozenset({"vllm_omni", "sglang"})
_LENGTHS = frozenset({"num_frames"})


def sent_size(request: VideoRequest | ImageRequest, model: ModelConfig) -> str | None:
    """WIDTHxHEIGHT as sent: `size` if given, else what the aspect ratio stands for, else nothing."""
    if request.size is not None or request.aspect_ratio is None:
        return request.size
    return model.aspect_ratios.get(request.aspect_ratio)


def video_seconds(config: RunConfig) -> int | None:
    """Return the seconds that a new video is asked for, None where they are the server's to choose."""
    request, model = config.request, config.model
    if not isinstance(request, VideoRequest) or request.duration_seconds is not None:
        return getattr(request, "duration_seconds", None)
    named = request.num_frames is not None or _LENGTHS & request.extra_params.keys()
    return model.default_duration if isinstance(model, VideoModel) and not named and _differs(config, model) else None


def video_size(config: RunConfig) -> str | None:
    """Return the size that a new video is asked for, None where it is the server's to choose, as by an input image."""
    request, model = config.request, config.model
    size = sent_size(request, model)
    named = size is not None or request.image_list or _SIZES & request.extra_params.keys()
    return model.default_size if isinstance(model, VideoModel) and not named and _differs(config, model) else size


def _differs(config: RunConfig, model: VideoModel) -> bool:
    """Return whether the server's own choice is another; at a gateway it is for models of servers of one's own."""
    dialect = dialect_of(config.provider)
    own = not dialect.gateway or _OWN_SERVERS & model.offers.keys()
    return dialect.unnamed_length is not None and bool(own)
