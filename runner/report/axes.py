"""What varies between the runs of a page, as axes: the values of each parameter, and where each run stands."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from runner.artifacts.redaction import redacted
from runner.artifacts.result import Result
from runner.config import RunConfig
from runner.config.varying import varying

from .leaves import HOW

_LONGEST = 200
"""Characters of a value that an axis names."""

SWEEP = "sweep"
"""The axis of several sweeps."""


@dataclass(frozen=True, slots=True)
class Axes:
    """Axes as the page has them, for each run its index on each of them, and what tells it from its siblings."""

    axes: list[dict[str, Any]]  # Any: JSON
    places: list[list[int | None]]
    labels: list[str]


def axes_of(results: Sequence[Result], sweeps: Sequence[int], names: Sequence[str]) -> Axes:
    """The axes of all runs; `sweeps` has the number of each one's sweep, whose names are `names`."""
    differing = varying([result.overrides for result in results], [result.config for result in results])
    shown = [(number, key) for number, key in enumerate(differing.keys) if _section(key) not in HOW]
    rows = [*zip(differing.rows, results, strict=True)]
    found = [_axis(key, [_value(key, row[number], result) for row, result in rows]) for number, key in shown]
    if len(names) > 1:
        values = [*names] if len({*names}) == len(names) else [f"{number}: {name}" for number, name in enumerate(names)]
        found.append(({"key": SWEEP, "name": SWEEP, "values": values}, [*sweeps]))
    places = [list(place) for place in zip(*(column for _, column in found), strict=True)] or [[] for _ in results]
    return Axes([axis for axis, _ in found], places, [_label(found, place) for place in places])


def _section(key: str) -> str:
    return key.partition(".")[0].partition("/")[0]


def _value(key: str, value: object, result: Result) -> object:
    """The run's value; where its own sweep did not choose the model or the provider, the one that it has."""
    if value is None and key in ("model", "provider"):
        return result.config.model.name if key == "model" else result.config.provider.kind
    # An override's own text, in which no key could be told from a value.
    return _held(result.config, key) or value if isinstance(value, str) and value[:1] in ("{", "[") else value


def _held(config: RunConfig, key: str) -> object:
    """What the config has at a dotted key; None if it has nothing."""
    node: Any = config  # Any: what a config may hold
    for name in key.split("."):
        if isinstance(node, BaseModel):
            node = dict(node)  # its fields
        node = node.get(name) if isinstance(node, dict) else None
    return node


def _axis(key: str, column: Sequence[object]) -> tuple[dict[str, Any], list[int | None]]:  # Any: JSON
    """The values in the order of the runs; None is no value."""
    name = key.rpartition(".")[2]
    numbers: dict[str, int] = {}
    values: list[object] = []
    places: list[int | None] = []
    for value in column:
        if value is None:
            places.append(None)
            continue
        # 1, 1.0 and true are equal in Python, and three values on the page.
        text = _json(value)
        if text not in numbers:
            numbers[text] = len(values)
            known = redacted({name: json.loads(text)})[name]
            values.append(_shown(known, _json(known), values))
        places.append(numbers[text])
    return {"key": key, "name": key.removeprefix("request."), "values": values}, places


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=_plain)


def _plain(value: Any) -> object:  # Any: what a config may hold
    return value.model_dump(mode="json") if hasattr(value, "model_dump") else str(value)


def _shown(value: object, text: str, others: Sequence[object]) -> object:
    """A value as a JSON scalar that is short and unlike the others."""
    if isinstance(value, bool | int | float):
        return value if text not in ("NaN", "Infinity", "-Infinity") else text
    full = str(value) if isinstance(value, str) else text
    short = full if len(full) <= _LONGEST else f"{full[: _LONGEST - 1]}…"
    return short if short not in others else f"{short} ({len(others) + 1})"


def _label(found: Sequence[tuple[dict[str, Any], object]], place: Sequence[int | None]) -> str:  # Any: JSON
    pairs = ((axis["name"], axis["values"][at]) for (axis, _), at in zip(found, place, strict=True) if at is not None)
    return " ".join(f"{name}={value}" for name, value in pairs if name != SWEEP)
