"""One planned run of a sweep: validated, placed, and free of OmegaConf."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from runner.artifacts.atomic import disk_errors
from runner.config import RunConfig
from runner.engine.run import Run

from .choice import Composed
from .documents import Documents


@dataclass(frozen=True, slots=True)
class Job:
    """What the launcher needs to write a run's directory and to hand the run to the engine.

    Attributes:
        num: Hydra's job number; the run's index.
        overrides: everything that composed it, Hydra's own overrides included.
        task_overrides: the same without Hydra's own, as `JobReturn.overrides` has them.
        output_subdir: where the `.hydra/` files go, relative to `directory`; None: nowhere.
        composed: gives the config that the `.hydra/` files hold.
        fingerprint: of the run's paid work; empty where its request cannot be made, which the preflight refuses.
    """

    num: int
    overrides: tuple[str, ...]
    task_overrides: tuple[str, ...]
    config: RunConfig
    directory: Path
    output_subdir: str | None
    composed: Callable[[], Composed]
    fingerprint: str = ""

    def run(self, label: str = "") -> Run:
        """Return the job as the engine takes it."""
        return Run(self.num, self.config, self.directory, self.task_overrides, label)

    def create_directory(self) -> None:
        """Make the run's directory with its `.hydra/` files; raises `DiskError`."""
        with disk_errors(self.directory):
            self.directory.mkdir(parents=True, exist_ok=True)
        if self.output_subdir is not None:
            found = self.composed()
            Documents(found.task, found.overrides, found.hydra).write(self.directory / self.output_subdir)
