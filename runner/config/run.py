"""Hold one run, composed, validated and immutable, and what a sweep says beside its runs."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, WithJsonSchema

from .dialect import OWN_SERVERS
from .frozen import Frozen, Off, Seconds
from .model import ModelConfig, Offer, VideoModel
from .problem import Problem
from .provider import AddressedConfig, EmulatorConfig, ProviderConfig, dialect_of, offerer
from .request import MOST_RUNS, Count, ImageRequest, RequestConfig, VideoRequest

Files = Literal["all", "small", "none"]
"""What is uploaded: everything, result.json and thumbnails, or nothing."""

_DATABASES = frozenset({"sqlite", "postgresql", "mysql", "mssql"})


class NoTracking(Frozen):
    """Record runs in their directories alone."""

    kind: Literal["none"] = "none"


class MlflowTracking(Frozen):
    """Describe an MLflow tracking server, or a database or folder of the same form."""

    kind: Literal["mlflow"]
    tracking_uri: str | None = None
    experiment: str = Field("runner", min_length=1)
    files: Files = "all"
    patience_seconds: Seconds = 30


class WandbTracking(Frozen):
    """Describe a project of Weights & Biases."""

    kind: Literal["wandb"]
    project: str = Field("runner", min_length=1)
    entity: str | None = None
    mode: Literal["online", "offline"] | None = None
    files: Files = "small"
    patience_seconds: Seconds = 30


Tracking = Annotated[NoTracking | MlflowTracking | WandbTracking, Field(discriminator="kind")]


class Storage(Frozen):
    """Describe where the directories of runs are uploaded once these have ended.

    Attributes:
        url: an address that fsspec knows, below which a sweep lies as it does here; None: nothing is uploaded.
        keep_local: which media stay here once they are there: all, thumbnails, none.
        concurrency: how many runs are uploaded at the same time.
        patience_seconds: how long the end of a sweep waits for a storage that does not get on.
    """

    url: str | None = None
    keep_local: bool | Literal["thumbnails"] = True
    concurrency: Annotated[int, Field(strict=True, ge=1, le=64)] = 4
    patience_seconds: Seconds = 60


def missing_packages(tracking: NoTracking | MlflowTracking | WandbTracking) -> list[Problem]:
    """Return what must be installed first, if anything."""
    lacking = [name for name in _needed(tracking) if not _installed(name)]
    if not lacking:
        return []
    message = f"{tracking.kind} needs what is not installed here: {', '.join(lacking)}"
    return [Problem("tracking", message, f"pip install 'mediarunner[{tracking.kind}]', or tracking=none")]


def _needed(tracking: NoTracking | MlflowTracking | WandbTracking) -> tuple[str, ...]:
    if not isinstance(tracking, MlflowTracking):
        return () if isinstance(tracking, NoTracking) else ("wandb",)
    # MLflow's own default: a database, unless it has recorded in files here before.
    default = "file:mlruns" if any(Path("mlruns").glob("[0-9]*/meta.yaml")) else "sqlite:"
    uri = tracking.tracking_uri or os.environ.get("MLFLOW_TRACKING_URI") or default
    driver = uri.partition(":")[0].partition("+")[0]
    return ("mlflow", "sqlalchemy", "alembic") if driver in _DATABASES else ("mlflow",)


def _installed(package: str) -> bool:
    """Return whether it can be imported; a folder of its name, as wandb leaves one, has no origin."""
    spec = find_spec(package)
    return spec is not None and spec.origin is not None


def _no_switch(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("it is an amount of US dollars")  # noqa: TRY004 - pydantic collects ValueErrors only
    return value


Usd = Annotated[float, BeforeValidator(_no_switch), Field(ge=0)]
"""US dollars, finite and not negative."""


class Budget(Frozen):
    """Limit US dollars; None: no limit.

    Attributes:
        max_usd: what the sweep, or the single run, may cost altogether, uncertain and failed requests counted.
        max_usd_per_run: the same for each run with its repetitions and fallbacks.
        confirm_above_usd: without `max_usd`, a sum above this is asked about before the start; None: never.
        assume_usd_per_run: what a request counts whose price is unknown.
        count_emulator: whether emulated work counts as if it were paid.
    """

    max_usd: Usd | None = None
    max_usd_per_run: Usd | None = None
    confirm_above_usd: Usd | None = 20
    assume_usd_per_run: Usd | None = None
    count_emulator: bool = False

    @property
    def limited(self) -> bool:
        """Return whether there is anything that must not be passed."""
        return self.max_usd is not None or self.max_usd_per_run is not None

    def counts(self, provider: ProviderConfig) -> bool:
        """Return whether what this provider does is money."""
        return self.count_emulator or not isinstance(provider, EmulatorConfig)

    def known(self, usd: float | None) -> float:
        """Return what an attempt counts in US dollars, whose price may be unknown; no record gives money back."""
        return (self.assume_usd_per_run or 0.0) if usd is None or not math.isfinite(usd) else max(0.0, usd)

    def counted(self, provider: ProviderConfig, usd: float | None) -> float | None:
        """Return what a price of `usd` counts there in US dollars; None: nobody knows."""
        if not self.counts(provider):
            return 0.0
        return self.assume_usd_per_run if usd is None else usd


def passes(usd: float, limit: float | None) -> bool:
    """Return whether a sum is above its limit by more than what adding up fractions of a cent leaves."""
    return limit is not None and usd > limit + 1e-6


SweepName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\n]*$")]
"""What a sweep or run is called, in one line."""


def _listed(value: object) -> object:
    return (value,) if isinstance(value, str) else value


class RunName(Frozen):
    """Say by which row of a table a run was made, and what its directory may be called.

    Attributes:
        id: what the row is called in its column `id`, else its number.
        line: where it begins in its file; None for a row of a config.
        table: the file as it was typed, `-`: standard input, `prompts`: a list in a config.
        sha256: of the file, hexadecimal.
        slug: a name that is safe in any file system, unique in its sweep; only where something asks for it.
    """

    id: str | None = None
    line: int | None = None
    table: str | None = None
    sha256: str | None = None
    slug: str | None = None

    @property
    def text(self) -> str:
        """Return what the row is called and where it stands, as in `dawn, line 2 of shots.csv`; empty for no row."""
        line = f"line {self.line}" if self.line is not None else ""
        place = " of ".join(filter(None, [line, self.table]))
        return ", ".join(filter(None, [self.id, place]))


METRIC = "metrics."
"""How an objective begins that is a metric's value, as in `metrics.sharpness`."""

