"""Tables for terminals of any width: texts wrap at blanks, and names stay whole, if need be beyond the last column."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .line import width

if TYPE_CHECKING:
    from rich.console import Console

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


def print_grid(
    heads: Sequence[Head], rows: Iterable[tuple[Sequence[str], str]], console: Console | None = None
) -> None:
    """Print a table of rows, each with its style; colours are for terminals alone."""
    rows = list(rows)
    if console is None and not sys.stdout.isatty():
        import shutil

        for lines in grid(heads, [cells for cells, _ in rows], shutil.get_terminal_size().columns):
            print("\n".join(lines))
        return
    from rich.console import Console
    from rich.text import Text

    console = console or Console(highlight=False)
    styles = ["bold", *(style for _, style in rows)]
    for style, lines in zip(styles, grid(heads, [cells for cells, _ in rows], console.width), strict=True):
        for line in lines:
            console.print(Text(line, style=style), soft_wrap=True)


def grid(heads: Sequence[Head], rows: Sequence[Sequence[str]], columns: int) -> Iterator[list[str]]:
    """Yield the lines of the head and of each row, as far as names allow within so many `columns`."""
    table = [[head.name for head in heads], *rows]
    widths = _widths(heads, table, columns)
    for number, row in enumerate(table):
        cells = [
            cell.split("\n") if head.whole and number else _wrapped(cell, room)
            for head, cell, room in zip(heads, row, widths, strict=True)
        ]
        yield [_line(heads, widths, [each[line : line + 1] for each in cells]) for line in range(max(map(len, cells)))]


def _widths(heads: Sequence[Head], table: Sequence[Sequence[str]], columns: int) -> list[int]:
    """Return each column's width: that of its longest name, and of what is left, as much as its longest line wants."""
    by_column = list(zip(*table, strict=True))
    wanted = [min(head.most, max(map(width, _lines(cells)))) for head, cells in zip(heads, by_column, strict=True)]
    least = [
        min(most, max(map(width, _lines(cells[1:]) if head.whole else _names(cells)), default=1))
        for head, cells, most in zip(heads, by_column, wanted, strict=True)
    ]
    # What wraps nowhere may pass the last column, so that the others need not be narrow for its sake.
    last = min(least[-1], columns // 2) if heads[-1].whole else least[-1]
    for _ in range(columns - sum(least[:-1]) - last - _GAP * (len(heads) - 1)):
        poorest = max(range(len(heads)), key=lambda place: wanted[place] - least[place])
        least[poorest] += least[poorest] < wanted[poorest]
    return least


def _lines(cells: Iterable[str]) -> list[str]:
    return [line for cell in cells for line in cell.split("\n")] or [""]


def _names(cells: Iterable[str]) -> list[str]:
    words = [word for cell in cells for word in cell.split()]
    return [word if _is_name(word) else word[:1] for word in words] or [""]


def _is_name(word: str) -> bool:
    """Return whether a word stays whole: where no blanks stand between words, as in Chinese, it is a sentence."""
    return width(word) <= _LONGEST_NAME and width(word) == len(word)


def _wrapped(cell: str, columns: int) -> list[str]:
    return [line for text in cell.split("\n") for line in _folded(text, columns)]


def _folded(text: str, columns: int) -> Iterator[str]:
    line = ""
    for word in text.split(" "):
        if line and width(line) + 1 + width(word) > columns:
            yield line
            line = ""
        line = f"{line} {word}" if line else word
        while width(line) > columns and not _is_name(line):
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
