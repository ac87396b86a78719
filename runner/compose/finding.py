"""Problems of many runs, each said once with the runs that have it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from runner.config import Problem
from runner.config.problem import ranges


class Finding(NamedTuple):
    """A problem and the number of the run that has it; None: the sweep as a whole."""

    run: int | None
    problem: Problem


def grouped(findings: Iterable[Finding]) -> dict[Problem, list[int]]:
    """Each problem once, in the order of appearance, with its runs."""
    groups: dict[Problem, list[int]] = {}
    for run, problem in findings:
        runs = groups.setdefault(problem, [])
        if run is not None and run not in runs[-1:]:
            runs.append(run)
    return groups


def lines(findings: Iterable[Finding], total: int) -> list[str]:
    """Text for people: the runs, the key as one would override it, what is wrong; the hint below, indented."""
    text = []
    for problem, runs in grouped(findings).items():
        where = f"{_where(runs, total)}: " if runs and total > 1 else ""
        key = f"{problem.key}: " if problem.key else ""
        text.append(f"{where}{key}{problem.message}")
        text += [f"    {line}" for line in (problem.hint or "").splitlines()]
    return text


def _where(runs: Sequence[int], total: int) -> str:
    if len(runs) == 1:
        return f"run {runs[0]}"
    return f"all {total} runs" if len(runs) == total else f"runs {ranges(runs)}"
