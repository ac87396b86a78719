"""Write one line of text, whoever wrote it, and times in words."""

from __future__ import annotations

import os
import re
import shutil
import sys
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import TextIO

_STEERING = frozenset({"Cc", "Cf", "Zl", "Zp", "Cs"})
_ASCII = str.maketrans("━─·…×≥–→✓✗○◔◕", "=-|~x>->+xo%%")
"""Each as wide as what it stands for."""


def clean(text: str, limit: int = 200) -> str:
    """Return one line that cannot steer a terminal or a log: control and bidirectional marks become spaces."""
    line = text if len(text) <= limit else text[: limit - 1] + "…"
    if line.isprintable():
        return line
    return "".join(" " if unicodedata.category(char) in _STEERING else char for char in line)


def called(name: str | None, tags: Iterable[str]) -> str:
    """Return what its user calls a sweep or run, in one line; empty if nothing."""
    return " · ".join(filter(None, [name, " ".join(f"#{tag}" for tag in tags)]))


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
    """Return as much of `text` as fits, an ellipsis where it ends early: behind a whole word, if that costs little."""
    if width(text) <= columns:
        return text
    if columns <= 0:
        return ""
    kept = text[: _fitting(text, columns - 1)]
    if text[len(kept) : len(kept) + 1] not in ("", " "):
        words = kept.rpartition(" ")[0]
        kept = words if width(words) > columns // 2 else kept
    return kept.rstrip() + "…"


def _fitting(text: str, columns: int) -> int:
    """Return how many letters of a text have room in so many columns."""
    if _is_narrow(text):
        return max(0, columns)
    for place, char in enumerate(text):
        columns -= _columns(char)
        if columns < 0:
            return place
    return len(text)


def unbroken(text: str, columns: int) -> str:
    """Return a line with blanks added, so that a terminal of so many columns wraps it between words and not inside one.

    No line break is added: what is copied from the terminal is still one command. Only a word that is wider than the
    terminal is broken, from the beginning of a row on.
    """
    if width(text) <= columns or columns < 1:
        return text
    made, used = "", 0
    indent = len(text) - len(text.lstrip(" "))
    for blanks, word in re.findall(r"( *)([^ ]*)", text):
        taken = len(blanks) + width(word)
        if made and used + taken > columns:
            begin = " " * (indent if indent + width(word) <= columns else 0)
            gap = " " * (-used % columns)
            begin = begin if begin or gap else " "  # in a copy, the two words would be one
            made += gap + begin + word
            used = (len(begin) + width(word)) % columns
        else:
            made += blanks + word
            used += taken
            used = used if used <= columns else used % columns
    return made


def columns_of(stream: TextIO) -> int | None:
    """Return how many columns a terminal has; None of a stream that is none."""
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80 if stream.isatty() else None
    except (OSError, ValueError):
        return shutil.get_terminal_size().columns


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