_OBJECTIVES = ("cost", "latency", "duration", "file_size")


def _objective(text: str) -> str:
    if text not in _OBJECTIVES and not (text.startswith(METRIC) and len(text) > len(METRIC)):
        raise ValueError(f"it is one of {', '.join(_OBJECTIVES)}, or {METRIC}NAME")
    return text


Objective = Annotated[
    str,
    AfterValidator(_objective),
    WithJsonSchema({"anyOf": [{"enum": [*_OBJECTIVES]}, {"type": "string", "pattern": r"^metrics\..+"}]}),
]
"""What a run returns to an optimiser; a metric's name is held against the metrics that there are before the start."""

MetricName = Annotated[str, StringConstraints(min_length=1, max_length=200)]
"""What a metric is called, or where one's own is imported from."""

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
    vars: dict[str, Any] = Field(default_factory=dict)  # Any: constants of the user's own
    run: RunName = RunName()
    name: SweepName | None = None
    tags: Annotated[tuple[SweepName, ...], BeforeValidator(_listed)] = ()
    batch: bool = False
    """Whether its request goes to the provider in a batch with its siblings', at the price of a batch."""
    dry_run: bool = False
    fail_fast: bool = False
    delete_remote: bool = False
    verify: Literal["quick", "full"] = "quick"
    """How much of a video is decoded before it counts as whole."""
    budget: Budget = Budget()
    yes: bool = False
    reuse: bool = False
    reuse_from: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()
    progress: Progress = "auto"
    gallery: bool = True
    metrics: Annotated[tuple[MetricName, ...], BeforeValidator(_listed)] = ()
    """What is computed of the files once they are there and checked."""
    objective: Objective = "cost"
    tracking: Tracking = NoTracking()
    storage: Storage = Storage()

    @property
    def scored(self) -> tuple[str, ...]:
        """Return the metrics that are computed: those that are asked for, and the one that is the objective."""
        wanted = self.objective.removeprefix(METRIC) if self.objective.startswith(METRIC) else None
        return tuple(dict.fromkeys([*self.metrics, *([wanted] if wanted else [])]))

    def choice(self, number: int) -> RunConfig:
        """Return the run as its first choice (0) or its nth fallback makes it, with the fallbacks left after it."""
        if number == 0:
            return self
        chosen, rest = self.fallbacks[number - 1], self.fallbacks[number:]
        return self.model_copy(update={"provider": chosen.provider, "model": chosen.model, "fallbacks": rest})

    def at_server(self, number: int) -> RunConfig:
        """Return the run as it goes to the server of that number of its pool; itself where its provider is no pool."""
        provider = self.provider
        if not isinstance(provider, AddressedConfig) or not provider.base_urls:
            return self
        deployment = provider.base_urls[number].deployment
        model = self.model if deployment is None else self.model.model_copy(update={"deployment": deployment})
        return self.model_copy(update={"provider": provider.server(number), "model": model})

    @property
    def sent_model(self) -> str:
        """Return what is sent as `model`: the model's name, or the one under which this provider serves it."""
        provider = self.provider
        named = provider.kind in ("azure_openai", "compatible") or (
            provider.kind == "emulator" and provider.dialect != "plain"
        )
        if not named:
            return self.model.name
        offer = self.offer
        return self.model.deployment or (offer.id if offer else None) or self.model.name

    @property
    def offer(self) -> Offer | None:
        """Return what is known of this provider's offer of the model."""
        return self.model.offers.get(offerer(self.provider) or "")

    @property
    def number_of_videos(self) -> int:
        """Return how many videos it asks for, each of which becomes a run of its own; 1 for images."""
        return self.request.number_of_videos if self.request.kind == "video" else 1

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
    return replace(problem, key=key, message=problem.text)


