"""Fixtures for every test: an emulator on a free port, and an environment without anyone's credentials."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from runner.emulator.faults import Rule
from runner.emulator.settings import EmulatorSettings
from runner.emulator.thread import EmulatorThread

MakeEmulator = Callable[..., EmulatorThread]


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("OPENAI_", "AZURE_")):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def render_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder of rendered clips for the whole session, so that no clip is encoded twice."""
    return tmp_path_factory.mktemp("media")


@pytest.fixture
def make_emulator(tmp_path: Path, render_cache: Path) -> Iterator[MakeEmulator]:
    """Start an emulator: settings by name, `rules` as in a fault file, `now` as its clock."""
    with ExitStack() as stack:

        def make(
            *, rules: Sequence[dict[str, Any]] = (), now: Callable[[], float] | None = None, **settings: Any
        ) -> EmulatorThread:
            chosen = {
                "state_file": tmp_path / "emulator.sqlite3",
                "latency": 2.0,
                "time_scale": 100.0,
                "media_dir": render_cache,
                **settings,
            }
            parsed = [Rule.model_validate(rule) for rule in rules]
            clock = {} if now is None else {"now": now}
            return stack.enter_context(EmulatorThread(EmulatorSettings(**chosen), rules=parsed, **clock))

        yield make


@pytest.fixture
def emulator(make_emulator: MakeEmulator) -> EmulatorThread:
    """An emulator whose jobs take 20 ms."""
    return make_emulator()
