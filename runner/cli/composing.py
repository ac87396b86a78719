"""What Hydra and OmegaConf have against a config, said as problems of the user's, with what was meant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from runner.config import Problem
from runner.errors import ConfigError

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from runner.sweep.finding import Finding

    from .hydra_app import HydraApp


@contextmanager
def composing(app: HydraApp, config_name: str = "config", overrides: Sequence[str] = ()) -> Iterator[None]:
    """Turn their exceptions into a `ConfigError` that names the key, or, of the `overrides`, every key at fault."""
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    from runner.sweep.composition_error import problem_of

    try:
        yield
    except YAMLError as error:
        where = " ".join(str(error).split())
        raise ConfigError(f"a config file cannot be read: {where}", hint="mend its YAML") from error
    except (HydraException, OmegaConfBaseException) as error:
        problem = problem_of(error, app.config_loader)
        _refuse_together(app, config_name, overrides, problem, error)
        text = f"{problem.key}: {problem.message}" if problem.key else problem.message
        raise ConfigError(text, hint=problem.hint) from error


def _refuse_together(
    app: HydraApp, config_name: str, overrides: Sequence[str], first: Problem, error: Exception
) -> None:
    """Raise `PreflightError` if more is wrong than the first problem: other overrides, or what the rest amounts to."""
    from hydra.errors import HydraException
    from hydra.types import RunMode
    from omegaconf.errors import OmegaConfBaseException

    from runner.sweep.collected import collected
    from runner.sweep.composition_error import problem_of
    from runner.sweep.finding import Finding
    from runner.sweep.preflight import PreflightError

    def compose(left: list[str]) -> tuple[DictConfig, list[Problem]]:
        return app.compose_config(config_name, left, RunMode.MULTIRUN, validate_sweep_overrides=False), []

    def known(raised: Exception) -> Problem:
        if not isinstance(raised, HydraException | OmegaConfBaseException):
            raise raised
        return problem_of(raised, app.config_loader)

    master, problems = collected(overrides, compose, known)
    later, total = ([], 1) if master is None else _planned(app, master)
    findings = [Finding(None, problem) for problem in dict.fromkeys([first, *problems])]
    if len(findings) + len(later) > 1:
        raise PreflightError([*findings, *later], total) from error


def _planned(app: HydraApp, master: DictConfig) -> tuple[list[Finding], int]:
    """What is wrong with the runs that the readable overrides describe, and how many they are; nothing is run."""
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
    from hydra.core.override_parser.overrides_parser import OverridesParser

    from runner.sweep.plan import Planner
    from runner.sweep.preflight import PreflightError, preflight

    lines = [str(line) for line in master.hydra.overrides.task]
    parsed = OverridesParser.create(config_loader=app.config_loader).parse_overrides(lines)
    plan = Planner(app.config_loader, master).plan(BasicSweeper.split_arguments(parsed, None)[0])
    try:
        preflight(plan)
    except PreflightError as refused:
        return list(refused.findings), plan.total
    return [], plan.total
