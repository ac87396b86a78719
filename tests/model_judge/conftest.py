"""A sweep that is there to be judged, and a judge that is reached as OpenAI, and so costs something."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image, ImageFilter

from runner.app import run
from runner.commands.score import AskAgain, ask_judge
from runner.config import shipped
from runner.config.judge import ScoreConfig, load_score
from runner.config.shipped import CONF
from runner.emulator.settings import EmulatorSettings
from runner.results.reading import sweeps_of
from tests.emulator_thread import EmulatorThread

KEY = "a-canary-key/0123+4567"

SWEEP = ("request=image", "request.size=1024x1024", "request.quality=low", "provider.retired_models=off")
SMALL = (320, 320)
"""What the pictures are scaled down to, as decoding them takes most of a test's time."""

PROMPTS = "request.prompt=a fox,a whale"


@pytest.fixture(scope="session")
def sweep(tmp_path_factory: pytest.TempPathFactory, render_cache: Path) -> Path:
    """Two prompts with two models; what the second has made is blurred, so that a judge can tell it."""
    place = tmp_path_factory.mktemp("judged")
    settings = EmulatorSettings(state_file=place / "state.sqlite3", media_dir=render_cache)
    with EmulatorThread(settings) as server, pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setenv("OPENAI_API_KEY", KEY)
        models = "model=gpt-image-1.5,gpt-image-1-mini"
        address = ("provider=openai", f"provider.base_url={server.base_url}", "progress=off")
        assert run(["-m", *SWEEP, models, PROMPTS, *address, "hydra.sweep.dir=out"]) == 0
    for number in range(4):
        path = place / "out" / str(number) / "image-0.png"
        with Image.open(path) as image:
            small = image.convert("RGB").resize(SMALL)
        if number >= 2:
            small = small.convert("L").filter(ImageFilter.GaussianBlur(4)).convert("RGB")
        small.save(path)
    return place / "out"


@pytest.fixture
def out(sweep: Path, here: Path) -> Path:
    """A copy of the sweep."""
    return Path(shutil.copytree(sweep, here / "out"))


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> str:
    """What signs the requests."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    return KEY


@pytest.fixture
def score(out: Path, emulator: EmulatorThread, key: str, capsys: pytest.CaptureFixture[str]) -> Callable[..., int]:
    """Type `score out metrics=[judge]` with more words; the exit code."""
    capsys.readouterr()

    def call(*words: str, server: EmulatorThread = emulator) -> int:
        address = ("provider=openai", f"provider.base_url={server.base_url}")
        return run(["score", "out", "metrics=[judge]", *address, *words])

    return call


@pytest.fixture
def configured(emulator: EmulatorThread) -> Callable[..., ScoreConfig]:
    """A config as the shipped files make it, with changes of `judge`; `provider` and `budget` are mappings."""

    def make(
        server: EmulatorThread = emulator,
        provider: dict[str, Any] | None = None,
        budget: dict[str, Any] | None = None,
        **judge: Any,
    ) -> ScoreConfig:
        default = yaml.safe_load((CONF / "judge" / "default.yaml").read_text())
        openai = {**(shipped.option("provider", "openai") or {}), "base_url": server.base_url}
        sections = {"provider": provider or openai, "judge": {**default, **judge}, "budget": budget or {}}
        config, problems = load_score(sections)
        assert config is not None, problems
        return config

    return make


@pytest.fixture
def judge(out: Path, configured: Callable[..., ScoreConfig], key: str) -> Callable[..., int]:
    """Do what `score out metrics=[judge]` does once its config is read; the exit code."""

    def call(
        *,
        retry_failed: bool = False,
        resubmit_uncertain: bool = False,
        sweeps: Sequence[str] = ("out",),
        **changes: Any,
    ) -> int:
        again = AskAgain(retry_failed=retry_failed, resubmit_uncertain=resubmit_uncertain)
        groups = sweeps_of(map(Path, sweeps)).sweeps
        return ask_judge(groups, configured(**changes), again, typed="score out", renew=lambda _: None)

    return call


@pytest.fixture
def votes(out: Path) -> Callable[[], list[dict[str, Any]]]:
    """Read what was answered."""

    def read() -> list[dict[str, Any]]:
        path = out / "judge" / "votes.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    return read


@pytest.fixture
def scores(out: Path) -> Callable[[str], dict[int, float]]:
    """Read the latest values of a metric, by the runs' numbers."""

    def read(metric: str) -> dict[int, float]:
        path = out / "scores.jsonl"
        lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        return {int(line["run"].split("/")[1]): line["value"] for line in lines if line["metric"] == metric}

    return read
