"""Make the page's data: which axes vary, where each run stands on them, and what is known of it, which changes."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from runner.artifacts.redaction import redacted
from runner.artifacts.result import Result
from runner.artifacts.result_file import NAME
from runner.artifacts.run_status import RunStatus
from runner.config.run import Budget, RunConfig
from runner.display.label import Labels
from runner.display.line import called
from runner.display.shortening import Shortening
from runner.metrics.scores import ScoreTable
from runner.results.reading import RunGroup
from runner.results.run_key import RelativePaths, scores_of
from runner.results.state import state_of
from runner.results.totals import resume_command_for, totals, under
from runner.results.varying import ID, Varying, typed, varying
from runner.shell import command, word

from .cell import HOW, CellPlace, ConfigDiff, address, cell
from .page import Heading, MediaTaker

_LONGEST = 200
"""Characters of a value that an axis names."""

SWEEP = "sweep"
"""The axis of several sweeps."""


_LABEL = 120
"""Columns of what tells a run from its siblings."""

_NOTE = 160
"""Columns of a prompt below what its row is called."""

_PROMPTS = ("request.prompt", "request.negative_prompt")
_FILE = "request.prompt_file"
_GROUPS = ("provider", "model", "request")


@dataclass(frozen=True, slots=True)
class Axes:
    """Hold the page's axes, each run's index on each of them, and what tells it from its siblings.

    An axis may have `notes`, the prompt that each of its values stands for, and be `of` another: each value of that
    one has one of its own, so that it can be chosen but tells nothing more.
    """

    axes: list[dict[str, Any]]  # Any: JSON
    places: list[list[int | None]]
    labels: list[str]


@dataclass(slots=True)
class _Axis:
    key: str
    values: list[Any]  # Any: JSON scalars
    places: list[int | None]
    of: str | None = None
    notes: list[str] | None = None

    @property
    def json(self) -> dict[str, Any]:  # Any: JSON
        more = {"of": self.of, "notes": self.notes}
        name = self.key.removeprefix("request.")
        return {"key": self.key, "name": name, "values": self.values} | {k: v for k, v in more.items() if v is not None}

    @property
    def column(self) -> list[Any]:  # Any: JSON scalars
        """Return each run's value."""
        return [None if place is None else self.values[place] for place in self.places]


def axes_of(results: Sequence[Result], sweeps: Sequence[int], names: Sequence[str]) -> Axes:
    """Return the axes of all runs; `sweeps` has the number of each one's sweep, whose names are `names`."""
    differing = varying([result.overrides for result in results], [result.config for result in results])
    shown = [(number, key) for number, key in enumerate(differing.keys) if re.split("[./]", key)[0] not in HOW]
    rows = [*zip(differing.rows, results, strict=True)]
    columns = {key: [_value(key, row[number], result) for row, result in rows] for number, key in shown}
    if ID in columns:
        columns[ID] = _row_names(results)
    found = [_axis(key, column) for key, column in columns.items()]
    labels = Labels(
        Varying((*columns,), tuple(zip(*(axis.column for axis in found), strict=True)) or ((),) * len(rows))
    )
    if len(names) > 1:
        values = [*names] if len({*names}) == len(names) else [f"{number}: {name}" for number, name in enumerate(names)]
        found.append(_Axis(SWEEP, values, [*sweeps]))
    found = _once(_without_filled(found, results), results)
    places = [list(place) for place in zip(*(axis.places for axis in found), strict=True)] or [[] for _ in results]
    return Axes([axis.json for axis in found], places, [labels.label(row, _LABEL) for row in range(len(results))])


def _row_names(results: Sequence[Result]) -> list[object]:
    """Return what the rows are called, with their tables where two have a row of the same name."""
    rows = [result.config.run for result in results]
    named = {(row.id, row.table) for row in rows}
    if len({name for name, _ in named}) == len(named):
        return [row.id for row in rows]
    return [row.id and f"{row.id} · {row.table}" for row in rows]


def _without_filled(found: Sequence[_Axis], results: Sequence[Result]) -> list[_Axis]:
    """Return the axes without prompts that others fill or choose: a row, a file, `vars`.

    What chooses a prompt alone has it as a note. Where templates were swept over, those are the axis.
    """
    others = [axis for axis in found if axis.key not in _PROMPTS]
    if not any(axis.key in (ID, _FILE) or axis.key.startswith("vars.") for axis in others):
        return [*found]
    kept: list[_Axis] = []
    for axis in found:
        if axis.key not in _PROMPTS:
            kept.append(axis)
            continue
        templates = _axis(axis.key, [typed(result.overrides, axis.key) for result in results])
        if len({*templates.places}) > 1:
            fewer = len(templates.values) < len(axis.values) and _decide([*others, templates], axis)
            kept.append(templates if fewer else axis)
        elif not _decide(others, axis):
            kept.append(axis)
        elif axis.key == _PROMPTS[0]:
            chooser = next((each for each in others if each.key != SWEEP and _decide([each], axis)), None)
            if chooser is not None:
                chooser.notes = _notes(chooser, [result.config.request.prompt for result in results])
    rows = next((axis for axis in others if axis.key == ID), None)
    if rows is not None and rows.notes is None and any("prompt" in result.config.vars for result in results):
        # What the rows fill into a template.
        own = [result.config.vars.get("prompt", result.config.request.prompt) for result in results]
        rows.notes = _notes(rows, own)
    return kept


