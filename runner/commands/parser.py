"""Arguments of a command: what is wrong with them is said as all errors are, with what to type."""

from __future__ import annotations

import argparse
import re
from typing import NoReturn

from runner.config import did_you_mean
from runner.errors import ConfigError

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
