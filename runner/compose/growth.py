"""Let a sweep grow: its runs keep the numbers and directories that they have, and new ones come after them."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from runner.config.problem import Problem, ranges
from runner.ledger.ledger_index import LedgerEntry, LedgerIndex

from .plan import Plan, Planned, Planner
from .preflight import Finding, strangers
from .slug import SLUG

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
