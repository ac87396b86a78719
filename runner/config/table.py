"""Read a table of prompts, a row for each run, and choose rows of it."""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from textwrap import shorten
from typing import Any

from runner.errors import ConfigError

from .problem import did_you_mean
from .table_file import read
from .table_format import at, from_objects, parse, sniffed
from .template import as_text, look_up

PROMPTS = ("prompt", "request.prompt")
"""The columns that hold what to show."""

_FILE_NAME = re.compile(r"[^\r\n\0]{1,250}\.\w{1,8}")
_NEXT = re.compile(r",(?=[^,=]+=|\s*\Z)")
"""The commas between conditions; a value may hold commas, too."""

_SHOWN = 5
"""Values that a message names at most."""


@dataclass(frozen=True, slots=True)
class Row:
    """Hold one row of a table.

    Attributes:
        number: from 1, among the table's rows before any selection.
        line: where it begins in the file, from 1; None for a list in a config.
        cells: by column, empty ones left out: text as it stands in .txt, .csv and .tsv, else values.
        source: the table's name, as messages have it.
    """

    number: int
    line: int | None
    cells: Mapping[str, Any]  # Any: whatever JSON or YAML can hold
    source: str

    @property
    def id(self) -> str:
        """Return its cell `id`, or its number if it has none."""
        given = self.cells.get("id")
        return ("" if given is None else as_text(given).strip()) or str(self.number)

    @property
    def place(self) -> str:
        """Return where it stands, for messages: `shots.csv, line 3`."""
        return at(self.source, self.line, self.number)


@dataclass(frozen=True, slots=True)
class Table:
    """Hold the rows of a table.

    Attributes:
        name: the file's as it was typed, `-` for standard input, `prompts` for a list in a config.
        sha256: of the file's bytes, or of the list as canonical JSON.
        columns: in their order, `id` included.
        rows: in their order.
    """

    name: str
    sha256: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


def read_table(source: str | Sequence[object], directory: Path | None = None) -> Table:
    """Return the table of a file, relative to `directory` or to where one stands, or of a list in a config.

    Raises `ConfigError` for what is no table, with its file and line.
    """
    here = Path.cwd() if directory is None else directory
    if isinstance(source, str):
        file = read(source, here)
        name, shown, places, content = source, file.name, [here, file.directory], file.content
        ending = sniffed(file.text(exact=False)) if file.ending is None else file.ending
        columns, records = parse(file.text(exact=ending in (".csv", ".tsv")), ending, shown)
    else:
        name, shown, places = "prompts", "prompts", [here]
        columns, records = from_objects(((None, element) for element in source), shown)
        content = _canonical(source).encode()
    if not records:
        what = "holds no row below its first line" if columns else "is empty"
        raise ConfigError(f"{shown} {what}", hint="add a row for each run")
    rows = tuple(Row(number, line, cells, shown) for number, (line, cells) in enumerate(records, start=1))
    _check_ids(rows)
    for row in rows:
        _check_prompt(row, places)
    return Table(name, hashlib.sha256(content).hexdigest(), columns, rows)


def selected(
    table: Table,
    *,
    limit: int | None = None,
    sample: int | None = None,
    seed: int = 0,
    where: str | None = None,
) -> Table:
    """Return the rows that `where` keeps, `sample` of them drawn by `seed`, and of those the first `limit`.

    Rows stay in the table's order and keep their numbers. `where` is `COLUMN=VALUE,…`; a column `vars.style` may be
    named `style`. Raises `ConfigError` for columns and values that the table does not have, and if no row is left.
    """
    for name, number in (("limit", limit), ("sample", sample)):
        if number is not None and number < 1:
            raise ConfigError(f"{name}={number} keeps no row of {_source(table)}", hint=f"{name}=1 or more")
    rows = table.rows
    for column, value in _conditions(where or ""):
        rows = _matching(table, rows, column, value)
    if sample is not None and sample < len(rows):
        drawn = random.Random(seed).sample(range(len(rows)), sample)  # noqa: S311  # a choice to repeat, no secret
        rows = tuple(rows[index] for index in sorted(drawn))
    return replace(table, rows=rows[:limit])


def _canonical(elements: Sequence[object]) -> str:
    return json.dumps([*elements], sort_keys=True, separators=(",", ":"), default=dict)


def _check_ids(rows: Sequence[Row]) -> None:
    seen: dict[str, Row] = {}
    for row in rows:
        if isinstance(row.cells.get("id"), Mapping | list | tuple):
            raise ConfigError(f"{row.place}: id is a list or a mapping", hint="an id is a text or a number")
        first = seen.setdefault(row.id, row)
        if first is not row:
            own = "id" if "id" in row.cells and "id" in first.cells else "id, or number without one,"
            raise ConfigError(f"{row.place}: has the {own} {row.id} of {first.place}", hint="give each row its own id")


def _check_prompt(row: Row, places: Sequence[Path]) -> None:
    """Refuse a prompt that is no text, or the name of a file, whose text is meant."""
    for text in (row.cells[column] for column in PROMPTS if column in row.cells):
        if not isinstance(text, str):
            raise ConfigError(f"{row.place}: {text} is no text, as a prompt has to be", hint="put the prompt in quotes")
        file = text.strip()
        if _FILE_NAME.fullmatch(file) and any(_is_file(place / file) for place in places):
            raise ConfigError(f"{row.place}: {file} is the name of a file, not a prompt",
                              hint="a column prompt_file names text files, image_list images")  # fmt: skip


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that is too long
        return False


def _conditions(where: str) -> list[tuple[str, str]]:
    """Return columns with the values they must have."""
    conditions: dict[str, str] = {}
    for part in filter(str.strip, _NEXT.split(where)):
        column, equals, value = part.partition("=")
        column, value = column.strip(), value.strip()
        if not equals or not column:
            raise ConfigError(f"where: {part.strip()!r} is no COLUMN=VALUE", hint="as in lang=en,style=noir")
        if column in conditions:
            raise ConfigError(f"where: {column} stands twice, and a row has one value", hint="keep one of the two")
        conditions[column] = value
    return [*conditions.items()]


def _matching(table: Table, rows: Sequence[Row], column: str, value: str) -> tuple[Row, ...]:
    """Return the rows whose cell in a column is a value, compared as text."""
    named = {column, f"vars.{column}"} & {*table.columns}
    if not named and all(_cell(row, column) is None for row in table.rows):
        known = [name.removeprefix("vars.") for name in table.columns]
        near = did_you_mean(column, known)
        raise ConfigError(f"where: {_source(table)} has no column {column}",
                          hint=f"did you mean {near}?" if near else f"its columns: {', '.join(known)}")  # fmt: skip
    kept = tuple(row for row in rows if _text(row, column) == value)
    if not kept:
        values = [*dict.fromkeys(shorten(_text(row, column), 40, placeholder="…") or "''" for row in rows)]
        more = f", and {len(values) - _SHOWN} more" if len(values) > _SHOWN else ""
        left = f"no row of {_source(table)}" if len(rows) == len(table.rows) else "none of the rows that are left"
        raise ConfigError(f"where: {left} has {column}={value}",
                          hint=f"its values: {', '.join(values[:_SHOWN])}{more}")  # fmt: skip
    return kept


def _source(table: Table) -> str:
    return table.rows[0].source if table.rows else table.name


def _cell(row: Row, column: str) -> object | None:
    value = look_up(row.cells, column)
    return look_up(row.cells, f"vars.{column}") if value is None else value


def _text(row: Row, column: str) -> str:
    value = _cell(row, column)
    return "" if value is None else as_text(value).strip()
