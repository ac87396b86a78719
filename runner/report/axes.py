"""Find the axes of a page: what varies between its runs, and where each run stands."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from runner.artifacts.redaction import redacted
from runner.artifacts.result import Result
from runner.config.run import RunConfig
from runner.display.label import Labels
from runner.display.shortening import Shortening
from runner.results.varying import ID, Varying, typed, varying

from .config_diff import HOW

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
