"""Where runs are recorded beside their directories: nowhere, in MLflow, in Weights & Biases."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from .frozen import Frozen, Seconds
from .problem import Problem

Files = Literal["all", "small", "none"]
"""What is uploaded: everything, result.json and thumbnails, or nothing."""

_DATABASES = frozenset({"sqlite", "postgresql", "mysql", "mssql"})


class NoTracking(Frozen):
    """Runs are recorded in their directories alone."""

    kind: Literal["none"] = "none"


class MlflowTracking(Frozen):
    """Describe an MLflow tracking server, or a database or folder of the same form."""

    kind: Literal["mlflow"]
    tracking_uri: str | None = None
    experiment: str = Field("runner", min_length=1)
    files: Files = "all"
    patience_seconds: Seconds = 30


class WandbTracking(Frozen):
    """Describe a project of Weights & Biases."""

    kind: Literal["wandb"]
    project: str = Field("runner", min_length=1)
    entity: str | None = None
    mode: Literal["online", "offline"] | None = None
    files: Files = "small"
    patience_seconds: Seconds = 30


Tracking = Annotated[NoTracking | MlflowTracking | WandbTracking, Field(discriminator="kind")]


def missing_packages(tracking: NoTracking | MlflowTracking | WandbTracking) -> list[Problem]:
    """Return what must be installed first, if anything."""
    lacking = [name for name in _needed(tracking) if not _installed(name)]
    if not lacking:
        return []
    message = f"{tracking.kind} needs what is not installed here: {', '.join(lacking)}"
    return [Problem("tracking", message, f"pip install 'mediarunner[{tracking.kind}]', or tracking=none")]


def _needed(tracking: NoTracking | MlflowTracking | WandbTracking) -> tuple[str, ...]:
    if not isinstance(tracking, MlflowTracking):
        return () if isinstance(tracking, NoTracking) else ("wandb",)
    uri = tracking.tracking_uri or os.environ.get("MLFLOW_TRACKING_URI") or _default()
    driver = uri.partition(":")[0].partition("+")[0]
    return ("mlflow", "sqlalchemy", "alembic") if driver in _DATABASES else ("mlflow",)


def _default() -> str:
    """MLflow's own: a database, unless it has recorded in files here before."""
    return "file:mlruns" if any(Path("mlruns").glob("[0-9]*/meta.yaml")) else "sqlite:"


def _installed(package: str) -> bool:
    """Return whether it can be imported; a folder of its name, as wandb leaves one, has no origin."""
    spec = find_spec(package)
    return spec is not None and spec.origin is not None
