"""Hydra callbacks and a task function that tests name in configs."""

from __future__ import annotations

import signal
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn
from hydra.experimental.callback import Callback
from omegaconf import DictConfig

SEEN: list[tuple[str, int, int, str]] = []


class Recording(Callback):
    """Notes whom it was called for, by its own memory, by HydraConfig and by the config that it was given."""

    def __init__(self) -> None:
        self.mine: int | None = None

    def on_job_start(self, config: DictConfig, **kwargs: Any) -> None:
        assert self.mine is None
        self.mine = config.hydra.job.num
        SEEN.append(("start", self.mine, HydraConfig.get().job.num, ""))

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **kwargs: Any) -> None:
        assert self.mine == config.hydra.job.num
        assert job_return.hydra_cfg is not None
        assert job_return.hydra_cfg.hydra.job.num == self.mine
        SEEN.append(("end", self.mine, HydraConfig.get().job.num, job_return.status.name))


class Interrupting(Callback):
    """Presses Ctrl-C as soon as the first run starts."""

    def on_job_start(self, config: DictConfig, **kwargs: Any) -> None:
        signal.raise_signal(signal.SIGINT)
