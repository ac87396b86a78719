"""Plan runs, from what is typed to validated configs with numbers and directories, which a sweep that grows keeps."""

from __future__ import annotations

import functools
import itertools
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from hydra.core.config_loader import ConfigLoader
from hydra.core.utils import setup_globals
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from runner.artifacts.atomic import make_directory
from runner.config.loading import Known
from runner.config.problem import Problem, ranges
from runner.engine.run import Run
from runner.errors import RunnerError
from runner.ledger.other_runs import LedgerEntry, LedgerIndex
from runner.ledger.reuse import new_run

from .composer import Composed, Composer
from .composition_error import problem_of
from .documents import Documents, Renderer
from .examination import load_resolved, unsupported
from .guards import ConfigGuard
from .preflight import Finding, collected, strangers
from .slug import SLUG

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
        advance: Callable[[int, int], object] = lambda _done, _all: None,
    ) -> Plan:
        """Compose, resolve and validate every run; errors become findings, never exceptions.

        `drops` says of each run and its place in the batch whether it is left out; those after it move up.
        `advance` is told how many of all are done.
        """
        setup_globals()
        plan = Plan()
        for place, overrides in enumerate(batch):
            advance(place, len(batch))
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


_SLUG = f"++{SLUG}="


@dataclass(frozen=True, slots=True)
class Growth:
    """Describe how planned runs go on with the sweep in their directory.

    Attributes:
        sweep: the directory, as it was typed.
        new: indexes of the runs that it does not have yet.
        others: indexes of those that it has and that are not asked for.
    """

    sweep: Path
    new: tuple[int, ...]
    others: tuple[int, ...]

    def lines(self) -> Iterator[str]:
        """Yield what is said of it: one line, or none where the runs are the same."""
        parts = []
        if self.new:
            parts.append(f"{len(self.new):,} new run{'s' * (len(self.new) > 1)} ({ranges(self.new)})")
        if len(self.others) == 1:
            parts.append(f"run {self.others[0]} is there, is not asked for, and stays")
        elif self.others:
            parts.append(f"runs {ranges(self.others)} are there, are not asked for, and stay")
        if parts:
            yield f"{self.sweep}: {'; '.join(parts)}"


def grown(planner: Planner, plan: Plan, sweep: Path) -> Plan:
    """Return the plan with the numbers and directories that the ledger in `sweep` has for its runs.

    Where it knows none of them, the plan is returned as it is, and says so as a problem. Raises `LedgerError`.
    """
    place = Path(os.path.abspath(sweep))  # noqa: PTH100 - as the ledger's index makes paths
    ledgers = LedgerIndex()
    there = ledgers.runs_of(place)
    known = {entry.fingerprint: (entry.index, directory) for directory, entry in there.items()}
    if place in there or not any(run.fingerprint in known for run in plan.runs):
        plan.findings += [Finding(None, problem) for problem in _another(plan, place, ledgers)]
        return plan
    return _Renumbering(planner, plan, there).plan(sweep)


def _another(plan: Plan, place: Path, ledgers: LedgerIndex) -> Iterator[Problem]:
    """Yield why the runs must not be written into a directory that knows none of them, if it has a ledger."""
    if place in ledgers.runs_of(place):
        message = f"{place} holds a single run, which cannot become one of a sweep"
        yield Problem("hydra.sweep.dir", message, "choose another hydra.sweep.dir, with reuse=true for what is there")
    elif (problem := strangers(place, {run.directory for run in plan.runs}, ledgers)) is not None:
        yield problem


class _Renumbering:
    """Plan runs once more, under the numbers and in the directories that a ledger has for them."""

    def __init__(self, planner: Planner, plan: Plan, there: Mapping[Path, LedgerEntry]) -> None:
        self._planner = planner
        self._plan = plan
        self._runs = {run.index: run for run in plan.runs}
        self._there = there
        self._taken = set(there)
        free = {entry.fingerprint: (entry.index, directory) for directory, entry in there.items()}
        # The same work asked for twice is found once, so that the second is refused.
        self._known = {run.index: free.pop(run.fingerprint) for run in plan.runs if run.fingerprint in free}

    def plan(self, sweep: Path) -> Plan:
        """Return the plan, its runs by their numbers."""
        indexes = {entry.index for entry in self._there.values()}
        fits = all(self._known[at][0] == at if at in self._known else at not in indexes for at in self._places())
        following = itertools.count(max(indexes) + 1)
        made, new = [], []
        for at in self._places():
            index, directory = self._known.get(at, (None, None))
            if index is None:
                # Where nothing has to move, a lost ledger that was built anew gets its missing runs back.
                index = at if fits else next(following)
                new.append(index)
            made.append((index, self._moved(at, index, directory)))
        plan = Plan(growth=Growth(sweep, tuple(new), tuple(indexes - {index for index, _ in made})))
        for index, (overrides, planned) in sorted(made, key=lambda each: each[0]):
            plan.add(index, overrides, planned)
        return plan

    def _places(self) -> range:
        return range(self._plan.total)

    def _moved(self, at: int, index: int, directory: Path | None) -> tuple[Sequence[str], Planned]:
        """Return the run that was planned as the one with the number `at`, and its overrides."""
        overrides, run = self._plan.overrides[at], self._runs.get(at)
        if run is not None and index == at and run.directory == (directory or run.directory):
            problems = [problem for number, problem in self._plan.findings if number == at]
            planned: Planned = ((run, self._plan.compositions[at]), problems)
        else:
            planned = self._planner.planned(index, overrides, directory)
        if directory is None:
            overrides, planned = self._apart(index, overrides, planned)
        found, problems = planned
        if run is not None and found is not None and found[0].fingerprint != run.fingerprint:
            message = "what it asks for depends on its number, which is another one where a sweep grows"
            problems.append(Problem("", message, "take ${hydra.job.num} out, or choose another hydra.sweep.dir"))
        return overrides, planned

    def _apart(self, index: int, overrides: Sequence[str], planned: Planned) -> tuple[Sequence[str], Planned]:
        """Return a new run in a directory that is nobody's, if its name can be changed."""
        slug = next((line.removeprefix(_SLUG).strip("'") for line in overrides if line.startswith(_SLUG)), None)
        names = itertools.count(2)
        while slug is not None and planned[0] is not None and planned[0][0].directory in self._taken:
            line = f"{_SLUG}'{slug}-{next(names)}'"
            before, overrides = planned[0][0].directory, [line if _SLUG in each else each for each in overrides]
            planned = self._planner.planned(index, overrides)
            if planned[0] is not None and planned[0][0].directory == before:
                break
        if planned[0] is not None:
            self._taken.add(planned[0][0].directory)
        return overrides, planned
