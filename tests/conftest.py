"""Fixtures for every test: an emulator on a free port, the shipped config, and no one's credentials."""

from __future__ import annotations

import gc
import json
import logging
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from hypothesis import settings
from omegaconf import DictConfig, OmegaConf

from runner.app import run
from runner.child import start
from runner.compose.app import initialize
from runner.compose.loader import Compositions, GuardedLoader
from runner.compose.plan import Planner
from runner.config.loading import load, without_own_keys
from runner.config.problem import Problem
from runner.config.run import RunConfig
from runner.config.shipped import CONF
from runner.emulator.faults import FaultRule
from runner.emulator.settings import EmulatorSettings
from tests.emulator_thread import EmulatorThread, as_openai
from tests.forking import CLIPS, LISTENING, address, start_child
from tests.privileges import none_beyond_permissions
from tests.shipped_config import reading_once, task

MakeEmulator = Callable[..., EmulatorThread]

# Tests start hundreds of processes, each of which would compile all modules again where this is set.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# Thousands of collected tests are looked through at each collection of garbage: rarer ones save 6 % of the CPU.
gc.set_threshold(100_000, 20, 20)

# No example is timed: the machine may be busy.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


_LONGEST = frozenset({
    "test_soak.py", "test_matrix.py", "test_soak_strange.py", "test_distribution.py", "test_contributing.py",
    "test_shell.py", "test_canary.py", "test_budget.py", "test_processes.py", "test_damage.py",
})  # fmt: skip
"""Files that are begun first: one process has all of a file, and would go on alone where it is begun last."""


def pytest_configure(config: pytest.Config) -> None:
    """Let several processes of pytest have theirs forked by one server, whose imports are a second of CPU or two."""
    if config.getoption("numprocesses", None) and hasattr(os, "fork"):
        os.environ[LISTENING] = address()


def pytest_collection_finish() -> None:
    """Leave what was collected, and lives to the end, out of every later collection of garbage."""
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.name not in _LONGEST)


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("OPENAI_", "AZURE_")):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session", autouse=True)
def default_signals() -> None:
    """Let child processes hear the signals that nohup or a shell's background has switched off for the tests."""
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def forked_children(render_cache: Path) -> Iterator[None]:
    """Fork our child processes instead of starting an interpreter for each; `real_children` undoes that."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CLIPS, str(render_cache))
        if hasattr(os, "fork"):
            patch.setattr("runner.artifacts.decoder.start", start_child)
            patch.setattr("runner.metrics.measurer.start", start_child)
            patch.setattr("runner.emulator.process.start", start_child)
            patch.setattr("runner.model_judge.pictures.start", start_child)
        yield


@pytest.fixture
def real_children(forked_children: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let decoders, measurers and emulators be started as they are for users."""
    monkeypatch.setattr("runner.artifacts.decoder.start", start)
    monkeypatch.setattr("runner.metrics.measurer.start", start)
    monkeypatch.setattr("runner.emulator.process.start", start)
    monkeypatch.setattr("runner.model_judge.pictures.start", start)


@pytest.fixture(autouse=True)
def own_logging() -> Iterator[None]:
    """Take away what a test has told the log: its handlers would write to a stream that was closed with the test."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture(scope="session")
def render_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder of rendered clips for the whole session and all its processes, so that no clip is encoded twice."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "media"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture
def make_emulator(tmp_path: Path, render_cache: Path) -> Iterator[MakeEmulator]:
    """Start an emulator: settings by name, `rules` as in a fault file, `now` as its clock.

    Its videos of one size and duration are all the same, as encoding takes its time; not so with `shared_clips=False`.
    """
    with ExitStack() as stack:

        def make(
            *, rules: Sequence[dict[str, Any]] = (), now: Callable[[], float] | None = None, **settings: Any
        ) -> EmulatorThread:
            chosen = {
                "state_file": tmp_path / "emulator.sqlite3",
                "latency": 2.0,
                "time_scale": 100.0,
                "media_dir": render_cache,
                "shared_clips": True,
                **settings,
            }
            parsed = [FaultRule.model_validate(rule) for rule in rules]
            clock = {} if now is None else {"now": now}
            return stack.enter_context(EmulatorThread(EmulatorSettings(**chosen), rules=parsed, **clock))

        yield make


@pytest.fixture
def emulator(make_emulator: MakeEmulator) -> EmulatorThread:
    """An emulator whose jobs take 20 ms."""
    return make_emulator()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory in which the user stands."""
    place = tmp_path / "here"
    place.mkdir()
    monkeypatch.chdir(place)
    return place