_SIZES = frozenset({"width", "height", "aspect_ratio", "short_edge", "resolution"})
_LENGTHS = frozenset({"num_frames"})


def sent_size(request: VideoRequest | ImageRequest, model: ModelConfig) -> str | None:
    """Return WIDTHxHEIGHT as sent: `size` if given, else what the aspect ratio stands for, else nothing."""
    if request.size is not None or request.aspect_ratio is None:
        return request.size
    return model.aspect_ratios.get(request.aspect_ratio)


def sent_prompt(request: VideoRequest | ImageRequest) -> str | None:
    """Return the prompt that a host is sent; None for none, where a video is made of its first frame alone."""
    return request.prompt if request.prompt.strip() else None


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


def video_fields(config: RunConfig) -> dict[str, Any]:  # Any: JSON values
    """Return the API's text fields for a new video; one that is not among them is the server's to choose."""
    seconds = video_seconds(config)
    fields = {"prompt": config.request.prompt, "model": config.sent_model,
              "seconds": None if seconds is None else str(seconds), "size": video_size(config)}  # fmt: skip
    return {name: value for name, value in fields.items() if value is not None}


def _differs(config: RunConfig, model: VideoModel) -> bool:
    """Return whether the server's own choice is another; at a gateway it is for models of servers of one's own."""
    dialect = dialect_of(config.provider)
    if dialect.hosted:
        return True  # what is not said is each maker's to choose, and prices go by it
    own = not dialect.gateway or OWN_SERVERS & model.offers.keys()
    return dialect.unnamed_length is not None and bool(own)


