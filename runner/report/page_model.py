"""Make the page's data: where each run stands on which axes, found once, and what is known of it, which changes."""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from runner.artifacts.result import Result
from runner.artifacts.result_file import NAME
from runner.artifacts.run_status import RunStatus
from runner.config.run import Budget
from runner.display.line import called
from runner.metrics.scores import ScoreTable
from runner.results.money import resume_command_for, under
from runner.results.reading import RunGroup
from runner.results.run_key import RelativePaths
from runner.results.run_scores import scores_of
from runner.results.state import state_of
from runner.results.totals import totals
from runner.shell import command, word

from .axes import axes_of
from .cell import CellPlace, address, cell
from .config_diff import ConfigDiff
from .page import Heading, MediaTaker

_NAMED = 3
"""So many sweeps stand in the title."""

Cell = dict[str, Any]
"""Any: JSON."""


class PageModel:
    """Hold the runs of one page. A run's `position` is its place among all of them."""

    def __init__(self, sweeps: Sequence[RunGroup], directory: Path, budgets: Sequence[Budget]) -> None:
        """Take the page's `directory`, to which all addresses are relative, and each sweep's budget."""
        # Without the runs' results, which change: only a `PageState` has them.
        self.sweeps = [replace(sweep, runs=[]) for sweep in sweeps]
        self.budgets = budgets
        self.title = _title([_called(sweep) for sweep in sweeps])
        self.relative_paths = RelativePaths(directory)
        self._here = RelativePaths(Path())
        self._sweep = functools.cache(RelativePaths)
        self._rows = [
            (number, where, index)
            for number, sweep in enumerate(sweeps)
            for (where, _), index in zip(sweep.runs, _numbers(sweep), strict=True)
        ]
        results = [result for sweep in sweeps for _, result in sweep.runs]
        self.owners = [number for number, _, _ in self._rows]
        self.axes = axes_of(results, self.owners, [sweep.name for sweep in sweeps])
        self.flatten = ConfigDiff([result.config for result in results])
        self.scores: list[ScoreTable] = []
        self.read_scores()

    def read_scores(self) -> bool:
        """Read anew what metrics gave the files; returns whether there is anything."""
        self.scores = [
            scores_of(
                sweep.directory,
                (place for owner, run, _ in self._rows if owner == number for place in (sweep.resumed_by(run), run)),
            )
            for number, sweep in enumerate(self.sweeps)
        ]
        return any(self.scores)

    def place(self, position: int) -> CellPlace:
        """Return where the run stands."""
        number, where, index = self._rows[position]
        return CellPlace(
            sweep=number,
            name=self._sweep(self.resumed_by(position)).name(where),
            number=index,
            at=self.axes.places[position],
            label=self.axes.labels[position],
            own=self.flatten.own(position),
            directory=self.relative_paths.relative(where),
            typed=word(self._here.relative(where)),
        )

    def where(self, position: int) -> Path:
        """Return the run's directory."""
        return self._rows[position][1]

    def resumed_by(self, position: int) -> Path:
        """Return the directory to resume for this run."""
        number, where, _ = self._rows[position]
        return self.sweeps[number].resumed_by(where)


class PageState:
    """Hold what is known of a page's runs at one moment."""

    def __init__(
        self,
        page_model: PageModel,
        results: Sequence[Result],
        busy: Collection[int],
        refresh_seconds: int = 3,
        ratings: Mapping[str, str] | None = None,
    ) -> None:
        """Take the runs' results; `busy` has the numbers of the sweeps that are at work, `ratings` is the heading's."""
        self._page_model = page_model
        self._results = results
        self._busy = busy
        self._refresh_seconds = refresh_seconds
        self._ratings = ratings
        self._commands = [self._command(number, sweep) for number, sweep in enumerate(page_model.sweeps)]

    @property
    def heading(self) -> Heading:
        """Return what the page tells beside its cells."""
        page = self._page_model
        return Heading(
            title=page.title,
            complete=not self._busy,
            sweeps=[
                {
                    "directory": address(page.relative_paths.relative(sweep.directory)),
                    "name": sweep.name,
                    "resume": command,
                    "budget_usd": budget.max_usd,
                    "stored": sweep.stored or None,
                }
                for sweep, command, budget in zip(page.sweeps, self._commands, page.budgets, strict=True)
            ],
            axes=page.axes.axes,
            shared=page.flatten.shared,
            refresh_seconds=self._refresh_seconds,
            ratings=self._ratings,
        )

    def totals(self, reserved: float = 0.0) -> dict[str, object]:
        """Return the page's sums; a budget only where every sweep has one.

        `reserved` are the US dollars of requests that no result has yet.
        """
        pairs = zip(self._page_model.owners, self._results, strict=True)
        states = [state_of(result.status, busy=owner in self._busy) for owner, result in pairs]
        limits = [budget.max_usd for budget in self._page_model.budgets]
        known = [limit for limit in limits if limit is not None]
        return totals(self._results, states, sum(known) if known and len(known) == len(limits) else None, reserved)

    def cells(self, taker: MediaTaker | None = None) -> Iterator[Cell]:
        """Return all runs, one after the other, their files where `taker` takes them."""
        return (self.cell(position, taker) for position in range(len(self._results)))

    def cell(self, position: int, taker: MediaTaker | None = None) -> Cell:
        """Return one run."""
        result, owner = self._results[position], self._page_model.owners[position]
        busy = owner in self._busy
        place = self._page_model.place(position)
        over_budget = result.error is not None and result.error.type == "BudgetError"
        resume = self._commands[owner] if over_budget else None
        resume = resume or resume_command_for([result], self._page_model.resumed_by(position))
        where = self._page_model.where(position)
        sweep, here = self._page_model.sweeps[owner].directory, not self._page_model.sweeps[owner].url
        inside = functools.partial(taker.take, sweep, where) if taker else None
        # A run that was not started may have left nothing yet.
        begun = result.status is not RunStatus.PLANNED or (not busy and (where / NAME).is_file())
        return cell(
            place,
            result,
            busy=busy,
            resume=resume if here and not busy else None,
            repeatable=begun and here,
            scores=self._page_model.scores[owner],
            inside=inside,
        )

    def _command(self, number: int, sweep: RunGroup) -> str | None:
        """Return the command that resumes a sweep; None if nothing is left, or if no command resumes all its runs."""
        if not sweep.whole or sweep.url:  # nothing in a storage is resumed there
            return None
        way = sweep.resumed_by(sweep.directory)
        if number in self._busy:  # for a user who finds it stopped
            return command("resume", way)
        pairs = zip(self._page_model.owners, self._results, strict=True)
        own = [result for owner, result in pairs if owner == number]
        if any(result.error is not None and result.error.type == "BudgetError" for result in own):
            own = [under(self._page_model.budgets[number], result) for result in own]
        return resume_command_for(own, way) if own else None


def _title(names: Sequence[str]) -> str:
    return ", ".join([*names[:_NAMED], *([f"{len(names) - _NAMED} more"] if len(names) > _NAMED else [])])


def _called(sweep: RunGroup) -> str:
    """Return the sweep's own name, if it has one, with its directory."""
    config = sweep.runs[0][1].config if sweep.runs else None
    name = called(config.name, config.tags) if config else ""
    return " · ".join(filter(None, [name, sweep.url or str(sweep.directory)]))


def _numbers(sweep: RunGroup) -> Iterable[int]:
    """Return the runs' own numbers, or their places where two have the same, as single runs all have."""
    own = [result.index for _, result in sweep.runs]
    return own if len({*own}) == len(own) else range(len(own))
