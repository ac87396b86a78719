"""Print tables that fit the columns of a terminal: of a sweep's runs, and of anything else."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from runner.artifacts.result import Result
from runner.results.money import EMULATED, charged, charges
from runner.results.state import state_of
from runner.results.totals import totals
from runner.results.varying import varying

from .line import clean, padded, unbroken, width
from .output import notice
from .shortening import Shortening

if TYPE_CHECKING:
    from rich.console import Console


_NARROW = 60
"""Columns of a terminal below which the times are left out."""

_LEAST = 9
"""Columns that a parameter keeps, or it is left out: its name is to be read."""

_MOST = 40


class Line(NamedTuple):
    """Describe one line, and the style that a terminal may give it."""

    text: str
    style: str = ""


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
    while sum(each.columns + gap for each in kept) > left:
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


_GAP = 2
_LONGEST_NAME = 60
"""Columns of a word up to which it stays whole: beyond, it is a text."""


@dataclass(frozen=True, slots=True)
class Head:
    """Describe a column's name, and how its cells stand below it: a `whole` one wraps nowhere, as a command to copy."""

    name: str
    right: bool = False
    whole: bool = False
    most: int = 10_000


def print_lines(lines: Iterable[Line], console: Console | None = None) -> None:
    """Print with colours on a terminal; a pipe need not load rich."""
    notice.end()
    if console is None and not sys.stdout.isatty():
        for line in lines:
            print(line.text)
        return
    from rich.console import Console
    from rich.text import Text

    console = console or Console(highlight=False)
    for line in lines:
        console.print(Text(unbroken(line.text, console.width), style=line.style), soft_wrap=True)


def print_grid(
    heads: Sequence[Head], rows: Iterable[tuple[Sequence[str], str]], console: Console | None = None
) -> None:
    """Print a table of rows, each with its style; colours are for terminals alone.

    Where names would pass the right edge of a terminal, each row is a few lines below each other instead.
    """
    rows = list(rows)
    styles = ["bold", *(style for _, style in rows)]
    columns = shutil.get_terminal_size().columns if console is None else console.width
    cells = [cells for cells, _ in rows]
    if (console is None and not sys.stdout.isatty()) or fits(heads, cells, columns):
        found = zip(styles, grid(heads, cells, columns), strict=True)
    else:
        found = zip(styles[1:], blocks(heads, cells, columns), strict=True)
    print_lines((Line(line, style) for style, lines in found for line in lines), console)


def fits(heads: Sequence[Head], rows: Sequence[Sequence[str]], columns: int) -> bool:
    """Return whether a table of these rows stands in so many columns without a name that is broken.

    Of what is copied, as a command, only the words have to fit: its line may go on in the next row of the terminal.
    """
    widths = _widths(heads, [[head.name for head in heads], *rows], columns)
    if heads[-1].whole:
        widths[-1] = max((width(word) for row in rows for word in row[-1].split()), default=0)
    return sum(widths) + _GAP * (len(heads) - 1) <= columns


def blocks(heads: Sequence[Head], rows: Sequence[Sequence[str]], columns: int) -> Iterator[list[str]]:
    """Yield the lines of each row: its first cell, and below it the others, each with the name of its column."""
    for row in rows:
        lines = [*row[0].split("\n")]
        for head, cell in zip(heads[1:], row[1:], strict=True):
            texts = cell.split("\n")
            if head.whole:
                lines += [f"  {text}" for text in texts]
                continue
            folded = [line for text in texts for line in _folded(text, columns - len(head.name) - 4)]
            lines.append(f"  {head.name}: {folded[0]}".rstrip())
            lines += [f"    {line}" for line in folded[1:]]
        yield lines


def grid(heads: Sequence[Head], rows: Sequence[Sequence[str]], columns: int) -> Iterator[list[str]]:
    """Yield the lines of the head and of each row, as far as names allow within so many `columns`."""
    table = [[head.name for head in heads], *rows]
    widths = _widths(heads, table, columns)
    for number, row in enumerate(table):
        cells = [
            cell.split("\n")
            if head.whole and number
            else [line for text in cell.split("\n") for line in _folded(text, room)]
            for head, cell, room in zip(heads, row, widths, strict=True)
        ]
        yield [_line(heads, widths, [each[line : line + 1] for each in cells]) for line in range(max(map(len, cells)))]


def _widths(heads: Sequence[Head], table: Sequence[Sequence[str]], columns: int) -> list[int]:
    """Return each column's width: that of its longest name, and of what is left, as much as its longest line wants."""
    by_column = list(zip(*table, strict=True))
    wanted = [min(head.most, max(map(width, _cell_lines(cells)))) for head, cells in zip(heads, by_column, strict=True)]
    least = [
        min(most, max(map(width, _cell_lines(cells[1:]) if head.whole else _names(cells)), default=1))
        for head, cells, most in zip(heads, by_column, wanted, strict=True)
    ]
    # A column that cannot wrap may pass the right edge, so that the others stay wide enough.
    last = min(least[-1], columns // 2) if heads[-1].whole else least[-1]
    for _ in range(columns - sum(least[:-1]) - last - _GAP * (len(heads) - 1)):
        poorest = max(range(len(heads)), key=lambda place: wanted[place] - least[place])
        least[poorest] += least[poorest] < wanted[poorest]
    return least


def _cell_lines(cells: Iterable[str]) -> list[str]:
    return [line for cell in cells for line in cell.split("\n")] or [""]


def _names(cells: Iterable[str]) -> list[str]:
    words = [word for cell in cells for word in cell.split()]
    return [word if _is_name(word) else max(word, key=width) for word in words] or [""]


def _is_name(word: str) -> bool:
    """Return whether a word stays whole: where no blanks stand between words, as in Chinese, it is a sentence."""
    return width(word) <= _LONGEST_NAME and width(word) == len(word)


def _folded(text: str, columns: int) -> Iterator[str]:
    line = ""
    for word in text.split(" "):
        if line and width(line) + 1 + width(word) > columns:
            yield line
            line = ""
        line = f"{line} {word}" if line else word
        while width(line) > columns and not _is_name(word):  # the rest of a text is no name
            kept = _fitting(line, columns)
            yield line[:kept]
            line = line[kept:]
    yield line


def _fitting(text: str, columns: int) -> int:
    """Return how many letters of a text have room in so many columns; at least one."""
    kept = 1
    while kept < len(text) and width(text[: kept + 1]) <= columns:
        kept += 1
    return kept


def _line(heads: Sequence[Head], widths: Sequence[int], cells: Sequence[Sequence[str]]) -> str:
    texts = [cell[0] if cell else "" for cell in cells]
    padded = [
        " " * (columns - width(text)) + text if head.right else text + " " * (columns - width(text))
        for head, columns, text in zip(heads, widths, texts, strict=True)
    ]
    return (" " * _GAP).join(padded).rstrip()
