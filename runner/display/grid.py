"""Print lines, and tables of anything, that fit the columns of a terminal."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from .line import unbroken, width
from .output import notice

if TYPE_CHECKING:
    from rich.console import Console


class Line(NamedTuple):
    """Describe one line, and the style that a terminal may give it."""

    text: str
    style: str = ""


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