@pytest.fixture
def typed(here: Path, emulator: EmulatorThread, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Run a command line against an emulator that is reached as OpenAI, and so costs something; the exit code."""
    monkeypatch.setenv("OPENAI_API_KEY", "an-emulated-key")

    def call(*arguments: str, server: EmulatorThread = emulator) -> int:
        return run([*arguments[:1], *as_openai(server), *arguments[1:]])

    return call


@pytest.fixture
def sweep(typed: Callable[..., int]) -> Callable[..., int]:
    """Run `-m` into `out`; the result is the exit code."""
    return lambda *overrides, **options: typed("-m", "hydra.sweep.dir=out", *overrides, **options)


@pytest.fixture
def single(typed: Callable[..., int]) -> Callable[..., int]:
    """Make one run into `out`; the result is the exit code."""
    return lambda *overrides: typed("hydra.run.dir=out", *overrides)


@pytest.fixture
def read() -> Callable[[str | Path], dict[str, Any]]:
    """The data of a page."""

    def data(path: str | Path) -> dict[str, Any]:
        found = re.search(r'id="data">(.*?)</script>', Path(path).read_text(encoding="utf-8"), re.DOTALL)
        assert found is not None
        return json.loads(found[1])

    return data


class Asked(NamedTuple):
    """A request that a small server got."""

    method: str
    path: str
    query: str
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class SmallServer:
    """A server on a free port of this machine that keeps what it is asked and gives one answer, JSON, to everything."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.answer: Callable[[Asked], tuple[int, Any]] = lambda _: (404, {"error": {"message": "nothing here"}})
        own = self

        class Handler(BaseHTTPRequestHandler):
            def handle_any(self) -> None:
                path, _, query = self.path.partition("?")
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                asked = Asked(self.command, path, query, body)
                own.asked.append(asked)
                status, answer = own.answer(asked)
                content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("content-type", "video/mp4" if isinstance(answer, bytes) else "application/json")
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_DELETE = handle_any  # noqa: N815 - names of http.server's

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.base_url = f"http://127.0.0.1:{self.server.server_port}/v1"

    def paths(self, method: str) -> list[str]:
        return [asked.path for asked in self.asked if asked.method == method]


@pytest.fixture
def small_server() -> Iterator[SmallServer]:
    small = SmallServer()
    thread = threading.Thread(target=small.server.serve_forever)
    thread.start()
    yield small
    small.server.shutdown()
    thread.join()
    small.server.server_close()


class Clock:
    """A Unix clock that moves only when it is told to."""

    long = 10_000.0
    """Seconds that no test waits for."""

    def __init__(self) -> None:
        self.time = 1_800_000_000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def served(make_emulator: MakeEmulator, clock: Clock) -> EmulatorThread:
    """An emulator whose jobs are done when its clock is put forward by `clock.long`."""
    clock.time = time.time()
    return make_emulator(now=clock, latency=clock.long, time_scale=1, retention=clock.long * 10)


Composed = Callable[..., dict[str, Any]]


@pytest.fixture
def composed(monkeypatch) -> Composed:
    """The shipped conf/, composed with overrides and resolved to plain containers, without what is the sweep's."""
    monkeypatch.setenv("RUNNER_STARTED", "2026-11-23/09-30-00-test")

    def build(*overrides: str) -> dict[str, Any]:
        container = OmegaConf.to_container(task(overrides), resolve=True)
        assert isinstance(container, dict)
        return dict(without_own_keys(container))

    return build


@pytest.fixture
def loaded(composed) -> Callable[..., RunConfig]:
    def build(*overrides: str) -> RunConfig:
        config, problems = load(composed(*overrides))
        assert not problems
        assert config is not None
        return config

    return build


@pytest.fixture
def refused(composed) -> Callable[..., list[Problem]]:
    def build(*overrides: str) -> list[Problem]:
        config, problems = load(composed(*overrides))
        assert config is None
        return problems

    return build


@pytest.fixture(scope="module")
def loader() -> Iterator[ConfigLoader]:
    """Hydra's config loader over the shipped conf/, as sweeps use it."""
    GlobalHydra.instance().clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RUNNER_STARTED", "2026-11-23/09-30-00-test")
        initialize(CONF)
        inner = reading_once(GlobalHydra.instance().config_loader())
        yield GuardedLoader(inner, lambda _config: None, Compositions(inner).load)
    GlobalHydra.instance().clear()


@pytest.fixture(scope="module")
def master(loader: ConfigLoader) -> DictConfig:
    """A sweep's own config."""
    return loader.load_configuration("config", ["hydra.mode=MULTIRUN"], RunMode.MULTIRUN)


@pytest.fixture
def closed() -> Iterator[Callable[[Path], Path]]:
    """Close a directory to its owner, for this test; also to root."""
    places: list[Path] = []

    def close(place: Path, mode: int = 0) -> Path:
        places.append(place)
        place.chmod(mode)
        return place

    with none_beyond_permissions():
        yield close
    for place in reversed(places):
        place.chmod(0o700)


@pytest.fixture
def planner(loader: ConfigLoader, master: DictConfig) -> Planner:
    return Planner(loader, master)


@pytest.fixture(autouse=True)
def no_hydra_config() -> Iterator[None]:
    yield
    HydraConfig.instance().cfg = None
