"""A sweep's composing and planning over the shipped `conf/`, and whole sweeps through the command line."""

from __future__ import annotations

import json
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx2
import pytest

from runner.app import run
from runner.artifacts.result import Result
from runner.artifacts.result_file import write_result
from runner.artifacts.run_status import RunStatus
from runner.engine.clock import Backoff
from runner.ledger.ledger import Ledger
from tests.emulator_thread import EmulatorThread

Sweep = Callable[..., int]


@pytest.fixture
def sweep(here: Path, emulator: EmulatorThread, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sweep]:
    """Run the command line with `-m` against an emulator reached as OpenAI; the result is the exit code."""
    monkeypatch.setenv("OPENAI_API_KEY", "an-emulated-key")

    def call(*overrides: str, server: EmulatorThread = emulator, directory: str = "out") -> int:
        return run(["-m", *arguments(server, directory, overrides), *overrides])

    yield call
    if "joblib.externals.loky" in sys.modules:
        # Its workers outlive the call, and would stand in this test's directory when they serve the next.
        sys.modules["joblib.externals.loky"].get_reusable_executor().shutdown(wait=True)


def arguments(server: EmulatorThread, directory: str, overrides: Sequence[str]) -> Sequence[str]:
    """What makes a sweep quick, and is not asked for otherwise."""
    usual = [
        "provider=openai",
        f"provider.base_url={server.base_url}",
        "provider.poll_interval=0.02",
        "provider.retired_models=off",
        "request.duration_seconds=4",
        "progress=off",
        f"hydra.sweep.dir={directory}",
    ]
    given = {override.partition("=")[0] for override in overrides}
    return [override for override in usual if override.partition("=")[0] not in given]


@pytest.fixture
def rewind(here: Path) -> Callable[..., Result]:
    """Put a finished run back to a state that a killed process might have left it in."""

    def back(number: int, status: str, *, place: Path = here / "out", keep: bool = False, **facts: Any) -> Result:
        with Ledger(place) as ledger:
            saved = ledger.run(number)
            kept = {} if keep else {"artifacts": []}
            result = saved.earlier.model_copy(update={"status": RunStatus(status), "error": None, **kept, **facts})
            if status in ("submitting", "uncertain"):
                result.job_id = result.attempts[-1].job_id = result.attempts[-1].ended_at = None
            ledger.save(number, result)
        directory = saved.directory
        for path in [] if keep else [*directory.glob("video*"), *directory.glob("thumbnail*")]:
            path.unlink()
        write_result(directory, result)
        return result

    return back


@pytest.fixture
def forget(here: Path, emulator) -> Callable[..., None]:
    """Put a run back to before it was begun, when the server had no job of it."""

    def never(number: int, place: Path = here / "out") -> None:
        job_id = json.loads((place / str(number) / "result.json").read_text())["job_id"]
        httpx2.delete(f"{emulator.base_url}/videos/{job_id}", headers={"Authorization": "Bearer x"}).raise_for_status()
        db = sqlite3.connect(place / "ledger.sqlite3")
        db.execute("UPDATE runs SET status = 'planned', job_id = NULL, result = NULL WHERE number = ?", (number,))
        db.commit()
        db.close()
        for path in (place / str(number)).iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    return never


@pytest.fixture
def single(here: Path, emulator, sweep) -> Callable[..., int]:
    """The command line of one run in `out`."""
    usual = ("provider=openai", f"provider.base_url={emulator.base_url}", "provider.poll_interval=0.02",
             "provider.retired_models=off", "request=draft", "progress=off", "hydra.run.dir=out")  # fmt: skip
    return lambda *overrides: run([*usual, *overrides])


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no test wait before another try."""
    for name in (
        "batch_submission._AGAIN",
        "batch_submission._REFUSED",
        "batch_results._AGAIN",
        "batch_lines._LATER",
        "batch._AGAIN",
    ):
        monkeypatch.setattr(f"runner.engine.{name}", Backoff(base=0.001, cap=0.002))


@pytest.fixture
def command(here: Path, soon: None, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Type a sweep of images into `out`, as batches; the exit code."""
    monkeypatch.setenv("OPENAI_API_KEY", "an-emulated-key")

    def call(server: EmulatorThread, *overrides: str) -> int:
        usual = ["provider=openai", f"provider.base_url={server.base_url}", "provider.poll_interval=0.02",
                 "provider.retired_models=off", "progress=off", "hydra.sweep.dir=out", "request=image", "yes=true",
                 "model=gpt-image-2", "request.size=1024x640", "request.quality=low", "batch=true"]  # fmt: skip
        given = {override.partition("=")[0] for override in overrides}
        return run(["-m", *(each for each in usual if each.partition("=")[0] not in given), *overrides])

    return call
