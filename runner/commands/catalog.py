"""The bare words that are commands of their own, and finding the one that was meant."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module

from runner.config import did_you_mean
from runner.errors import ConfigError

COMMANDS = ("character", "doctor", "emulator", "ls", "models", "repeat", "report", "resume", "show")
"""Each is a module here with a `main`, and a line of `--help` in `conf/hydra/default.yaml`."""

Command = Callable[[Sequence[str]], int]


def is_command(arguments: Sequence[str]) -> bool:
    """Whether the first argument is a bare word; anything else is Hydra's."""
    return bool(arguments) and "=" not in arguments[0] and arguments[0][:1] not in ("-", "+", "~", "")


def find(name: str) -> Command:
    """The command's `main`; `ConfigError` with the nearest name if there is none."""
    if name not in COMMANDS:
        near = did_you_mean(name, COMMANDS)
        hint = f"did you mean: python -m runner {near}" if near else f"commands: {', '.join(COMMANDS)}"
        raise ConfigError(f"{name!r} is no command, and overrides look like key=value", hint=hint)
    command: Command = import_module(f"runner.commands.{name}").main
    return command
