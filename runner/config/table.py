"""Read a table of prompts, a row for each run, its columns as keys of the config; choose rows of it."""

from __future__ import annotations

import hashlib
import json
import random
import re
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from textwrap import shorten
from typing import Any

from runner.errors import ConfigError

from .loading import section_keys, variants
from .problem import did_you_mean
from .request import as_text, look_up
from .table_file import read
from .table_format import at, from_objects, parse, plain_value, sniffed

PROMPTS = ("prompt", "request.prompt")
"""The columns that hold what to show."""

_TABLES = (".csv", ".tsv", ".jsonl", ".ndjson")
"""Endings of what is no prompt, even if no such file is there."""
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
        table = len(file.split()) == 1 and file.lower().endswith(_TABLES)
        if _FILE_NAME.fullmatch(file) and (table or any(_is_file(place / file) for place in places)):
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


_GROUPS = ("provider", "model", "request")
_PATHS = frozenset({"prompt_file", "image_list", "mask_image", "markup_image", "video"})
"""The keys of a request that may name a file or directory."""
_ELSEWHERE = ("http://", "https://", "data:")
_OPEN = ("request.extra_params.", "request.lora.", "vars.")
"""What may have any key below."""
_OPTION = re.compile(r"[\w./-]+")
_ALONE = ("replica", "name")

ID = "id"
"""The column that names a row."""


def key_of(column: str) -> str | None:
    """Return the key that a column is about, as in `request.seed` for `seed`, or `id`; None if it is no key."""
    section, _, name = column.partition(".")
    if column in (ID, *_GROUPS, *_ALONE) or (column.startswith(_OPEN) and not column.endswith(".")):
        return column
    if column in section_keys("request") - {"kind"}:
        return f"request.{column}"
    if section in _GROUPS and name.partition(".")[0] in section_keys(section) - {"kind"}:
        return column
    return None


def nearest_key(column: str) -> str | None:
    """Return what a column that is no key may be meant for."""
    known = [ID, *_GROUPS, *_ALONE, *sorted(section_keys("request") - {"kind"})]
    return did_you_mean(column, known) or did_you_mean(column.lower(), known)


def values_of(key: str, cell: object, directory: Path | None) -> Iterator[tuple[str, Any]]:  # Any: of the config
    """Yield a cell as keys with their values: a mapping as one for each of its entries.

    The text of a file of text is taken for a number, true, a list and so on only where its key takes no text.
    `directory` is what names of files are relative to; None: to where one stands.
    """
    if isinstance(cell, str) and not key.startswith("vars."):
        cell = _read(key, cell)
    if isinstance(cell, Mapping):
        for name, value in cell.items():
            yield from values_of(f"{key}.{name}", value, directory)
    elif directory is not None and key.removeprefix("request.") in _PATHS:
        yield key, [_below(directory, each) for each in cell] if isinstance(cell, list) else _below(directory, cell)
    elif key in _GROUPS and not (isinstance(cell, str) and _OPTION.fullmatch(cell)):
        raise ConfigError(f"{str(cell)[:80]!r} is no option of {key}; nothing was sent", hint=f"{key}=NAME")
    else:
        yield key, cell


def _read(key: str, text: str) -> object:
    """Return the value that a text stands for."""
    if key == "request.image_list":
        listed = plain_value(text) if text.lstrip().startswith("[") else None
        return listed if isinstance(listed, list) else [text]
    if key in _GROUPS or takes_text(key):
        return text
    value = plain_value(text)
    return value if isinstance(value, bool | int | float | list | dict) else text


def takes_text(key: str) -> bool:
    """Return whether a value of this key may be a text, in any kind of its section."""
    section, _, name = key.partition(".")
    fields = [variant.model_fields[name] for variant in variants(section) if name in variant.model_fields]
    return any(_takes_text(field.annotation) for field in fields)


def _takes_text(annotation: object) -> bool:
    if isinstance(annotation, type):
        return issubclass(annotation, str | Path)
    origin, parts = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return any(isinstance(part, str) for part in parts)
    if origin is typing.Annotated:
        return _takes_text(parts[0])
    return origin in (typing.Union, types.UnionType) and any(map(_takes_text, parts))


def _below(directory: Path, name: object) -> object:
    """Return the path of a file that a table names, as seen from where one stands."""
    if isinstance(name, Mapping) and isinstance(name.get("image"), str):
        return {**name, "image": _below(directory, name["image"])}
    if not isinstance(name, str) or name.strip()[:8].lower().startswith(_ELSEWHERE):
        return name
    path = directory / Path(name).expanduser()
    # A finished video's id is no file, and an image may stand in the cell as base64.
    return str(path) if len(name) < 1000 and (path.exists() or Path(name).suffix) else name
