"""Registers `hydra/sweeper=runner`."""

# No postponed annotations here: Hydra executes this file before it is in sys.modules, where dataclass looks them up.
from dataclasses import dataclass
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class RunnerSweeper(Sweeper):
    """Hydra accepts only plugins that are defined below `hydra_plugins`; `core` does the work."""

    def __init__(self, max_batch_size: int | None = None, params: dict[str, Any] | None = None) -> None:
        self._max_batch_size = max_batch_size
        del params  # the core reads them in the config, where each run's may differ

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Make the core, which Hydra's scan, done for whatever is typed, must not import."""
        from runner.sweeps.sweeper import RunnerSweeper as Core

        self.core = Core(self._max_batch_size, hydra_context, task_function, config)

    def sweep(self, arguments: list[str]) -> Any:  # Any: as Hydra has it
        """Run every combination, or with `dry_run=true` only print them."""
        return self.core.sweep(arguments)


@dataclass
class RunnerSweeperConf:
    """The settings of Hydra's basic sweeper; values in `params` may be lists, too."""

    _target_: str = "hydra_plugins.runner.sweeper.RunnerSweeper"
    max_batch_size: int | None = None
    params: dict[str, Any] | None = None  # Any: a text as one types it, or a list of values


ConfigStore.instance().store(group="hydra/sweeper", name="runner", node=RunnerSweeperConf, provider="runner")
