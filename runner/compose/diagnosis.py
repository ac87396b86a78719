"""Collect all that is wrong with a command line, of which Hydra tells one thing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from runner.config import Problem
from runner.errors import ConfigError, RunnerError

from .app import App
from .composition_error import problem_of
from .preflight import Finding, PreflightError, preflight

T = TypeVar("T")

_MOST = 20


def collected(
    overrides: Sequence[str],
    compose: Callable[[list[str]], tuple[T, list[Problem]]],
    problem_of: Callable[[Exception], Problem],
) -> tuple[T | None, list[Problem]]:
    """Return what `compose` makes of the overrides, and its problems; None if it never made anything.

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


_APPLYING = ("Could not override '", "Could not delete from config", "Could not append to config", "Error merging over")
"""How Hydra begins what it says of an override of a value, which it meets when all files are merged."""


class Diagnosis:
    """Looks further than the first error: at the other overrides, and at what the readable ones amount to."""

    def __init__(self, app: App, overrides: Sequence[str] | None, error: Exception, *, sweep: bool) -> None:
        self._app = app
        self._name = "config" if overrides is None else app.name
        self._overrides = list(overrides or ())
        self._error = error
        self._sweep = sweep or self._has_choices()

    def refusal(self) -> ConfigError:
        """Return the first problem as an error of its own, or all of them as a `PreflightError`; nothing is run."""
        first = problem_of(self._error, self._app.loader)
        config, problems = collected(self._overrides, self._compose, self._known)
        later, total = ([], 1) if config is None else self._amounts_to(config)
        findings = [Finding(None, problem) for problem in dict.fromkeys([first, *problems])]
        if len(findings) + len(later) > 1:
            return PreflightError([*findings, *later], total)
        text = f"{first.key}: {first.message}" if first.key else first.message
        return ConfigError(text, hint=first.hint)

    def _has_choices(self) -> bool:
        try:
            return any(override.is_sweep_override() for override in self._parsed(self._overrides))
        except HydraException:
            return True

    def _parsed(self, lines: list[str]) -> list[Any]:  # Any: Hydra's Override
        return OverridesParser.create(config_loader=self._app.loader).parse_overrides(lines)

    def _compose(self, left: list[str]) -> tuple[DictConfig, list[Problem]]:
        if not self._sweep and left == self._overrides and str(self._error).startswith(_APPLYING):
            raise self._error  # it would come to the same
        mode = RunMode.MULTIRUN if self._sweep else RunMode.RUN
        return self._app.compose(left, mode, name=self._name, choices=True), []

    def _known(self, raised: Exception) -> Problem:
        if not isinstance(raised, HydraException | OmegaConfBaseException):
            raise raised
        return problem_of(raised, self._app.loader)

    def _amounts_to(self, config: DictConfig) -> tuple[list[Finding], int]:
        """Return what is wrong with the run or runs of the overrides that can be read, and how many they are."""
        if self._sweep or config.hydra.mode == RunMode.MULTIRUN:
            return self._of_sweep(config)
        from .examination import examined

        try:
            _, _, problems = examined(config)
        except (RunnerError, OmegaConfBaseException):
            return self._of_sweep(config)  # which goes on without the override that cannot be resolved
        return [Finding(0, problem) for problem in problems if problem.severity == "error"], 1

    def _of_sweep(self, master: DictConfig) -> tuple[list[Finding], int]:
        from .axes import combinations
        from .plan import Planner

        # Unresolved: an override of an interpolation stands there as it was typed.
        lines = OmegaConf.to_container(master.hydra.overrides.task, resolve=False)
        parsed = self._parsed([str(line) for line in lines] if isinstance(lines, list) else [])
        plan = Planner(self._app.loader, master).plan(combinations(parsed))
        try:
            preflight(plan)
        except PreflightError as refused:
            return list(refused.findings), plan.total
        return [], plan.total
