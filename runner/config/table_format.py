"""Turn the text of a table into columns and records, by its format; wrong tables are refused with their line."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import yaml

from runner.errors import ConfigError

from .problem import fault_of, kind_of

Record = tuple[int | None, dict[str, Any]]  # Any: whatever JSON or YAML can hold
"""The line where a row begins, from 1, and its cells that are not empty; no line in a list of a config."""

Parsed = tuple[tuple[str, ...], list[Record]]
"""The columns in their order, and the rows."""

_KEY = re.compile(r"[A-Za-z_][\w.\[\]-]*")
_TELLING = re.compile(r"(request\.)?prompt(_file)?|vars\.\w+", re.IGNORECASE)
"""Columns by which the first line of a text is known to name columns."""

_ID = re.compile(r"id", re.IGNORECASE)
"""Another one, where nothing stands beside it but names: prompts have the word, too."""

_NAME = re.compile(r"[^\W\d][\w.\[\]-]*")
"""A column's name in any language."""

_JSON = re.compile(r'\{\s*["}]|\[\s*(["{\[\]]|\Z)')
"""How JSON begins; prompts begin with words in brackets, too."""

_OBJECT = re.compile(r'\{\s*"((request\.)?prompt(_file)?|id)"\s*:')
_LISTED = re.compile(r"""-\s+["']?[A-Za-z_][\w.]*["']?:(\s|\Z)""")
_SEPARATORS = {",": "commas", "\t": "tabs", ";": "semicolons"}
_MEND = {
    ",": "give it the ending .csv",
    "\t": "give it the ending .tsv",
    ";": "save it from Excel as 'Unicode Text', which has tabs, and give it the ending .tsv",
}
"""What to do with a table that another separator parts."""

_RULE = "---"
"""The line between prompts of several lines."""


def sniffed(text: str) -> str:
    """Return the ending that fits what is piped in."""
    begun = text.lstrip()
    if _JSON.match(begun):
        return ".jsonl" if begun.startswith("{") else ".json"
    if _LISTED.match(begun):
        return ".yaml"
    first = re.split(r"[\r\n]", begun, maxsplit=1)[0]
    for separator in _SEPARATORS:
        cells = [cell.strip().strip('"') for cell in first.split(separator)]
        names_rows = any(map(_ID.fullmatch, cells)) and all(map(_NAME.fullmatch, cells))
        if names_rows or any(map(_TELLING.fullmatch, cells)):
            return ".tsv" if separator == "\t" and "\t" in first else ".csv"
    return ".txt"


def parse(text: str, ending: str, name: str) -> Parsed:
    """Return the columns and rows of the text of the file `name`; raises `ConfigError` naming file and line."""
    try:
        match ending:
            case ".csv" | ".tsv":
                return _separated(text, "," if ending == ".csv" else "\t", name)
            case ".jsonl" | ".ndjson":
                return from_objects(_json_lines(text, name), name)
            case ".json":
                return from_objects(_json_list(text, name), name)
            case ".yaml" | ".yml":
                return from_objects(_yaml_list(text, name), name)
            case _:
                records = [*_lines(text, name)]
                return ("prompt",) if records else (), records
    except RecursionError:
        raise ConfigError(f"{name} is nested too deeply", hint="a row is a flat list of keys and values") from None


def at(name: str, line: int | None, number: int) -> str:
    """Return the place of a row for a message: by its line, or by its number in a list."""
    return f"{name}, row {number}" if line is None else f"{name}, line {line}"


# --- a prompt a line


def _lines(text: str, name: str) -> Iterator[Record]:
    looks = sniffed(text)
    if looks in (".csv", ".tsv", ".yaml") or _OBJECT.match(text.lstrip()):
        raise ConfigError(
            f"{name}, line 1: names columns, which a file of a prompt a line has none of",
            hint=f"give it the ending {looks}",
        )
    lines = [line.strip() for line in text.split("\n")]
    if _RULE not in lines:
        yield from ((number, {"prompt": line}) for number, line in enumerate(lines, start=1) if line)
        return
    begin = 0
    originals = text.split("\n")
    for end in [*(number for number, line in enumerate(lines) if line == _RULE), len(lines)]:
        filled = [number for number in range(begin, end) if lines[number]]
        if filled:
            yield filled[0] + 1, {"prompt": "\n".join(originals[filled[0] : filled[-1] + 1]).strip()}
        begin = end + 1


