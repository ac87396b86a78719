"""What Hydra offers a job and one process for all of them cannot keep: a working directory, an environment."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from runner.artifacts.result_file import NAME
from runner.config import Problem

_NO_CHDIR = "cannot be true: all runs share one process, which has one working directory"
_NO_ENV_SET = "all runs share one process, and the values would be written to disk"
_EXPORT = "export the variables before the command, or put them into .env"


def unsupported(config: DictConfig) -> list[Problem]:
    """Return what cannot be done of what a run's `hydra` node asks for."""
    return [*not_kept(config.hydra.job), *misplaced(config.hydra.output_subdir)]


def misplaced(subdir: str | None) -> list[Problem]:
    """Return why Hydra's files cannot be written to `subdir`, if so."""
    if subdir is None or (Path(subdir).parts[:1] not in ((), (NAME,)) and ".." not in Path(subdir).parts):
        return []
    message = f"{subdir} is not a folder of the run's own"
    return [Problem("hydra.output_subdir", message, "hydra.output_subdir=.hydra, or null for none")]


def outside(directory: Path, sweep: Path) -> list[Problem]:
    """Return why a run is not written to `directory`, if that is not below its `sweep`'s: names may come of prompts."""
    if directory != sweep and directory.is_relative_to(sweep):
        return []
    message = f"{str(directory)[:200]} is no directory below the sweep's, {sweep}"
    return [Problem("hydra.sweep.subdir", message, "hydra.sweep.subdir='${hydra.job.num}'")]


def not_kept(job: Mapping[str, Any]) -> list[Problem]:  # Any: a config
    """Return what the `hydra.job` node asks for that a process with many runs has not."""
    problems = []
    if job["chdir"]:
        problems.append(Problem("hydra.job.chdir", _NO_CHDIR, "hydra.job.chdir=false; every run has its own directory"))
    if job["env_set"]:
        names = ", ".join(sorted(map(str, job["env_set"])))
        problems.append(Problem("hydra.job.env_set", f"cannot be set ({names}): {_NO_ENV_SET}", _EXPORT))
    return problems
