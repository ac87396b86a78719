"""A server's JSON as plain data that can be kept: without secrets, and without what no file can hold."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from typing import Any

_DEEPEST = 64
"""Far deeper than any API nests; writers of JSON give up at a few hundred."""

_TOO_DEEP = "…"
_IMAGES = frozenset({"b64_json"})
"""Megabytes that are only ever decoded, never shown: searching them would hold up everything else."""

_NESTING = (dict, list)


def read_json(text: str, redact: Callable[[str], str]) -> Any:  # Any: JSON
    """The JSON that `text` is, with every string redacted after its escapes are resolved; None if it is none."""
    try:
        value = json.loads(text)
        return value if _harmless(value, redact) else kept(value, redact)
    except (ValueError, RecursionError):
        return None


def _harmless(value: Any, redact: Callable[[str], str]) -> bool:  # Any: JSON
    """Whether `kept` would change nothing, found out in one search of all strings: lists of jobs hold thousands."""
    strings: list[str] = []
    if not _gather(value, strings, 0):
        return False
    joined = "\n".join(strings)
    return whole(joined) == joined == redact(joined)


def _gather(value: Any, strings: list[str], depth: int) -> bool:  # Any: JSON
    """Collect what is to be searched; whether the rest can be kept as it is."""
    if isinstance(value, dict):
        strings += value
        children: Iterable[Any] = value.values() if _IMAGES.isdisjoint(value) else _searched(value)
    elif isinstance(value, list):
        children = value
    else:
        children = [value]
    for child in children:
        if isinstance(child, str):
            strings.append(child)
        elif isinstance(child, float):
            if not math.isfinite(child):
                return False
        elif isinstance(child, _NESTING) and not (depth + 1 < _DEEPEST and _gather(child, strings, depth + 1)):
            return False
    return True


def _searched(value: dict[str, Any]) -> list[Any]:  # Any: JSON
    return [child for key, child in value.items() if key not in _IMAGES or not isinstance(child, str)]


def kept(value: Any, redact: Callable[[str], str], depth: int = 0) -> Any:  # Any: JSON
    """The same JSON, redacted; numbers that JSON does not have become null, halves of characters question marks."""
    if isinstance(value, str):
        return redact(whole(value))
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if not isinstance(value, dict | list):
        return value
    if depth >= _DEEPEST:
        return _TOO_DEEP
    if isinstance(value, list):
        return [kept(child, redact, depth + 1) for child in value]
    return {
        redact(whole(key)): child if key in _IMAGES and isinstance(child, str) else kept(child, redact, depth + 1)
        for key, child in value.items()
    }


def whole(text: str) -> str:
    """`text` as it can be written as UTF-8: JSON's escapes may spell half a character."""
    return text if text.isascii() else text.encode(errors="replace").decode()