# --- columns between separators


def _separated(text: str, separator: str, name: str) -> Parsed:
    rows = _cells(text, separator, name)
    line, header = next(((line, cells) for line, cells in rows if any(map(str.strip, cells))), (1, []))
    if not header:
        return (), []
    columns = tuple(cell.strip() for cell in header)
    _check_header(text, columns, separator, f"{name}, line {line}")
    records: list[Record] = []
    for begun, cells in rows:
        if not any(map(str.strip, cells)):
            continue
        if len(cells) != len(columns):
            have, are = _counted(len(cells), "cell"), _counted(len(columns), "column")
            raise ConfigError(
                f"{name}, line {begun}: has {have} for {are}",
                hint='quote a cell that holds a comma, as in "a fox, a crow"'
                if separator == "," and len(cells) > len(columns)
                else f"write a cell for each column, empty ones too, with {_SEPARATORS[separator]} between them",
            )
        records.append((begun, {column: cell for column, cell in zip(columns, cells, strict=True) if cell.strip()}))
    return columns, records


def _cells(text: str, separator: str, name: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the line where each row begins, and its cells."""
    reader = csv.reader(_csv_lines(text), delimiter=separator, strict=True)
    headed = False
    while True:
        begun = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            if not headed:
                _refuse_other_separators(text, separator, f"{name}, line {begun}")
            raise _misquoted(str(error), begun, name) from None
        if cells is None:
            return
        headed = headed or any(map(str.strip, cells))
        yield begun, cells


def _csv_lines(text: str) -> Iterable[str]:
    """Return the lines as they are; a carriage return alone ends one only where it ends the first."""
    found = re.search(r"\r?\n|\r", text)
    return io.StringIO(text, newline="" if found and found[0] == "\r" else "\n")


def _misquoted(said: str, line: int, name: str) -> ConfigError:
    if "field larger" in said:
        wrong = f"a cell has more than {csv.field_size_limit():,} characters: a quote may be missing"
    elif "new-line" in said:
        wrong = "a carriage return stands in a cell of this row, which has no quotes around it"
    elif "unexpected end" in said:
        wrong = "a quote opens a cell of this row, and nothing closes it"
    else:
        wrong = "a quote closes a cell of this row, and more text follows it"
    return ConfigError(f"{name}, line {line}: {wrong}", hint='a quote within a quoted cell is doubled: "a ""red"" fox"')


def _check_header(text: str, columns: tuple[str, ...], separator: str, place: str) -> None:
    if len(columns) == 1:
        _refuse_other_separators(text, separator, place)
    if not any(map(_KEY.fullmatch, columns)):
        excels = columns[0].startswith("sep=")
        raise ConfigError(
            f"{place}: its first line must name the columns",
            hint="remove the line 'sep=…', which only Excel reads" if excels else "begin the file with prompt,seed",
        )
    _check_columns(columns, place)


def _refuse_other_separators(text: str, separator: str, place: str) -> None:
    for other, word in _SEPARATORS.items():
        try:
            parts = next(csv.reader(_csv_lines(text.lstrip()), delimiter=other, strict=True), [])
        except csv.Error:
            continue
        if other != separator and len(parts) > 1 and any(_KEY.fullmatch(part.strip()) for part in parts):
            wanted = _SEPARATORS[separator]
            raise ConfigError(f"{place}: its columns are separated by {word}; {wanted} are read", hint=_MEND[other])


def _check_columns(columns: Iterable[str], place: str) -> None:
    seen: set[str] = set()
    for number, column in enumerate(columns, start=1):
        if not column.strip():
            raise ConfigError(f"{place}: column {number} has no name", hint="name it, or remove the column")
        if column in seen:
            raise ConfigError(f"{place}: two columns are named {column}", hint="rename one, or remove it")
        seen.add(column)


# --- objects


def from_objects(elements: Iterable[tuple[int | None, object]], name: str) -> Parsed:
    """Return the columns and rows of a list of mappings and texts; a text is a prompt."""
    columns: dict[str, str] = {}
    records: list[Record] = []
    for number, (line, element) in enumerate(elements, start=1):
        place = at(name, line, number)
        row = {"prompt": element} if isinstance(element, str) else element
        if not isinstance(row, Mapping):
            message = f"{place}: this row is {kind_of(row)}, and a row is a mapping of keys to values, or one text"
            raise ConfigError(message, hint='as in {"prompt": "A red fox", "seed": 7}')
        strange = next((key for key in row if not isinstance(key, str)), "")
        if not isinstance(strange, str):
            raise ConfigError(f"{place}: this row has the key {strange!r}, and keys are texts", hint="quote it")
        for key, value in row.items():
            if fault := fault_of(value):
                raise ConfigError(f"{place}: {key} {fault}", hint="texts, numbers, true, false, lists and mappings")
            columns.setdefault(key, key)
        _check_columns(row, place)
        cells = {columns[key]: value for key, value in row.items() if value is not None and value != ""}
        if not cells:
            raise ConfigError(f"{place}: this row is empty", hint="remove it, or give it a prompt")
        records.append((line, cells))
    return tuple(columns), records


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


class _WrongValueError(ValueError):
    """Tell what is wrong with JSON that parses."""


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        raise _WrongValueError(f"has the key {next(name for name in names if names.count(name) > 1)} twice")
    return made


def _constant(word: str) -> None:
    raise _WrongValueError(f"holds {word}, which is no number")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_constant)
_BLANK = re.compile(r"[ \t\n\r]*")


def _no_json(error: ValueError, name: str, line: int, hint: str) -> ConfigError:
    """Return the refusal of JSON that begins in a line."""
    if isinstance(error, json.JSONDecodeError):
        said = f"is no JSON at column {error.colno}: {error.msg[0].lower()}{error.msg[1:]}"
        return ConfigError(f"{name}, line {line + error.lineno - 1}: {said}", hint=hint)
    said = str(error) if isinstance(error, _WrongValueError) else "holds a number with too many digits"
    return ConfigError(f"{name}, line {line}: {said}", hint="write each key once, with a value that JSON has")


def _json_lines(text: str, name: str) -> Iterator[tuple[int, object]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                yield number, _DECODER.decode(line)
            except ValueError as error:
                whole = "a whole object on each line; a file that is one list has the ending .json"
                raise _no_json(error, name, number, whole) from None


def _json_list(text: str, name: str) -> Iterator[tuple[int, object]]:
    place = _after_blanks(text, 0)
    line = 1 + text.count("\n", 0, place)
    if not text[place:]:
        return
    if text[place] != "[":
        raise ConfigError(f"{name}, line {line}: a table is a list of objects or texts",
                          hint="put it into [ ]; a file of an object a line has the ending .jsonl")  # fmt: skip
    counted, place = place, _after_blanks(text, place + 1)
    more = text[place : place + 1] != "]"
    try:
        while more:
            line, counted = line + text.count("\n", counted, place), place
            element, place = _DECODER.raw_decode(text, place)
            yield line, element
            place = _after_blanks(text, place)
            more = text[place : place + 1] == ","
            if more:
                place = _after_blanks(text, place + 1)
        _expect(text[place : place + 1] == "]", "Expecting ',' or ']'", text, place)
        place = _after_blanks(text, place + 1)
        _expect(not text[place:], "Extra data", text, place)
    except json.JSONDecodeError as error:  # which counts its line from the file's first
        raise _no_json(error, name, 1, "a list of objects or texts: [{…}, {…}]") from None
    except ValueError as error:
        raise _no_json(error, name, line, "") from None


def _expect(holds: bool, message: str, text: str, place: int) -> None:
    if not holds:
        raise json.JSONDecodeError(message, text, place)


def _after_blanks(text: str, place: int) -> int:
    found = _BLANK.match(text, place)
    return found.end() if found else place


_TAG = "tag:yaml.org,2002:"


def _loader(base: Any) -> Any:  # Any: a class of PyYAML's
    """Return a loader that makes values only of what JSON writes the same way.

    YAML 1.1 would read 16:9 as 969, 007 as 7, `no` as false, and a date as an object.
    """

    class Loader(base):  # type: ignore[misc]  # as above
        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # Any: as PyYAML
            """Return a mapping whose keys stand in it once."""
            seen: set[str] = set()
            for key, _ in node.value:
                if key.tag != f"{_TAG}merge" and isinstance(key, yaml.ScalarNode):
                    if key.value in seen:
                        raise yaml.constructor.ConstructorError(
                            None, None, f"the key {key.value} stands twice", key.start_mark
                        )
                    seen.add(key.value)
            made: dict[Any, Any] = super().construct_mapping(node, deep=deep)
            return made

    def plain(kind: str, made: Any) -> None:  # Any: what PyYAML makes of a node
        def constructed(loader: Any, node: yaml.ScalarNode) -> object:  # Any: as above
            return made(loader, node) if _WRITTEN[kind].fullmatch(node.value) else node.value

        Loader.add_constructor(_TAG + kind, constructed)

    plain("int", base.construct_yaml_int)
    plain("float", base.construct_yaml_float)
    plain("bool", base.construct_yaml_bool)
    Loader.add_constructor(f"{_TAG}timestamp", base.construct_yaml_str)
    return Loader


_WRITTEN = {
    "int": re.compile(r"-?(0|[1-9]\d*)", re.ASCII),
    "float": re.compile(r"[-+]?[\d.]+([eE][-+]?\d+)?|[-+]?\.(inf|nan)", re.ASCII | re.IGNORECASE),
    "bool": re.compile(r"true|false", re.IGNORECASE),
}
"""What becomes a value in YAML; the rest stays text."""

_LOADER = _loader(yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader)

_QUOTE_IT = "quote a text that holds ': ' or ' #', or begins with a sign"


_LINE_ENDS = {"\x85": "N", "\u2028": "L", "\u2029": "P"}
"""Characters that end a line in YAML 1.1 and nowhere else, and how YAML writes them as text."""


def plain_value(text: str) -> Any:  # Any: of JSON
    """Return the value that a cell's text stands for, the text itself where it is none."""
    try:
        return yaml.load(text, Loader=_LOADER)  # noqa: S506 - it makes plain values alone
    except (yaml.YAMLError, RecursionError, ValueError):
        return text


def _constructed(loader: Any, element: yaml.Node, name: str) -> object:  # Any: as above
    try:
        made: object = loader.construct_object(element, deep=True)
    except ValueError:  # of int(), as JSON's
        place = f"{name}, line {element.start_mark.line + 1}"
        message = f"{place}: this row holds a number with too many digits"
        raise ConfigError(message, hint="quote it, if it is a text") from None
    return made


def _yaml_list(text: str, name: str) -> Iterator[tuple[int, object]]:
    for line, each in enumerate(text.split("\n"), start=1):
        for end in _LINE_ENDS.keys() & set(each):
            raise ConfigError(
                f"{name}, line {line}: holds the character U+{ord(end):04X}, which YAML takes for a line end",
                hint=f'remove it, or write it in double quotes as "\\{_LINE_ENDS[end]}"',
            )
    try:
        loader = _LOADER(text)
        node = loader.get_single_node()
        if node is None:
            return
        if not isinstance(node, yaml.SequenceNode):
            line = node.start_mark.line + 1
            raise ConfigError(f"{name}, line {line}: a table is a list", hint="begin each row with '- '")
        for element in node.value:
            yield element.start_mark.line + 1, _constructed(loader, element, name)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise ConfigError(f"{name}, line {line}: is no YAML: {error.problem}", hint=_QUOTE_IT) from None
    except yaml.reader.ReaderError as error:
        line = text.encode()[: error.position].count(b"\n") + 1
        raise ConfigError(f"{name}, line {line}: holds a control character", hint="remove it") from None
