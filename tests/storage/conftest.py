"""Whole sweeps and runs through the command line, uploaded to a directory or an S3 server of the test's own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.app import run
from runner.emulator.settings import EmulatorSettings
from tests.emulator_thread import EmulatorThread, as_openai
from tests.storage.bucket import S3


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no test wait for the last lines of a log, or before another try."""
    monkeypatch.setattr("runner.storage.uploader._SETTLE", 0.0)
    monkeypatch.setattr("runner.storage.uploader._FIRST_WAIT", 0.01)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory, render_cache: Path) -> Path:
    """A finished sweep of three runs that was never uploaded, moved to where no test looks."""
    place = tmp_path_factory.mktemp("made")
    with (
        pytest.MonkeyPatch.context() as patch,
        EmulatorThread(
            EmulatorSettings(state_file=place / "state", latency=0.01, media_dir=render_cache, shared_clips=True)
        ) as server,
    ):
        patch.setenv("OPENAI_API_KEY", "an-emulated-key")
        patch.chdir(place)
        assert run(["-m", *as_openai(server), "hydra.sweep.dir=out", "replica=0,1,2"]) == 0
    return (place / "out").rename(place / "moved")


@pytest.fixture
def finished(made: Path, here: Path) -> Path:
    """The finished sweep, as `out`: to resume it costs nothing."""
    return Path(shutil.copytree(made, here / "out"))


@pytest.fixture
def bucket(tmp_path: Path) -> Path:
    """A directory that stands for a storage: storage.url=file://…"""
    place = tmp_path / "bucket"
    place.mkdir()
    return place


@pytest.fixture(scope="session")
def s3_process() -> Iterator[str]:
    """The address of an S3 server, a process of its own."""
    for package in ("s3fs", "moto", "flask_cors"):
        pytest.importorskip(package, reason=f"no S3 server without {package}: pip install '.[test]'")
    server = Path(__file__).with_name("s3_server.py")
    with subprocess.Popen(
        [sys.executable, server], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        yield process.stdout.readline().strip()
        process.stdin.close()


@pytest.fixture
def s3(s3_process: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3]:
    """A bucket of the test's own at the server, behind a door that the test may shut; the environment leads there."""
    with S3(s3_process) as bucket:
        for name, value in bucket.environment.items():
            monkeypatch.setenv(name, value)
        yield bucket
