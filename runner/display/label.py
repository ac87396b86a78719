"""Tell each of many runs from its siblings on one line of few columns."""

from __future__ import annotations

from collections.abc import Sequence

from runner.engine.run import Run
from runner.results.varying import Varying, varying

from .line import clean, cut, one_line, width
from .shortening import Shortening, shares

_READABLE = 12
"""Columns of each value that matter more than the parameters' names."""


class Labels:
    """Make labels of what varies between runs, each when it is asked for."""

    def __init__(self, differing: Varying) -> None:
        self._names = [clean(key.removeprefix("request."), 60) for key in differing.keys]
        self._rows = differing.rows
        self._shortenings: dict[int, Shortening] = {}

    def label(self, row: int, columns: int) -> str:
        """Return one run's parameters, at most so many columns wide; where they are few, without names."""
        given = [(place, one_line(str(value))) for place, value in enumerate(self._rows[row]) if value is not None]
        named = " ".join(f"{self._names[place]}={text}" for place, text in given)
        if width(named) <= columns:
            return named
        wanted = [width(text) for _, text in given]
        names = [f"{self._names[place]}=" for place, _ in given]
        room = columns - len(given) + 1
        if sum(map(width, names)) + sum(min(each, _READABLE) for each in wanted) > room:
            names = ["" for _ in given]
        widths = shares(wanted, room - sum(map(width, names)))
        parts = zip(names, given, widths, strict=True)
        return cut(
            " ".join(f"{name}{self._short(place, text, share)}" for name, (place, text), share in parts), columns
        )

    def _short(self, place: int, text: str, columns: int) -> str:
        if width(text) <= columns:
            return text
        if place not in self._shortenings:
            self._shortenings[place] = Shortening(str(row[place]) for row in self._rows if row[place] is not None)
        return self._shortenings[place].short(text, columns)


class RunLabels:
    """Make labels of runs as they were planned; what tells them apart is looked for when a first one is asked for."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self._runs = runs
        self._labels: Labels | None = None
        self._places: dict[int, int] = {}

    def label(self, run: Run, columns: int) -> str:
        """Return one of the runs' label, at most so many columns wide."""
        if self._labels is None:
            # What was resumed may have come to a fallback.
            configs = [run.config if run.earlier is None else run.earlier.config for run in self._runs]
            self._places = {run.index: place for place, run in enumerate(self._runs)}
            self._labels = Labels(varying([run.overrides for run in self._runs], configs))
        return self._labels.label(self._places[run.index], columns)
