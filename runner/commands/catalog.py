"""Know the bare words that are commands of their own, find the one that was meant, and parse what follows it."""

from __future__ import annotations

import argparse
import math
import os
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import NoReturn

from runner.artifacts.result_file import NAME
from runner.config.problem import did_you_mean
from runner.errors import ConfigError
from runner.shell import command

COMMANDS = (
    "cancel",
    "character",
    "doctor",
    "emulator",
    "keys",
    "ls",
    "models",
    "open",
    "rank",
    "ratings",
    "repeat",
    "report",
    "resume",
    "rm",
    "schema",
    "score",
    "show",
    "view",
)
"""Each is a module here with a `main`, and a line of `--help` in `conf/hydra/default.yaml`."""

_CALLED_ELSEWHERE = {
    "help": "--help", "version": "--version", "list": "ls", "status": "show", "continue": "resume", "retry": "resume",
    "rerun": "repeat", "check": "doctor", "gallery": "view", "serve": "view",
    **dict.fromkeys(("run", "generate", "create", "start"), "\"request.prompt='A red fox'\""),
}  # fmt: skip
"""What other programs call what is done here."""

Command = Callable[[Sequence[str]], int]


def find(arguments: Sequence[str]) -> Command:
    """Return the command's `main`; `ConfigError` that says what was meant if there is none."""
    name = arguments[0]
    if name not in COMMANDS:
        raise _no_command(arguments)
    command: Command = import_module(f"runner.commands.{name}").main
    return command


def _no_command(arguments: Sequence[str]) -> ConfigError:
    from runner.compose.typed import meant, quoted, refuse_corrected

    refuse_corrected(arguments)
    name = arguments[0]
    near = _CALLED_ELSEWHERE.get(name) or did_you_mean(name, COMMANDS)
    if near is None:
        near = quoted("request.prompt", name) if " " in name else meant(name)
    hint = f"did you mean: python -m runner {near}" if near else f"commands: {', '.join(COMMANDS)}"
    return ConfigError(f"{name[:80]!r} is no command, and overrides look like key=value", hint=hint)


_UNKNOWN = re.compile(r"unrecognized arguments: (?P<first>\S+)")
_FLAG = re.compile(r"--[\w-]+")
_SHOWN = 80
"""Characters of a word that are repeated."""


class Parser(argparse.ArgumentParser):
    """Raise `ConfigError` where argparse would print its usage and exit."""

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


def directory_or_address(text: str) -> Path | str:
    """Return the address of a storage as it is typed, as in s3://bucket/sweep, anything else as a path."""
    return text if "://" in text else named_path(text)


def refuse_file(path: Path | str, name: str) -> None:
    """Raise `ConfigError` for a file, with the command on the directory that it lies in.

    Raises `OSError` for what cannot be looked into.
    """
    if isinstance(path, Path) and _is_file(path):
        from runner.ledger.discover import has_ledger

        holds_run = (path.parent / NAME).is_file() or has_ledger(path.parent)
        hint = f"its directory: {command(name, path.parent)}" if holds_run else _NAMES_THEM
        raise ConfigError(f"{path} is a file; {name} takes a directory", hint=hint)


def _is_file(path: Path) -> bool:
    """Return whether there is a file; raises `OSError` for a directory that cannot be looked into, and for no name."""
    try:
        os.stat(os.path.join(path, "."))  # noqa: PTH116, PTH118 - it takes the right to look into a directory
    except (FileNotFoundError, NotADirectoryError):
        return path.is_file()
    except OSError as error:
        error.filename = os.fspath(path)
        raise
    return False


def named_path(text: str) -> Path:
    """Return what is typed as a path, for argparse; an empty word, as of a variable that is not set, names none."""
    if not text:
        raise argparse.ArgumentTypeError("'' names no file or directory")
    return Path(text)


def from_zero(text: str) -> float:
    """Return a finite number of 0 or more, for argparse."""
    with suppress(ValueError):
        if 0 <= (number := float(text)) < math.inf:
            return number
    raise argparse.ArgumentTypeError(f"{text[:_SHOWN]!r} is no number of 0 or more")


def whole_from_zero(text: str) -> int:
    """Return a whole number of 0 or more, for argparse."""
    with suppress(ValueError):
        if (number := int(text)) >= 0:
            return number
    raise argparse.ArgumentTypeError(f"{text[:_SHOWN]!r} is no whole number of 0 or more")
