"""Registers `hydra/launcher=runner` and `hydra/launcher=runner_ray`."""

# No postponed annotations here: Hydra executes this file before it is in sys.modules, where dataclass looks them up.
from collections.abc import Sequence
from dataclasses import dataclass

from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class RunnerLauncher(Launcher):
    """Hydra accepts only plugins that are defined below `hydra_plugins`; `core` does the work."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Make the core, which Hydra's scan, done for whatever is typed, must not import."""
        from runner.sweeps.launcher import RunnerLauncher as Core

        self.core = Core(hydra_context, task_function, config)

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Plan, check and run a batch of another sweeper; its jobs run at the same time."""
        return self.core.launch(job_overrides, initial_job_idx)


@dataclass
class RunnerLauncherConf:
    """Its limits are the provider's, as max_concurrent_jobs."""

    _target_: str = "hydra_plugins.runner.launcher.RunnerLauncher"


class RayLauncher(Launcher):
    """The same, whose runs are executed by processes on the nodes of a Ray cluster."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Make the core, as above."""
        from runner.sweeps.on_ray import RayLauncher as Core

        self.core = Core(hydra_context, task_function, config)

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Plan, check and run a batch of another sweeper."""
        return self.core.launch(job_overrides, initial_job_idx)


@dataclass
class RayLauncherConf:
    """Its settings are the keys below `ray`."""

    _target_: str = "hydra_plugins.runner.launcher.RayLauncher"


ConfigStore.instance().store(group="hydra/launcher", name="runner", node=RunnerLauncherConf, provider="runner")
ConfigStore.instance().store(group="hydra/launcher", name="runner_ray", node=RayLauncherConf, provider="runner")
