"""Emulators that stand for the endpoints that the pages speak of."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from runner.emulator.settings import EmulatorSettings
from tests.emulator_thread import EmulatorThread

QUICK = {"latency": 0.05, "shared_clips": True}

MakeServer = Callable[..., EmulatorThread]


@pytest.fixture(scope="session")
def make_server(tmp_path_factory, render_cache) -> MakeServer:
    """A server that knows nothing of the others, as `make_server(dialect="xai")`."""

    def make(**settings: str) -> EmulatorThread:
        state = tmp_path_factory.mktemp("server") / "state.sqlite3"
        return EmulatorThread(EmulatorSettings(state_file=state, media_dir=render_cache, **QUICK, **settings))

    return make


@pytest.fixture(scope="session")
def server(make_server) -> Iterator[EmulatorThread]:
    with make_server() as emulator:
        yield emulator


@pytest.fixture(scope="session")
def host(make_server) -> Iterator[EmulatorThread]:
    """A host, with the manners of OpenRouter."""
    with make_server(dialect="openrouter") as emulator:
        yield emulator


@pytest.fixture(scope="session")
def xai(make_server) -> Iterator[EmulatorThread]:
    with make_server(dialect="xai") as emulator:
        yield emulator


@pytest.fixture(scope="session")
def gpu(make_server) -> Iterator[EmulatorThread]:
    """A server of one's own, with the manners of vLLM-Omni."""
    with make_server(dialect="vllm_omni") as emulator:
        yield emulator


@pytest.fixture(scope="session")
def other_gpu(make_server) -> Iterator[EmulatorThread]:
    """A second one."""
    with make_server(dialect="vllm_omni") as emulator:
        yield emulator
