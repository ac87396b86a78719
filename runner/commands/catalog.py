"""The bare words that are commands of their own, and finding the one that was meant."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module

from runner.config import did_you_mean
from runner.errors import ConfigError

COMMANDS = ("character", "doctor", "emulator", "ls", "models", "repeat", "report", "resume", "show")
"""Each is a module here with a `main`, and a line of `--help` in `conf/hydra/default.yaml`."""

_CALLED_ELSEWHERE = {
    "help": "--help", "version": "--version", "list": "ls", "status": "show", "continue": "resume", "retry": "resume",
    "rerun": "repeat", "check": "doctor", "gallery": "report",
    **dict.fromkeys(("run", "generate", "create", "start"), "\"request.prompt='A red fox'\""),
}  # fmt: skip
"""What other programs call what is done here."""

Command = Callable[[Sequence[str]], int]


def is_command(arguments: Sequence[str]) -> bool:
    """Return whether the first argument is a bare word; anything else is Hydra's."""
    return bool(arguments) and "=" not in arguments[0] and arguments[0][:1] not in ("-", "+", "~", "")


def find(arguments: Sequence[str]) -> Command:
    """Return the command's `main`; `ConfigError` that says what was meant if there is none."""
    name = arguments[0]
    if name not in COMMANDS:
        raise _no_command(arguments)
    command: Command = import_module(f"runner.commands.{name}").main
    return command


def _no_command(arguments: Sequence[str]) -> ConfigError:
    from runner.cli.slips import meant, refuse_mended
    from runner.compose.guards import quoted

    refuse_mended(arguments)
    name = arguments[0]
    near = _CALLED_ELSEWHERE.get(name) or did_you_mean(name, COMMANDS)
    if near is None:
        near = quoted("request.prompt", name) if " " in name else meant(name)
    hint = f"did you mean: python -m runner {near}" if near else f"commands: {', '.join(COMMANDS)}"
    return ConfigError(f"{name[:80]!r} is no command, and overrides look like key=value", hint=hint)
