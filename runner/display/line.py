"""One line of text on a terminal or in a log, whoever wrote it."""

from __future__ import annotations

import unicodedata


def clean(text: str, limit: int = 200) -> str:
    """One line of text that cannot steer a terminal or a log: control and bidirectional marks become spaces."""
    line = "".join(" " if unicodedata.category(char) in ("Cc", "Cf", "Zl", "Zp", "Cs") else char for char in text)
    return line if len(line) <= limit else line[: limit - 1] + "…"
