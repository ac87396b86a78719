"""Errors and problems as the terminal shows them: what happened, what is safe, what to type next."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from runner.config import Problem
from runner.errors import RunnerError


def print_error(error: RunnerError) -> None:
    """Say the error on standard error, its hint on the lines below."""
    print(f"error: {error.message}", file=sys.stderr)
    for line in (error.hint or "").splitlines():
        print(f"  {line}", file=sys.stderr)


def print_problems(problems: Iterable[Problem]) -> None:
    """One line each on standard error; the hint stands below."""
    for problem in problems:
        text = f"{problem.key}: {problem.message}" if problem.key else problem.message
        print(f"{problem.severity}: {text}", file=sys.stderr)
        for line in (problem.hint or "").splitlines():
            print(f"  {line}", file=sys.stderr)
