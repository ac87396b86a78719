"""Tell what keeps a value from being plain data: texts, numbers, lists and mappings that UTF-8 and JSON can carry."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from itertools import chain

_DEEPEST = 100
"""Lists and mappings in each other; one that holds itself goes deeper than any."""

_MOST_BITS = 10_000
"""Of a whole number: Python writes none of more than 4,300 digits."""


def fault_of(value: object, depth: int = 0) -> str | None:
    """Return what is wrong with a value, None if it is plain data that UTF-8 and JSON can carry."""
    if depth > _DEEPEST:
        return f"nests more than {_DEEPEST} lists or mappings"
    parts: Iterable[object]
    match value:
        case Mapping():
            if any(not isinstance(key, str) for key in value):
                return "has a key that is no text"
            parts = chain.from_iterable(value.items())
        case list() | tuple():
            parts = value
        case _:
            return _fault_of_one(value)
    return next(filter(None, (fault_of(each, depth + 1) for each in parts)), None)


def _fault_of_one(value: object) -> str | None:
    match value:
        case str():
            is_whole = value.isascii() or not re.search("[\ud800-\udfff]", value)
            return None if is_whole else "holds half a character, as \\ud83d without the half that follows it"
        case float():
            return None if math.isfinite(value) else f"is {value}, which is no number"
        case int():
            return None if value.bit_length() < _MOST_BITS else "is too large a number to be written down"
        case None:
            return None
    return f"is {kind_of(value)}"


def kind_of(value: object) -> str:
    """Return in words what kind of value it is."""
    words = {bool: "a truth value", int: "a number", float: "a number", list: "a list", tuple: "a list", str: "a text"}
    return "empty" if value is None else words.get(type(value), f"of the type {type(value).__name__}")
