"""Every problem that the overrides of one config have, not only the first that Hydra meets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from runner.config import Problem

T = TypeVar("T")

_MOST = 20


def collected(
    overrides: Sequence[str],
    compose: Callable[[list[str]], tuple[T, list[Problem]]],
    problem_of: Callable[[Exception], Problem],
) -> tuple[T | None, list[Problem]]:
    """What `compose` makes of the overrides, and its problems; None if it never made anything.

    After an error it is asked again without the override that was at fault, only to hear what else is wrong: what is
    made then is for checking, never for running.
    `problem_of` raises what is no problem of the user's.
    """
    problems: list[Problem] = []
    left = list(overrides)
    for _ in range(_MOST):
        try:
            made, found = compose(left)
        except Exception as error:  # noqa: BLE001 - problem_of raises what it does not know
            problems.append(problem_of(error))
            fewer = [override for override in left if _key(override) != problems[-1].key]
            if len(fewer) == len(left):
                break
            left = fewer
        else:
            return made, [*problems, *found]
    return None, problems


def _key(override: str) -> str:
    return override.lstrip("+~").partition("=")[0].partition("@")[0]
