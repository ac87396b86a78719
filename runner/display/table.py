"""Make tables of a sweep's runs that fit the columns of a terminal."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.artifacts.result import Result
from runner.results.state import state_of
from runner.results.totals import EMULATED, charged, charges, totals
from runner.results.varying import varying

from .grid import Line
from .line import clean, padded, width
from .shortening import Shortening

if TYPE_CHECKING:
    pass


_NARROW = 60
"""Columns of a terminal below which the times are left out."""

_LEAST = 9
"""Columns that a parameter keeps, or it is left out: its name is to be read."""

_MOST = 40


@dataclass(slots=True)
class _Column:
    """Hold a head and the cells below it."""

    name: str
    cells: Sequence[str]
    right: bool = False
    columns: int = 0

    def __post_init__(self) -> None:
        self.columns = min(_MOST, max(self._values, width(self.name)))

    @property
    def _values(self) -> int:
        return max((width(cell) for cell in self.cells), default=0)

    def break_name(self) -> None:
        """Let the name stand on several lines, where that makes the column narrower."""
        self.columns = min(_MOST, max(self._values, *(width(piece) for piece in _pieces(self.name))))

    def head(self) -> list[str]:
        """Return the name on as many lines as it needs."""
        lines = [""]
        for piece in _pieces(self.name):
            if width(lines[-1] + piece) > self.columns and lines[-1]:
                lines.append("")
            lines[-1] += piece
        return lines


class _Parameter(_Column):
    """Hold values as they are until it is known how many columns they have."""

    def __init__(self, name: str, values: Sequence[str]) -> None:
        self._texts = values
        self._shortening = Shortening(values)
        super().__init__(name, [self._shortening.short(text, _MOST) for text in values])

    def shorten(self) -> None:
        self.cells = [self._shortening.short(text, self.columns) for text in self._texts]


def table(results: Sequence[Result], rows: Sequence[int], columns: int, *, busy: bool = False) -> Iterator[Line]:
    """Yield the results at positions `rows`, at most `columns` wide; parameters that do not fit are named below.

    `busy`: whether someone is at work on them.
    """
    gap = 2 if columns >= _NARROW else 1
    facts = _facts([results[row] for row in rows], columns, busy=busy)
    parameters = _parameters(results, rows)
    left = columns - sum(fact.columns + gap for fact in facts) + gap
    if sum(each.columns + gap for each in parameters) > left:
        for each in parameters:
            each.break_name()
    kept = _fitted(parameters, left, gap)
    shown = [facts[0], *kept, *facts[1:]]
    yield from _lines(shown, [_style(results[row]) for row in rows], " " * gap)
    if missing := [column.name for column in parameters[len(kept) :]]:
        yield Line(clean(f"not shown: {', '.join(missing)}"), "dim")


def by_model(results: Sequence[Result], columns: int, *, busy: bool = False) -> Iterator[Line]:
    """Yield a line for each model: its runs, how many of those that ended succeeded, their median latency, the cost."""
    several = len({result.provider for result in results}) > 1
    found: dict[str, list[Result]] = {}
    for result in results:
        found.setdefault(f"{result.provider} {result.model}" if several else result.model, []).append(result)
    sums = [totals(own, [state_of(each.status, busy=busy) for each in own], None) for own in found.values()]
    cells = [
        _Column("model", [*found]),
        _Column("runs", [f"{len(own):,}" for own in found.values()], right=True),
        _Column("done", [f"{each['done']:,}" for each in sums], right=True),
        _Column("success", [_share(each["success_rate"]) for each in sums], right=True),
        _Column("median s", [_figure(each["latency_p50"]) for each in sums], right=True),
        _Column(_money_name(results), [charges(own) for own in found.values()], right=True),
    ]
    gap = 2 if columns >= _NARROW else 1
    # The model's name stays whole, whatever is left out for that.
    while len(cells) > 2 and sum(each.columns + gap for each in cells) - gap > columns:
        cells.pop(1)
    yield from _lines(cells, [""] * len(found), " " * gap)


def _share(rate: object) -> str:
    return f"{round(rate * 1000) / 10:g} %" if isinstance(rate, float) else "–"


def _figure(seconds: object) -> str:
    return f"{seconds:.1f}" if isinstance(seconds, float) else "–"


def _money_name(results: Sequence[Result]) -> str:
    return "price" if all(result.provider == EMULATED for result in results) else "cost"


def _facts(results: Sequence[Result], columns: int, *, busy: bool) -> list[_Column]:
    found = [
        _Column("run", [str(result.index) for result in results], right=True),
        _Column("state", [state_of(result.status, busy=busy).value for result in results]),
        _Column("s", [_seconds(result) for result in results], right=True),
        _Column(_money_name(results), [charged(result) for result in results], right=True),
    ]
    return found if columns >= _NARROW else [found[0], found[1], found[3]]


def _parameters(results: Sequence[Result], rows: Sequence[int]) -> list[_Parameter]:
    differing = varying([result.overrides for result in results], [result.config for result in results])
    values = [differing.rows[row] for row in rows]
    return [
        _Parameter(
            clean(key.removeprefix("request."), 60), ["" if row[place] is None else str(row[place]) for row in values]
        )
        for place, key in enumerate(differing.keys)
    ]


def _fitted(parameters: Sequence[_Parameter], left: int, gap: int) -> list[_Parameter]:
    """Return the first parameters that have room in `left` columns, the widest made narrower, their cells shortened."""
    kept = [*parameters]
    while kept and sum(min(_LEAST, each.columns) + gap for each in kept) > left:
        kept.pop()
    while kept and sum(each.columns + gap for each in kept) > left:
        widest = max(kept, key=lambda each: each.columns)
        widest.columns -= 1
    for each in kept:
        each.shorten()
    return kept


def _lines(columns: Sequence[_Column], styles: Sequence[str], gap: str) -> Iterator[Line]:
    heads = [column.head() for column in columns]
    for number in range(max(map(len, heads))):
        texts = [head[number] if number < len(head) else "" for head in heads]
        yield Line(_row(columns, texts, gap), "bold")
    for number, style in enumerate(styles):
        yield Line(_row(columns, [column.cells[number] for column in columns], gap), style)


def _row(columns: Sequence[_Column], texts: Sequence[str], gap: str) -> str:
    cells = [padded(text, column.columns, right=column.right) for column, text in zip(columns, texts, strict=True)]
    return gap.join(cells).rstrip()


def _pieces(name: str) -> list[str]:
    """Return where a name may be broken, as in `duration_` and `seconds`."""
    return re.findall(r"[^._/@]+[._/@]?|[._/@]", name) or [""]


def _style(result: Result) -> str:
    return "red" if result.status.failed else "yellow" if result.status.unfinished else ""


def _seconds(result: Result) -> str:
    return "" if result.latency_seconds is None else f"{result.latency_seconds:.1f}"
