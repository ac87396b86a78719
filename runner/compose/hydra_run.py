"""One run in Hydra's hands: its callbacks, its directory and its logging."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra._internal.callbacks import Callbacks
from hydra.core.config_loader import ConfigLoader
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import run_job
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf

from runner.artifacts.atomic import disk_errors

Task = Callable[[Path], float | None]


class HydraRun:
    """A single run, with what a user's config wants to be called at its beginning and end."""

    def __init__(self, loader: ConfigLoader, config: DictConfig) -> None:
        """Make the callbacks, before anything of the config is resolved: they may register resolvers."""
        self._loader = loader
        self._config = config
        self._callbacks = Callbacks(config)

    @property
    def overrides(self) -> list[str]:
        """Return what was typed for the task."""
        return _lines(self._config.hydra.overrides.task)

    def execute(self, task: Task, directory: Path) -> None:
        """Make the directory and call the task with it, which keeps what it raises; raises `DiskError`."""
        name = self._config.hydra.job.config_name
        self._callbacks.on_run_start(config=self._config, config_name=name)
        context = HydraContext(config_loader=self._loader, callbacks=self._callbacks)
        with disk_errors(directory):
            done = run_job(lambda _config: task(_output_dir()), self._config, "hydra.run.dir", None, context)
        self._callbacks.on_run_end(config=self._config, config_name=name, job_return=done)


@dataclass(frozen=True, slots=True)
class HandedOver:
    """Describe what Hydra says of a run that a launcher, not ours, has begun in a process of its own.

    Attributes:
        checked: whether the sweep came from our own sweeper, which checks and asks before anything is launched.
    """

    index: int
    overrides: list[str]
    directory: Path
    checked: bool


def handed_over() -> HandedOver:
    """Return what the launcher's job is about."""
    hydra = HydraConfig.get()
    checked = "RunnerSweeper" in str(hydra.sweeper["_target_"])
    return HandedOver(hydra.job.num, _lines(hydra.overrides.task), _output_dir(), checked)


def _lines(overrides: Any) -> list[str]:  # Any: a list of OmegaConf's, whatever Hydra says
    """Return overrides as they were typed, interpolations and all."""
    lines = OmegaConf.to_container(overrides, resolve=False)
    return [str(line) for line in lines] if isinstance(lines, list) else []


def _output_dir() -> Path:
    return Path(HydraConfig.get().runtime.output_dir)
