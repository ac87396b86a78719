"""Write one line of text, whoever wrote it, and times in words."""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

_STEERING = frozenset({"Cc", "Cf", "Zl", "Zp", "Cs"})
_ASCII = str.maketrans("━─·…×≥–→", "=-|~x>->")
"""Each as wide as what it stands for."""


def clean(text: str, limit: int = 200) -> str:
    """Return one line that cannot steer a terminal or a log: control and bidirectional marks become spaces."""
    line = text if len(text) <= limit else text[: limit - 1] + "…"
    if line.isprintable():
        return line
    return "".join(" " if unicodedata.category(char) in _STEERING else char for char in line)


def one_line(text: str) -> str:
    """Return the text in one line: newlines, control characters and several blanks are one blank."""
    line = clean(text, sys.maxsize)
    return " ".join(line.split()) if "  " in line else line.strip()


def width(text: str) -> int:
    """Return how many columns a terminal gives to `text`: none to a combining mark, two to a wide letter."""
    return len(text) if _is_narrow(text) else sum(map(_columns, text))


def _is_narrow(text: str) -> bool:
    """Return whether each letter surely has one column."""
    return text.isascii() or text.replace("…", "").isascii()


def cut(text: str, columns: int) -> str:
    """Return as much of `text` as fits, an ellipsis where it ends early."""
    if width(text) <= columns:
        return text
    if _is_narrow(text):
        return text[: columns - 1].rstrip() + "…" if columns > 0 else ""
    left, kept = columns - 1, []
    for char in text:
        left -= _columns(char)
        if left < 0:
            break
        kept.append(char)
    return "".join(kept).rstrip() + "…" if columns > 0 else ""


def padded(text: str, columns: int, *, right: bool = False) -> str:
    """Return `text` cut or filled to exactly `columns`; if `right`-justified, the filling comes before it."""
    shown = cut(text, columns)
    filling = " " * (columns - width(shown))
    return filling + shown if right else shown + filling


def flowing(parts: Iterable[str], columns: int) -> list[str]:
    """Return the parts with a dot between them, on as many lines as they need; one that is too long is cut."""
    lines: list[str] = []
    for part in parts:
        if lines and width(lines[-1]) + 3 + width(part) <= columns:
            lines[-1] += f" · {part}"
        else:
            lines.append(cut(part, columns))
    return lines


def in_ascii(text: str) -> str:
    """Return `text` without the signs of ours that a terminal of another encoding lacks; foreign letters stay."""
    return text.translate(_ASCII)


@lru_cache(4096)
def _columns(char: str) -> int:
    if unicodedata.category(char) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def elapsed(seconds: float) -> str:
    """Return `41s`, `12:05` or `1:02:33`."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole}s"
    minutes, hours = whole // 60 % 60, whole // 3600
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def roughly(seconds: float) -> str:
    """Return seconds no more precisely than a forecast can be: `~5 s`, `~40 s`, `~12 min`, `~3.5 h`."""
    if seconds < 90:
        step = 5 if seconds < 30 else 10
        return f"~{max(step, step * round(seconds / step))} s"
    return f"~{seconds / 60:.0f} min" if seconds < 5400 else f"~{round(seconds / 1800) / 2:g} h"
