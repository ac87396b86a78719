"""What is wrong with a run's fallbacks, said at the fallback that has it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from .problem import Problem
from .run import RunConfig

Check = Callable[[RunConfig], Iterable[Problem]]


def check_choices(config: RunConfig, check: Check) -> list[Problem]:
    """What `check` has against the run and each of its fallbacks; what all have in common is said once."""
    problems = list(check(config))
    for number, choice in enumerate(config.choices[1:]):
        problems += [_at(number, problem) for problem in check(choice) if problem not in problems]
    return problems


def _at(number: int, problem: Problem) -> Problem:
    key = f"fallbacks.{number}"
    if problem.key.partition(".")[0] in ("provider", "model"):
        return replace(problem, key=f"{key}.{problem.key}")
    return replace(problem, key=key, message=f"{problem.key}: {problem.message}" if problem.key else problem.message)