def sent_resolution(config: RunConfig) -> str | None:
    """Return the resolution that a host is asked for, in its own spelling; None where a size is sent or it chooses."""
    request, model = config.request, config.model
    given = request.resolution
    if given is not None:
        return next((name for name in model.resolutions or () if name.lower() == given.lower()), given)
    return None if sent_size(request, model) is not None else model.default_resolution


def sent_audio(config: RunConfig) -> bool | None:
    """Return whether a host is asked for sound; None where it is told nothing."""
    request, model = config.request, config.model
    if not isinstance(request, VideoRequest) or not isinstance(model, VideoModel):
        return None
    return model.default_audio if request.generate_audio is None else request.generate_audio


def _part(text: str) -> str:
    found = re.fullmatch(r"0*([1-9][0-9]{0,5})/0*([1-9][0-9]{0,5})", text)
    if found is None or int(found[1]) > int(found[2]):
        raise ValueError("it is a part and how many parts, as in 1/8 to 8/8")
    return f"{found[1]}/{found[2]}"


def _entries(value: object) -> object:
    """Take one mapping for a list of one; refuse what is no list of mappings."""
    entries = [value] if isinstance(value, Mapping) else value
    if not isinstance(entries, list | tuple) or not all(isinstance(entry, Mapping) and entry for entry in entries):
        raise ValueError("it is a list of mappings, as in [{model: sora-2, request.size: 1792x1024}]")
    return entries


def _rows(value: object) -> object:
    if value is None or isinstance(value, Sequence):
        return value
    raise ValueError("names a file, or is a list of rows, each of which begins with '- '")


Prompts = Annotated[str | tuple[str | Mapping[str, Any], ...] | None, BeforeValidator(_rows)]
"""A table's file, or its rows; Any: what a cell may hold."""
Shard = Annotated[str, AfterValidator(_part)]
"""Which part of how many, as in 2/8."""


Entries = Annotated[tuple[Mapping[str, Any], ...], BeforeValidator(_entries)]
"""Any: a value of the config, or a list of such."""


class RayConfig(Frozen):
    """Describe the processes that execute a sweep under `hydra/launcher=runner_ray`.

    Attributes:
        num_workers: how many; None: one for each node of the cluster.
        resources: what each takes of its node: num_cpus, num_gpus, memory (bytes), or a name of the cluster's own.
        address: of a cluster; None: that of `RAY_ADDRESS`, else one of this machine is started.
    """

    num_workers: Count | None = None
    resources: Mapping[str, Annotated[float, Field(ge=0)]] = Field(default_factory=lambda: {"num_cpus": 1})
    address: str | None = None


class SweepConfig(Frozen):
    """Describe which points a sweep has, and where they are run; a run's own config has none of this.

    Attributes:
        prompts: a table's file (`-`: standard input), or its rows.
        prompts_limit: how many of the chosen rows are taken, the first ones.
        prompts_sample: how many rows are drawn, by `prompts_seed`.
        prompts_where: which rows are taken, by their cells, as in `lang=en,style=noir`.
        exclude: points that are left out: those that agree with every key of one of these.
        on_unsupported: what is done with points that a model's data does not offer.
        repeat: how often each point is run.
        shard: which part of the points this sweep has.
        ray: the processes of `hydra/launcher=runner_ray`.
    """

    prompts: Prompts = None
    prompts_limit: Count | None = None
    prompts_sample: Count | None = None
    prompts_seed: Annotated[int, Field(strict=True)] = 0
    prompts_where: str | None = None
    exclude: Entries = ()
    on_unsupported: Literal["refuse", "skip"] = "refuse"
    repeat: Annotated[int, Field(strict=True, ge=1, le=MOST_RUNS)] = 1
    shard: Shard | None = None
    ray: RayConfig = RayConfig()


SWEEP_KEYS = frozenset(SweepConfig.model_fields)


class WholeConfig(SweepConfig, RunConfig):
    """Describe all that a primary config or an experiment may hold."""
