"""What Hydra and OmegaConf have against a config, said as problems of the user's, with what was meant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from runner.config import Problem
from runner.errors import ConfigError

if TYPE_CHECKING:
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
        _refuse_all([problem, *_others(app, config_name, overrides, problem)], error)
        text = f"{problem.key}: {problem.message}" if problem.key else problem.message
        raise ConfigError(text, hint=problem.hint) from error


def _others(app: HydraApp, config_name: str, overrides: Sequence[str], first: Problem) -> list[Problem]:
    """What else is wrong with the overrides, found by composing again without those that are."""
    from hydra.errors import HydraException
    from hydra.types import RunMode
    from omegaconf import DictConfig
    from omegaconf.errors import OmegaConfBaseException

    from runner.sweep.collected import collected
    from runner.sweep.composition_error import problem_of

    def compose(left: list[str]) -> tuple[DictConfig, list[Problem]]:
        return app.compose_config(config_name, left, RunMode.MULTIRUN, validate_sweep_overrides=False), []

    def known(error: Exception) -> Problem:
        if not isinstance(error, HydraException | OmegaConfBaseException):
            raise error
        return problem_of(error, app.config_loader)

    return [problem for problem in collected(overrides, compose, known)[1] if problem != first]


def _refuse_all(problems: Sequence[Problem], error: Exception) -> None:
    from runner.sweep.finding import Finding
    from runner.sweep.preflight import PreflightError

    if len(problems) > 1:
        raise PreflightError([Finding(None, problem) for problem in problems], total=1) from error
