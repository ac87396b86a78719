"""Execute a sweep's runs on a Ray cluster: `hydra/launcher=runner_ray`, and `resume` with `ray.num_workers=N`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Unpack

from pydantic import ValidationError

from runner.compose.examination import settings_of
from runner.compose.preflight import Finding, PreflightError
from runner.config.problem import Problem, from_validation_error
from runner.config.run import RayConfig
from runner.display.output import say
from runner.distributed.installed import ray_problems
from runner.engine.recorder import BudgetTracker
from runner.engine.run import Observer, Outcome, Run
from runner.errors import ConfigError
from runner.ledger.ledger import Ledger

from .launcher import RunnerLauncher

if TYPE_CHECKING:
    from runner.engine.execution import Engine
    from runner.engine.scheduler import Services

LAUNCHER = "hydra/launcher=runner_ray"


class RayLauncher(RunnerLauncher):
    """Launch as in one process, but let workers execute the runs."""

    def problems(self, runs: Sequence[Run]) -> list[Problem]:
        """Return why Ray cannot execute runs, if so."""
        return problems(settings_of(self._config).ray, runs)

    def _engine(self, ledger: Ledger) -> Engine:
        return ray_engine(settings_of(self._config).ray, ledger)


def problems(config: RayConfig, runs: Sequence[Run]) -> list[Problem]:
    """Return why runs cannot be executed on a cluster."""
    found = ray_problems(config)
    if any(run.config.batch for run in runs):
        message = f"is sent from one process, and {LAUNCHER} has several"
        found.append(Problem("batch", message, "hydra/launcher=runner, or batch=false"))
    return found


def ray_engine(config: RayConfig, ledger: Ledger) -> Engine:
    """Return what executes runs on a cluster, whose coordinator writes `ledger` meanwhile."""

    def engine(
        runs: Sequence[Run],
        /,
        *,
        observer: Observer,
        interrupted: Callable[[int], object],
        **services: Unpack[Services],
    ) -> Outcome:
        from runner.distributed.driver import run_distributed  # the SDK behind it takes its time
        from runner.distributed.ray_cluster import RayCluster

        tracker = services.get("budget_tracker") or BudgetTracker()
        cluster = RayCluster(
            config,
            ledger.directory,
            ledger.token,
            limit=tracker.limit,
            spent=tracker.spent,
            fail_fast=services.get("fail_fast", False),
            say=say,
        )
        with cluster:
            return run_distributed(
                runs, cluster, ledger, say=say, observer=observer, interrupted=interrupted, **services
            )

    return engine


def ray_config(typed: Sequence[str]) -> RayConfig:
    """Return what is typed for Ray behind `resume DIR`; raises `ConfigError`."""
    own = [line for line in typed if line != LAUNCHER]
    if other := next((line for line in own if not line.startswith("ray.")), None):
        raise ConfigError(f"{other}: resume goes on in this process, or on a Ray cluster", hint=LAUNCHER)
    from runner.compose.saved_config import apply  # with Hydra's grammar

    found = apply({"ray": RayConfig().model_dump(mode="json")}, own)
    try:
        return RayConfig.model_validate(found["ray"])
    except ValidationError as error:
        findings = [Finding(None, problem) for problem in from_validation_error(error)]
        raise PreflightError(findings, total=0) from error
