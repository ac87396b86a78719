"""Show errors and problems: what happened, what is safe, what to type next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from runner.config import Problem
from runner.errors import RunnerError

from .line import clean
from .reader import say

_LONGEST_LINE = 4000
"""Messages quote what a server or a file said."""


def print_error(error: RunnerError) -> None:
    """Say the error on standard error, its hint on the lines below."""
    _say(f"error: {error.message}", error.hint)


def print_problems(problems: Iterable[Problem]) -> None:
    """One line each on standard error; the hint stands below."""
    for problem in problems:
        text = f"{problem.key}: {problem.message}" if problem.key else problem.message
        _say(f"{problem.severity}: {text}", problem.hint)


def _say(text: str, hint: str | None) -> None:
    for line in (*_lines(text), *(f"  {line}" for line in _lines(hint or ""))):
        say(line)


def _lines(text: str) -> Iterator[str]:
    """Return the lines of our own text; other line breaks came with what it quotes."""
    return (clean(line, _LONGEST_LINE) for line in text.split("\n") if line)
