"""Registers `hydra/launcher=runner`."""

# No postponed annotations here: Hydra executes this file before it is in sys.modules, where dataclass looks them up.
from dataclasses import dataclass

from hydra.core.config_store import ConfigStore

from runner.sweep import launcher


class RunnerLauncher(launcher.RunnerLauncher):
    """Hydra accepts only plugins that are defined below `hydra_plugins`."""


@dataclass
class RunnerLauncherConf:
    """Its limits are the provider's, as max_concurrent_jobs."""

    _target_: str = "hydra_plugins.runner.launcher.RunnerLauncher"


ConfigStore.instance().store(group="hydra/launcher", name="runner", node=RunnerLauncherConf, provider="runner")
