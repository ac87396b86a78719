"""Runs for a ledger, and what has become of them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hydra import compose
from omegaconf import OmegaConf

from runner.artifacts.result import Result
from runner.artifacts.run_status import RunStatus
from runner.compose.app import initialize
from runner.compose.saved_config import apply
from runner.config.loading import load, without_own_keys
from runner.config.run import RunConfig
from runner.config.shipped import CONF
from runner.engine.recorder import planned
from runner.engine.run import Run
from runner.ledger.ledger import Ledger
from runner.ledger.reuse import fingerprint

NOW = 1_795_000_000.0


_GROUPS = ("provider=", "model=", "request=")


@pytest.fixture(scope="session")
def loaded() -> Callable[..., RunConfig]:
    """A run's config as the shipped conf composes it; each choice of groups is composed once for all these tests."""

    @functools.cache
    def chosen(groups: tuple[str, ...]) -> dict[str, Any]:
        with pytest.MonkeyPatch.context() as patch, initialize(CONF):
            patch.setenv("RUNNER_STARTED", "2026-11-23/09-30-00-test")
            container = OmegaConf.to_container(compose("config", overrides=list(groups)), resolve=True)
            return dict(without_own_keys(container))

    def build(*overrides: str) -> RunConfig:
        groups = tuple(override for override in overrides if override.startswith(_GROUPS))
        config, problems = load(apply(chosen(groups), [each for each in overrides if each not in groups]))
        assert not problems
        return config

    return build


@pytest.fixture(scope="session")
def video(loaded: Callable[..., RunConfig]) -> RunConfig:
    """The config of a run at OpenAI."""
    return loaded("provider=openai")


@pytest.fixture
def result_of() -> Callable[..., Result]:
    """A run's record at a state."""

    def make(run: Run, status: str = "verified", **facts: Any) -> Result:
        return planned(run, NOW).model_copy(update={"status": RunStatus(status), **facts})

    return make


@pytest.fixture
def shelve(result_of: Callable[..., Result]) -> Callable[..., None]:
    """Write a ledger of one config's replicas, each at the state that is named for it."""

    def write(directory: Path, config: RunConfig, states: Sequence[str], **facts: Any) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        with Ledger(directory) as ledger:
            for number, status in enumerate(states):
                replica = config.model_copy(update={"replica": number})
                run = Run(number, replica, directory / str(number), fingerprint=fingerprint(replica))
                ledger.add([run])
                if status != "planned":
                    ledger.save(number, result_of(run, status, **facts))

    return write
