"""Check whether Ray is installed, and can be used as it is asked for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.util import find_spec

from runner.config.problem import Problem
from runner.config.run import RayConfig


def ray_problems(config: RayConfig) -> list[Problem]:
    """Return why Ray cannot be used, if so."""
    if found := [*_resource_problems(config)]:
        return found
    spec = find_spec("ray")
    if spec is None or spec.origin is None:  # a folder of that name has no origin
        message = "hydra/launcher=runner_ray needs ray, which is not installed here"
        return [Problem("ray", message, "pip install 'mediarunner[ray]', or hydra/launcher=runner")]
    address = config.address or os.environ.get("RAY_ADDRESS") or ""
    if address.startswith("ray://"):
        message = f"{address} is for Ray's client, whose driver runs elsewhere than the ledger lies"
        return [Problem("ray.address", message, "give the command on a node of the cluster, with ray.address=auto")]
    return []


_OWN_NAMES = {"CPU": "ray.resources.num_cpus", "GPU": "+ray.resources.num_gpus"}
"""What Ray refuses among other resources, as it has names of its own for them."""

_LEAST = 0.0001
"""Ray counts in units of this."""


def _resource_problems(config: RayConfig) -> Iterator[Problem]:
    for name, value in config.resources.items():
        own = _OWN_NAMES.get(name.upper())
        if own is not None:
            yield Problem(f"ray.resources.{name}", "is another name in Ray", f"{own}={value:g}")
        elif 0 < value < _LEAST:
            message = f"{value:g} is less than Ray can count"
            yield Problem(f"ray.resources.{name}", message, f"ray.resources.{name}={_LEAST:g} or more")
