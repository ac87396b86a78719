"""Plan runs: from what is typed and what configs sweep over to overrides, each set composed once and validated."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.core.config_loader import ConfigLoader
from hydra.core.utils import setup_globals
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from runner.artifacts.atomic import make_directory
from runner.config.loading import Known
from runner.config.problem import Problem
from runner.engine.run import Run
from runner.errors import RunnerError
from runner.ledger.reuse import new_run

from .composer import Composed, Composer
from .composition_error import problem_of
from .documents import Documents, Renderer
from .examination import load_resolved, unsupported
from .guards import ConfigGuard
from .preflight import Finding, collected

if TYPE_CHECKING:
    from .growth import Growth


_COMPOSING_ERRORS = (HydraException, OmegaConfBaseException, RunnerError, ValueError, KeyError)


@dataclass(frozen=True, slots=True)
class Composition:
    """Describe what only Hydra wants to know of a planned run.

    Attributes:
        composer: composes it again from its `overrides`, `index` and `directory`.
        composed: gives what its `.hydra/` files hold.
        output_subdir: where these go, relative to the run's directory; None: nowhere.
        renderer: renders them, for all runs of the sweep.
    """

    composer: Composer
    overrides: Sequence[str]
    index: int
    directory: Path
    composed: Callable[[], Composed]
    output_subdir: str | None
    renderer: Renderer

    def config(self) -> DictConfig:
        """Compose its whole config again, as callbacks and `JobReturn` see it."""
        return self.composer.config(self.overrides, self.index, self.directory)

    def create_directory(self, directory: Path) -> None:
        """Make the run's directory with its `.hydra/` files; raises `DiskError`."""
        if self.output_subdir is None:
            make_directory(directory)
            return
        found = self.composed()
        Documents(found.task, found.hydra["overrides"]["task"], found.hydra).write(
            directory / self.output_subdir, self.renderer
        )


Planned = tuple[tuple[Run, Composition] | None, list[Problem]]
"""A run, if it could be composed, and what is wrong with it."""


@dataclass(slots=True)
class Plan:
    """Hold the runs that could be composed (if need be without what is wrong with them) and what is wrong with any.

    Attributes:
        compositions: what Hydra wants to know of each run, by its index.
        overrides: of each run, in their order.
        total: how many runs there are.
        growth: how they go on with a sweep that lies in their directory; None where none does.
    """

    runs: list[Run] = field(default_factory=list)
    overrides: list[Sequence[str]] = field(default_factory=list)
    compositions: dict[int, Composition] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    total: int = 0
    growth: Growth | None = None

    def add(self, index: int, overrides: Sequence[str], planned: Planned) -> None:
        """Add a run."""
        found, problems = planned
        self.total += 1
        self.overrides.append(overrides)
        self.findings += [Finding(index, problem) for problem in problems]
        if found is not None:
            run, self.compositions[index] = found
            self.runs.append(run)


class Planner:
    """Plan the runs of one sweep."""

    def __init__(self, config_loader: ConfigLoader, master: DictConfig) -> None:
        self._loader = config_loader
        self._composer = Composer(config_loader, master, inspect=ConfigGuard().refuse)
        self._known: Known = {}
        self._renderer = Renderer()

    def plan(
        self,
        batch: Sequence[Sequence[str]],
        first: int = 0,
        drops: Callable[[int, Run], bool] = lambda _place, _run: False,
    ) -> Plan:
        """Compose, resolve and validate every run; errors become findings, never exceptions.

        `drops` says of each run and its place in the batch whether it is left out; those after it move up.
        """
        setup_globals()
        plan = Plan()
        for place, overrides in enumerate(batch):
            index = first + plan.total
            found, problems = self.planned(index, overrides)
            if found is None or not drops(place, found[0]):
                plan.add(index, overrides, (found, problems))
        return plan

    def planned(self, index: int, overrides: Sequence[str], directory: Path | None = None) -> Planned:
        """Compose, resolve and validate one run, in `directory` if it is there already."""
        return collected(overrides, functools.partial(self._planned, index, directory), self._problems)

    def _problems(self, error: Exception) -> Problem:
        if not isinstance(error, _COMPOSING_ERRORS):
            raise error
        return problem_of(error, self._loader)

    def _planned(self, index: int, directory: Path | None, overrides: Sequence[str]) -> Planned:
        composed = self._composer.composed(overrides, index)
        if directory is not None:
            composed = functools.partial(_located, composed, directory)
        found = composed()
        typed, written = found.overrides, (found.task, {"hydra": found.hydra})
        config, problems = load_resolved(found.resolved, typed, *written, known=self._known)
        problems += unsupported(found.job, found.output_subdir)
        if found.directory == found.sweep or not found.directory.is_relative_to(found.sweep):
            problems.append(_outside(found.directory, found.sweep))
        if config is None:
            return None, problems
        run = new_run(index, config, found.directory, typed)
        subdir = found.output_subdir
        whole = Composition(self._composer, overrides, index, run.directory, composed, subdir, self._renderer)
        return (run, whole), problems


def _located(composed: Callable[[], Composed], directory: Path) -> Composed:
    """Return what a run's config amounts to with another directory than it names."""
    found = composed()
    hydra = {**found.hydra, "runtime": {**found.hydra["runtime"], "output_dir": str(directory)}}
    return replace(found, hydra=hydra, directory=directory)


def _outside(directory: Path, sweep: Path) -> Problem:
    """Return why a run is not written there: names may come of prompts."""
    message = f"{str(directory)[:200]} is no directory below the sweep's, {sweep}"
    return Problem("hydra.sweep.subdir", message, "hydra.sweep.subdir='${hydra.job.num}'")
