"""Describe one thing that was checked, and the outcome."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from runner.config.problem import Problem
from runner.errors import RunnerError

Status = Literal["ok", "warn", "fail", "skip"]


@dataclass(frozen=True, slots=True)
class Check:
    """Describe the outcome of one check; `hint` is what to do next, and `skip` says why nothing was found out."""

    name: str
    status: Status
    message: str
    hint: str | None = None


def ok(name: str, message: str) -> Check:
    """Return that a run works in this respect."""
    return Check(name, "ok", message)


def warn(name: str, message: str, hint: str | None = None) -> Check:
    """Return that a run works, and what its user should know."""
    return Check(name, "warn", message, hint)


def fail(name: str, message: str, hint: str | None = None) -> Check:
    """Return that a run would fail here."""
    return Check(name, "fail", message, hint)


def skip(name: str, message: str) -> Check:
    """Return that this was not looked at, or cannot be known."""
    return Check(name, "skip", message)


def failed(name: str, error: RunnerError) -> Check:
    """Return what an error of ours means here."""
    return Check(name, "fail", error.message, error.hint)


def of_problem(name: str, problem: Problem) -> Check:
    """Return what a problem of the config means here."""
    return Check(name, "fail" if problem.severity == "error" else "warn", problem.text, problem.hint)
