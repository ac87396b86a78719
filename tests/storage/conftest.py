"""Whole sweeps and runs through the command line, uploaded to a directory or an S3 server of the test's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hydra.core.hydra_config import HydraConfig

from runner.app import run

pytest.importorskip("fsspec")


@pytest.fixture(autouse=True)
def no_hydra_config() -> Iterator[None]:
    yield
    HydraConfig.instance().cfg = None


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no test wait for the last lines of a log, or before another try."""
    monkeypatch.setattr("runner.storage.uploader._SETTLE", 0.0)
    monkeypatch.setattr("runner.storage.uploader._FIRST_WAIT", 0.01)


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


@pytest.fixture
def bucket(tmp_path: Path) -> Path:
    """A directory that stands for a storage: storage.url=file://…"""
    place = tmp_path / "bucket"
    place.mkdir()
    return place
