"""One line of text on a terminal or in a log, whoever wrote it."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

_STEERING = frozenset({"Cc", "Cf", "Zl", "Zp", "Cs"})
_ASCII = str.maketrans("━─·…×≥–→", "=-|~x>->")
"""Each as wide as what it stands for."""


def clean(text: str, limit: int = 200) -> str:
    """One line of text that cannot steer a terminal or a log: control and bidirectional marks become spaces."""
    line = text if len(text) <= limit else text[: limit - 1] + "…"
    if line.isprintable():
        return line
    return "".join(" " if unicodedata.category(char) in _STEERING else char for char in line)


def width(text: str) -> int:
    """How many columns a terminal gives to `text`: none to a combining mark, two to a wide letter."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def cut(text: str, columns: int) -> str:
    """As much of `text` as fits, an ellipsis where it ends early."""
    if width(text) <= columns:
        return text
    left, kept = columns - 1, []
    for char in text:
        left -= _columns(char)
        if left < 0:
            break
        kept.append(char)
    return "".join(kept).rstrip() + "…" if columns > 0 else ""


def padded(text: str, columns: int, *, right: bool = False) -> str:
    """`text` cut or filled up to exactly `columns`, with the filling before it if it is `right`-justified."""
    shown = cut(text, columns)
    filling = " " * (columns - width(shown))
    return filling + shown if right else shown + filling


def flowing(parts: Iterable[str], columns: int) -> list[str]:
    """The parts with a dot between them, on as many lines as they need; one that is too long is cut."""
    lines: list[str] = []
    for part in parts:
        if lines and width(lines[-1]) + 3 + width(part) <= columns:
            lines[-1] += f" · {part}"
        else:
            lines.append(cut(part, columns))
    return lines


def in_ascii(text: str) -> str:
    """`text` without the signs of ours that a terminal of another encoding lacks; strangers' letters stay."""
    return text.translate(_ASCII)


def _columns(char: str) -> int:
    if unicodedata.category(char) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
