"""Say which points a sweep has beside what is typed behind `-m`: the rows of a table, what is left out, which part."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from .frozen import Frozen
from .request import MOST_RUNS, Count
from .run import RunConfig


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

    prompts: str | tuple[str | Mapping[str, Any], ...] | None = None  # Any: what a table's cell may hold
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
