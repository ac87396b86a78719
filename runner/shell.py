"""Quote words as one types them into a shell: bash, zsh and others that quote as POSIX has it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

_PLAIN = re.compile(r"[\w@%+=:,./-]+", re.ASCII)
_ACTIVE = re.compile(r'["$`]|\\(?=[\\"$`\n]|\Z)')
"""What means something between double quotes: a backslash only before some characters."""


def word(text: str) -> str:
    """Return `text` as one word of a command, in the shortest quotes that keep it as it is."""
    if _PLAIN.fullmatch(text):
        return text
    forms = [f"'{text}'"] if "'" not in text else []
    if "!" not in text:  # which calls up earlier commands between double quotes
        forms.append('"' + _ACTIVE.sub(lambda found: "\\" + found[0], text) + '"')
    forms.append("'" + text.replace("'", "'\\''") + "'")
    return min(forms, key=len)


def line(words: Iterable[str]) -> str:
    """Return a command of these words."""
    return " ".join(map(word, words))


def command(name: str, directory: Path | str, *more: str) -> str:
    """Return a command of the runner on a directory, or an address, as in `python -m runner resume DIR`."""
    return line(["python", "-m", "runner", name, str(directory), *more])


def shown(path: Path) -> Path:
    """Return a path as one types it where one stands: relative, if it lies below."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
