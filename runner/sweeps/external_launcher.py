"""Check what an external launcher cannot keep to, and which of a sweep's runs it did not start."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from runner.artifacts.atomic import write_text
from runner.artifacts.result_file import NAME as RESULT
from runner.config.problem import Problem
from runner.errors import ConfigError, RunnerError
from runner.ledger.discover import has_ledger
from runner.shell import word

if TYPE_CHECKING:
    from runner.config.run import Budget, RunConfig

PLANNED = "planned.json"
"""In the sweep's directory: those of its runs, relative to it; each has a ledger of its own from when it is begun."""


class NotStartedError(RunnerError):
    """Tell that a sweep has runs that only its launcher can begin."""

    exit_code = 4

    def __init__(self, sweep: Path, count: int) -> None:
        runs, them = ("1 run was", "it") if count == 1 else (f"{count:,} runs were", "them")
        super().__init__(
            f"{runs} never begun, as the launcher of {sweep} ended too early; nothing was sent for {them}",
            hint=f"the sweep's own command begins {them} and repeats nothing, "
            f"given with hydra.sweep.dir={word(str(sweep))}",
        )


def unkept(budget: Budget) -> list[Problem]:
    """Return why jobs that know nothing of each other cannot keep to `budget`, if so."""
    if budget.max_usd is None:
        return []
    message = "cannot be kept by this hydra/launcher: each of its jobs sees only what it spends itself"
    hint = "hydra/launcher=runner keeps to it; budget.max_usd_per_run=N limits each run under any launcher"
    return [Problem("budget.max_usd", message, hint)]


def unbatched(configs: Iterable[RunConfig]) -> list[Problem]:
    """Return why jobs that know nothing of each other cannot go out in batches, if some are to."""
    if not any(config.batch for config in configs):
        return []
    message = "is for hydra/launcher=runner: under this one, each run would be a batch of its own"
    return [Problem("batch", message, "hydra/launcher=runner, or batch=false")]


def record_plan(sweep: Path, runs: Iterable[Path]) -> None:
    """Keep the directories that the sweep's runs will have; raises `DiskError`."""
    write_text(sweep / PLANNED, json.dumps([os.path.relpath(run, sweep) for run in runs]) + "\n")


def not_started(sweep: Path) -> int:
    """Return how many of the planned runs have left nothing; 0 for our own launcher's. Raises `ConfigError`."""
    return sum(not has_ledger(run) and not (run / RESULT).is_file() for run in _planned(sweep))


def unasked(sweep: Path, runs: Iterable[Path]) -> Problem | None:
    """Return why `runs` (absolute) must not take the place of a sweep's that has others, if so."""
    asked = {*runs}
    try:
        others = [run for run in _planned(sweep) if Path(os.path.abspath(run)) not in asked and has_ledger(run)]  # noqa: PTH100 - as Hydra makes paths
    except ConfigError:
        return None  # this command writes the plan again
    if not others:
        return None
    message = (
        f"{sweep} holds a sweep with {len(others)} other runs, and grows only at its end under this hydra/launcher"
    )
    return Problem("hydra.sweep.dir", message, "ask for all of its runs, in their order, and for new ones after them")


def _planned(sweep: Path) -> list[Path]:
    """Return the directories of the planned runs; none for our own launcher's. Raises `ConfigError`."""
    path = sweep / PLANNED
    if not path.is_file():
        return []
    try:
        return [sweep / name for name in json.loads(path.read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(
            f"{path} cannot be read: {error}", hint="the sweep's own command writes it again and repeats nothing"
        ) from error
