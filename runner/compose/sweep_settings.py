"""Read what a config says of its sweep."""

from __future__ import annotations

from omegaconf import DictConfig, OmegaConf
from pydantic import TypeAdapter, ValidationError

from runner.config.problem import Problem, from_validation_error
from runner.config.sweep import SWEEP_KEYS, SweepConfig

from .preflight import Finding, PreflightError

_adapter = TypeAdapter(SweepConfig)


def settings_of(config: DictConfig) -> SweepConfig:
    """Return what a config says of its sweep; raises `PreflightError`."""
    try:
        return _validated(config)
    except ValidationError as error:
        findings = [Finding(None, problem) for problem in from_validation_error(error)]
        raise PreflightError(findings, total=0) from error


def settings_problems(config: DictConfig) -> list[Problem]:
    """Return what is wrong with it; of a single run, too, which may have been meant for more."""
    try:
        _validated(config)
    except ValidationError as error:
        return from_validation_error(error)
    return []


def _validated(config: DictConfig) -> SweepConfig:
    return _adapter.validate_python({str(key): _plain(config, str(key)) for key in config if key in SWEEP_KEYS})


def _plain(config: DictConfig, key: str) -> object:
    """Return a key's value, resolved in the whole config: it may be another key's."""
    if OmegaConf.is_missing(config, key):
        return "???"
    value = config[key]
    return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