def _once(found: Sequence[_Axis], results: Sequence[Result]) -> list[_Axis]:
    """Return the axes, of which those that say of which other they are tell nothing that it does not tell.

    The cells of a row are of its name, and left out where each row has another; what `vars` fill is of those.
    """
    rows = next((axis for axis in found if axis.key == ID), None)
    words = [axis for axis in found if axis.key.startswith("vars.")]
    kept: list[_Axis] = []
    for axis in found:
        swept = len({typed(result.overrides, axis.key) for result in results}) > 1
        if axis.key in (ID, SWEEP):
            pass
        elif rows is not None and (not swept or axis.key in _GROUPS) and _decide([rows], axis):
            if axis.key not in _GROUPS and len({*axis.places}) == len({*rows.places}):
                continue
            axis.of = ID
        elif not swept:
            word = next((each for each in words if each is not axis and _decide([each], axis)), None)
            axis.of = None if word is None else word.key
        kept.append(axis)
    return kept


def _decide(axes: Sequence[_Axis], other: _Axis) -> bool:
    """Return whether runs that stand at one place on all the axes stand at one place on the other, too."""
    known: dict[tuple[int | None, ...], int | None] = {}
    pairs = zip(zip(*(axis.places for axis in axes), strict=True), other.places, strict=True)
    return all(known.setdefault(place, own) == own for place, own in pairs)


def _notes(axis: _Axis, prompts: Sequence[object]) -> list[str]:
    """Return a prompt for each of the axis' values; `prompts` has each run's."""
    found = [""] * len(axis.values)
    for place, prompt in zip(axis.places, prompts, strict=True):
        if place is not None and isinstance(prompt, str):
            found[place] = prompt
    shortening = Shortening(found)
    return [shortening.short(prompt, _NOTE) for prompt in found]


def _value(key: str, value: object, result: Result) -> object:
    """Return the run's value; where its own sweep did not choose the model or the provider, the one that it has."""
    if value is None and key in ("model", "provider"):
        return result.config.model.name if key == "model" else result.config.provider.kind
    # The override's text, in which key and value cannot be told apart.
    return _held(result.config, key) or value if isinstance(value, str) and value[:1] in ("{", "[") else value


def _held(config: RunConfig, key: str) -> object:
    """Return what the config has at a dotted key; None if it has nothing."""
    node: Any = config  # Any: what a config may hold
    for name in key.split("."):
        if isinstance(node, BaseModel):
            node = dict(node)  # its fields
        node = node.get(name) if isinstance(node, dict) else None
    return node


def _axis(key: str, column: Sequence[object]) -> _Axis:
    """Return the values in the order of the runs; None is no value."""
    name = key.rpartition(".")[2]
    numbers: dict[str, int] = {}
    known: list[object] = []
    places: list[int | None] = []
    for value in column:
        if value is None:
            places.append(None)
            continue
        # 1, 1.0 and true are equal in Python, and three values on the page.
        text = _json(value)
        if text not in numbers:
            numbers[text] = len(known)
            known.append(redacted({name: json.loads(text)})[name])
        places.append(numbers[text])
    return _Axis(key, _shown(known), places)


def _json(value: object) -> str:
    return json.dumps(
        value,
        ensure_ascii=False,
        default=lambda held: held.model_dump(mode="json") if isinstance(held, BaseModel) else str(held),
    )


def _shown(values: Sequence[object]) -> list[Any]:  # Any: JSON scalars
    """Return the values as JSON scalars that are short and unlike each other."""
    scalars = [_scalar(value) for value in values]
    shortening = Shortening(value for value in scalars if isinstance(value, str) and len(value) > _LONGEST)
    shown: list[object] = []
    taken: set[object] = set()
    for value in scalars:
        short = shortening.short(value, _LONGEST) if isinstance(value, str) and len(value) > _LONGEST else value
        if short in taken and isinstance(short, str):
            short = f"{short} ({len(shown) + 1})"
        taken.add(short)
        shown.append(short)
    return shown


def _scalar(value: object) -> object:
    if isinstance(value, bool | int | float):
        text = _json(value)
        return text if text in ("NaN", "Infinity", "-Infinity") else value
    return value if isinstance(value, str) else _json(value)


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
