"""Read a table's columns as keys of the config, and its cells as values of those keys."""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from runner.errors import ConfigError

from .loading import section_keys, variants
from .problem import did_you_mean
from .table_format import plain_value

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
