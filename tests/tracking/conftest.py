"""Whole sweeps and runs through the command line, against an emulator, recorded in a store of the test's own."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hydra.core.hydra_config import HydraConfig

from runner.app import run


@pytest.fixture(autouse=True)
def no_hydra_config() -> Iterator[None]:
    yield
    HydraConfig.instance().cfg = None


@pytest.fixture
def usual(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], Sequence[str]]:
    """What lets a server be reached as OpenAI, quickly."""
    monkeypatch.setenv("OPENAI_API_KEY", "an-emulated-key")
    return lambda server: [
        "provider=openai",
        f"provider.base_url={server.base_url}",
        "provider.poll_interval=0.02",
        "provider.retired_models=off",
        "request=draft",
        "progress=off",
    ]


@pytest.fixture
def sweep(here, emulator, usual) -> Callable[..., int]:
    """Run `-m` into `out`; the result is the exit code."""
    return lambda *overrides, server=emulator: run(["-m", *usual(server), "hydra.sweep.dir=out", *overrides])


@pytest.fixture
def single(here, emulator, usual) -> Callable[..., int]:
    """Make one run into `out`; the result is the exit code."""
    return lambda *overrides: run([*usual(emulator), "hydra.run.dir=out", *overrides])


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow database without runs, as making one takes seconds."""
    pytest.importorskip("mlflow")
    from mlflow import MlflowClient

    place = tmp_path_factory.mktemp("mlflow")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        MlflowClient(f"sqlite:///{place}/mlflow.db").search_experiments()
    return place / "mlflow.db"


@pytest.fixture
def database(empty_database: Path, here: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of a database of the test's own, which MLflow uses by default."""
    shutil.copy(empty_database, here / "mlflow.db")
    uri = f"sqlite:///{here}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    return uri
