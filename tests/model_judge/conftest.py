"""A sweep that is there to be judged, and a judge that is reached as OpenAI, and so costs something."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageFilter

from runner.app import run
from runner.emulator.settings import EmulatorSettings
from tests.emulator_thread import EmulatorThread

KEY = "a-canary-key/0123+4567"

SWEEP = ("request=image", "request.size=1024x1024", "request.quality=low", "provider.retired_models=off")
PROMPTS = "request.prompt=a fox,a whale"


@pytest.fixture(scope="session")
def sweep(tmp_path_factory: pytest.TempPathFactory, render_cache: Path) -> Path:
    """Two prompts with two models; those of the second are blurred, so that a judge can tell them."""
    place = tmp_path_factory.mktemp("judged")
    settings = EmulatorSettings(state_file=place / "state.sqlite3", media_dir=render_cache)
    with EmulatorThread(settings) as server, pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setenv("OPENAI_API_KEY", KEY)
        models = "model=gpt-image-1-mini,gpt-image-1.5"
        address = ("provider=openai", f"provider.base_url={server.base_url}", "progress=off")
        assert run(["-m", *SWEEP, PROMPTS, models, *address, "hydra.sweep.dir=out"]) == 0
    return place / "out"


@pytest.fixture
def out(sweep: Path, here: Path) -> Path:
    """A copy of the sweep."""
    return Path(shutil.copytree(sweep, here / "out"))


@pytest.fixture
def score(
    out: Path, emulator: EmulatorThread, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., int]:
    """Type `score out metrics=[judge]` with more words; the exit code."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    capsys.readouterr()

    def call(*words: str, server: EmulatorThread = emulator) -> int:
        address = ("provider=openai", f"provider.base_url={server.base_url}")
        return run(["score", "out", "metrics=[judge]", *address, *words])

    return call


@pytest.fixture
def votes(out: Path) -> Callable[[], list[dict[str, Any]]]:
    """Read what was answered."""

    def read() -> list[dict[str, Any]]:
        path = out / "judge" / "votes.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    return read


@pytest.fixture
def scores(out: Path) -> Callable[[str], dict[str, float]]:
    """Read the latest values of a metric, by the runs' numbers."""

    def read(metric: str) -> dict[str, float]:
        path = out / "scores.jsonl"
        lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        return {line["run"].split("/")[1]: line["value"] for line in lines if line["metric"] == metric}

    return read


def blur(path: Path, radius: float) -> None:
    """Make a picture worse in place, as if its model had made it so."""
    with Image.open(path) as image:
        image.filter(ImageFilter.GaussianBlur(radius)).save(path)
