"""Whole sweeps and runs through the command line, against an emulator, recorded in a store of the test's own."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest


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
