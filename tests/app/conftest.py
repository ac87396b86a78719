"""The command line as a user types it: a process of its own in an empty directory."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from runner.emulator.settings import EmulatorSettings
from tests.command_line import command_line
from tests.emulator_thread import EmulatorThread

QUICK = ("provider.latency=0.05", "provider.poll_interval=0.05")
"""What makes the emulator's default of two seconds bearable in tests."""


@dataclass(frozen=True)
class Done:
    """A finished command."""

    code: int
    out: str
    err: str
    cwd: Path

    def results(self) -> list[dict]:
        paths = sorted(self.cwd.glob("outputs/**/result.json"))
        return [json.loads(path.read_text()) for path in paths]

    @property
    def left_behind(self) -> list[Path]:
        return sorted(path for path in self.cwd.rglob("*") if path.name not in ("home", "prompt.txt", ".env"))

    def refused(self, *fragments: str) -> None:
        """Assert a refusal: code 2, one clear message, no traceback, nothing left on disk."""
        assert self.code == 2, self.err
        assert "Traceback" not in self.err
        for fragment in fragments:
            assert fragment in self.err
        assert self.left_behind == []


Cli = Callable[..., Done]


@pytest.fixture
def canary() -> str:
    """A key that must never be seen again."""
    return "canary-0123456789-abcdef-key"


@pytest.fixture
def quick(cli) -> Cli:
    """The same on an emulator that takes no time."""
    return lambda *arguments, **variables: cli(*arguments, *QUICK, **variables)


@pytest.fixture
def cli(tmp_path) -> Cli:
    """Run `python -m runner …` in an empty directory; keyword arguments are environment variables."""

    def call(*arguments: str, **variables: str) -> Done:
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("OPENAI_", "AZURE_", "HYDRA_"))}
        done = command_line(arguments, tmp_path, {**environment, "COLUMNS": "120", **variables}, strict=True)
        return Done(done.returncode, done.stdout, done.stderr, tmp_path)

    return call


@pytest.fixture
def unused_port() -> int:
    """A port of this machine that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def server(tmp_path_factory, render_cache) -> Iterator[EmulatorThread]:
    """One emulator for every test that only needs an endpoint."""
    state = tmp_path_factory.mktemp("server") / "state.sqlite3"
    settings = EmulatorSettings(state_file=state, latency=0.05, media_dir=render_cache, shared_clips=True)
    with EmulatorThread(settings) as emulator:
        yield emulator
