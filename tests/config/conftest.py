from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from runner.cli.hydra_app import config_directory
from runner.config import Problem, RunConfig, load

Composed = Callable[..., dict[str, Any]]


@pytest.fixture
def composed(monkeypatch) -> Composed:
    """The shipped conf/, composed with overrides and resolved to plain containers."""
    monkeypatch.setenv("RUNNER_STARTED", "2026-11-23/09-30-00-test")

    def build(*overrides: str) -> dict[str, Any]:
        with initialize_config_dir(str(config_directory()), version_base="1.3"):
            config = compose("config", overrides=list(overrides))
        container = OmegaConf.to_container(config, resolve=True)
        assert isinstance(container, dict)
        return container

    return build


@pytest.fixture
def loaded(composed) -> Callable[..., RunConfig]:
    def build(*overrides: str) -> RunConfig:
        config, problems = load(composed(*overrides))
        assert not problems
        assert config is not None
        return config

    return build


@pytest.fixture
def refused(composed) -> Callable[..., list[Problem]]:
    def build(*overrides: str) -> list[Problem]:
        config, problems = load(composed(*overrides))
        assert config is None
        return problems

    return build
