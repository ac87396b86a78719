"""Registers `hydra/sweeper=runner`."""

# No postponed annotations here: Hydra executes this file before it is in sys.modules, where dataclass looks them up.
from dataclasses import dataclass

from hydra.core.config_store import ConfigStore

from runner.sweep import sweeper


class RunnerSweeper(sweeper.RunnerSweeper):
    """Hydra accepts only plugins that are defined below `hydra_plugins`."""


@dataclass
class RunnerSweeperConf:
    """The same settings as Hydra's basic sweeper."""

    _target_: str = "hydra_plugins.runner.sweeper.RunnerSweeper"
    max_batch_size: int | None = None
    params: dict[str, str] | None = None


ConfigStore.instance().store(group="hydra/sweeper", name="runner", node=RunnerSweeperConf, provider="runner")
