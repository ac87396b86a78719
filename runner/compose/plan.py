"""Turn override lists into planned runs: each composed once, resolved while HydraConfig is set to it, validated."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.utils import setup_globals
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from runner.artifacts.atomic import disk_errors
from runner.config import Problem, RunConfig
from runner.engine.run import Run
from runner.errors import ConfigError, RunnerError
from runner.ledger import fingerprint

from .composer import Composed, Composer
from .composition_error import collected, problem_of
from .documents import Documents
from .examination import load_resolved, misplaced, not_kept, outside
from .guards import ConfigGuard
from .preflight import Finding

_COMPOSING_ERRORS = (HydraException, OmegaConfBaseException, RunnerError, ValueError, KeyError)


@dataclass(frozen=True, slots=True)
class Composition:
    """Describe what only Hydra wants to know of a planned run.

    Attributes:
        config: composes its whole config again, as callbacks and `JobReturn` see it.
        composed: gives what its `.hydra/` files hold.
        output_subdir: where these go, relative to the run's directory; None: nowhere.
    """

    config: Callable[[], DictConfig]
    composed: Callable[[], Composed]
    output_subdir: str | None

    def create_directory(self, directory: Path) -> None:
        """Make the run's directory with its `.hydra/` files; raises `DiskError`."""
        with disk_errors(directory):
            directory.mkdir(parents=True, exist_ok=True)
        if self.output_subdir is not None:
            found = self.composed()
            Documents(found.task, found.overrides, found.hydra).write(directory / self.output_subdir)


@dataclass(slots=True)
class Plan:
    """Hold the runs that could be composed (if need be without what is wrong with them) and what is wrong with any.

    `compositions` has what Hydra wants to know of each run, by its index.
    """

    runs: list[Run] = field(default_factory=list)
    compositions: dict[int, Composition] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    total: int = 0


class Planner:
    """Plan the runs of one sweep."""

    def __init__(self, config_loader: ConfigLoader, master: DictConfig) -> None:
        self._loader = config_loader
        self._composer = Composer(config_loader, master, inspect=ConfigGuard().refuse)
        self._interned: dict[tuple[str, str], Any] = {}  # Any: provider and model configs

    def plan(self, batch: Sequence[Sequence[str]], first: int = 0) -> Plan:
        """Compose, resolve and validate every run; errors become findings, never exceptions."""
        setup_globals()
        plan = Plan(total=len(batch))
        for index, overrides in enumerate(batch, first):
            found, problems = collected(overrides, functools.partial(self._planned, index), self._problems)
            plan.findings += [Finding(index, problem) for problem in problems]
            if found is not None:
                run, plan.compositions[index] = found
                plan.runs.append(run)
        return plan

    def _problems(self, error: Exception) -> Problem:
        if not isinstance(error, _COMPOSING_ERRORS):
            raise error
        return problem_of(error, self._loader)

    def _planned(self, index: int, overrides: Sequence[str]) -> tuple[tuple[Run, Composition] | None, list[Problem]]:
        composed = self._composer.composed(overrides, index)
        found = composed()
        config, problems = load_resolved(found.resolved, found.overrides, found.task, {"hydra": found.hydra})
        problems += not_kept(found.job)
        problems += outside(found.directory, found.sweep)
        problems += misplaced(found.output_subdir)
        if config is None:
            return None, problems
        run = new_run(index, self._shared(config), found.directory, found.overrides)
        whole = functools.partial(self._composer.config, tuple(overrides), index, run.directory)
        return (run, Composition(whole, composed, found.output_subdir)), problems

    def _shared(self, config: RunConfig) -> RunConfig:
        """Return the same config, holding the provider and model objects of earlier runs where they are equal."""
        sections = ("provider", "model", "fallbacks") if config.fallbacks else ("provider", "model")
        known = {name: (name, repr(getattr(config, name))) for name in sections}
        return config.model_copy(
            update={name: self._interned.setdefault(key, getattr(config, name)) for name, key in known.items()}
        )


def new_run(index: int, config: RunConfig, directory: Path, overrides: Sequence[str]) -> Run:
    """Return a run that is planned, with its fingerprint: every input file is read for it, and only here."""
    work = ""
    with suppress(ConfigError):
        work = fingerprint(config)
    return Run(index, config, directory, tuple(overrides), fingerprint=work)
