"""Check whether Ray is installed, and can be used as it is asked for."""

from __future__ import annotations

import os
from importlib.util import find_spec

from runner.config.problem import Problem
from runner.config.sweep import RayConfig


def ray_problems(config: RayConfig) -> list[Problem]:
    """Return why Ray cannot be used, if so."""
    spec = find_spec("ray")
    if spec is None or spec.origin is None:  # a folder of that name has no origin
        message = "hydra/launcher=runner_ray needs ray, which is not installed here"
        return [Problem("ray", message, "pip install 'mediarunner[ray]', or hydra/launcher=runner")]
    address = config.address or os.environ.get("RAY_ADDRESS") or ""
    if address.startswith("ray://"):
        message = f"{address} is for Ray's client, whose driver runs elsewhere than the ledger lies"
        return [Problem("ray.address", message, "give the command on a node of the cluster, with ray.address=auto")]
    return []
