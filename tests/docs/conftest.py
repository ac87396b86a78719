"""Emulators that stand for the endpoints that the pages speak of."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from runner.emulator.settings import EmulatorSettings
from tests.emulator_thread import EmulatorThread

QUICK = {"latency": 0.05, "shared_clips": True}


@pytest.fixture(scope="session")
def server(tmp_path_factory, render_cache) -> Iterator[EmulatorThread]:
    state = tmp_path_factory.mktemp("server") / "state.sqlite3"
    with EmulatorThread(EmulatorSettings(state_file=state, media_dir=render_cache, **QUICK)) as emulator:
        yield emulator


@pytest.fixture(scope="session")
def host(tmp_path_factory, render_cache) -> Iterator[EmulatorThread]:
    """A host, with the manners of OpenRouter."""
    state = tmp_path_factory.mktemp("host") / "state.sqlite3"
    settings = EmulatorSettings(state_file=state, dialect="openrouter", media_dir=render_cache, **QUICK)
    with EmulatorThread(settings) as emulator:
        yield emulator


@pytest.fixture(scope="session")
def xai(tmp_path_factory, render_cache) -> Iterator[EmulatorThread]:
    state = tmp_path_factory.mktemp("xai") / "state.sqlite3"
    with EmulatorThread(EmulatorSettings(state_file=state, dialect="xai", media_dir=render_cache, **QUICK)) as emulator:
        yield emulator


@pytest.fixture(scope="session")
def gpu(tmp_path_factory, render_cache) -> Iterator[EmulatorThread]:
    """A server of one's own, with the manners of vLLM-Omni."""
    state = tmp_path_factory.mktemp("gpu") / "state.sqlite3"
    settings = EmulatorSettings(state_file=state, dialect="vllm_omni", media_dir=render_cache, **QUICK)
    with EmulatorThread(settings) as emulator:
        yield emulator


@pytest.fixture(scope="session")
def other_gpu(tmp_path_factory, render_cache) -> Iterator[EmulatorThread]:
    """A second one, which knows nothing of the first."""
    state = tmp_path_factory.mktemp("other-gpu") / "state.sqlite3"
    settings = EmulatorSettings(state_file=state, dialect="vllm_omni", media_dir=render_cache, **QUICK)
    with EmulatorThread(settings) as emulator:
        yield emulator
