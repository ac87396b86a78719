"""Read a command's arguments and directory: what is wrong with them is said as all errors are."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import NoReturn

from runner.artifacts.result_file import NAME
from runner.config import did_you_mean
from runner.errors import ConfigError
from runner.shell import command

_UNKNOWN = re.compile(r"unrecognized arguments: (?P<first>\S+)")
_FLAG = re.compile(r"--[\w-]+")


class Parser(argparse.ArgumentParser):
    """Raises `ConfigError` where argparse would print its usage and exit."""

    def error(self, message: str) -> NoReturn:
        """Refuse the arguments; the hint has the flag that was meant, or where help is."""
        unknown = _UNKNOWN.search(message)
        near = None
        if unknown is not None:
            flag = unknown["first"].partition("=")[0]
            is_flag = flag.startswith("-")
            near = did_you_mean(flag, _FLAG.findall(self.format_usage())) if is_flag else None
            message = f"{flag} is {'no flag' if is_flag else 'one argument too many'} of {self.prog}"
        hint = f"did you mean {near}?" if near else f"{self.prog} --help"
        raise ConfigError(f"{message}; nothing was sent", hint=hint)


_NAMES_THEM = "python -m runner ls names the runs and sweeps that are there"


def refuse_file(path: Path, name: str) -> None:
    """Raise `ConfigError` for a file, with the command on the directory that it lies in."""
    from runner.ledger import has_ledger  # help needs none

    if path.is_file():
        holds_run = (path.parent / NAME).is_file() or has_ledger(path.parent)
        hint = f"its directory: {command(name, path.parent)}" if holds_run else _NAMES_THEM
        raise ConfigError(f"{path} is a file; {name} takes a directory", hint=hint)
