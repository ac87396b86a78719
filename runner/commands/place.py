"""The directory that a command is given."""

from __future__ import annotations

from pathlib import Path

from runner.artifacts.result_file import NAME
from runner.errors import ConfigError
from runner.shell import word

_NAMES_THEM = "python -m runner ls names the runs and sweeps that are there"


def refuse_file(path: Path, command: str) -> None:
    """Raise `ConfigError` for a file, with the command on the directory that it lies in."""
    if path.is_file():
        holds_run = any((path.parent / name).is_file() for name in (NAME, "ledger.sqlite3"))
        hint = f"its directory: python -m runner {command} {word(str(path.parent))}" if holds_run else _NAMES_THEM
        raise ConfigError(f"{path} is a file; {command} takes a directory", hint=hint)
