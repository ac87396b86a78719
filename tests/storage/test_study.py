"""A study of Optuna's that uploads, killed or interrupted in the middle: it goes on, and pays for no trial twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from hydra import __version__ as hydra

from runner import load_sweep
from runner.app import run

pytestmark = [
    # Optuna 2 is what Hydra's sweeper pins; it and its SQLAlchemy warn of what later versions drop.
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
    pytest.mark.skipif(hydra.startswith("1.4"), reason="the sweeper that there is for Optuna was made for Hydra 1.3"),
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process"),
]

TRIALS = 9
AT_ONCE = 3


@pytest.fixture
def server(make_emulator):
    return make_emulator(dialect="vllm_omni", latency=200, models=("Wan-AI/Wan2.2-T2V-A14B-Diffusers",))


@pytest.fixture
def study(server, bucket) -> list[str]:
    """A command that looks for the guidance of the sharpest video, and keeps no video here."""
    return [
        *("-m", "provider=vllm_omni", f"provider.base_url={server.base_url}", "provider.poll_interval=0.02"),
        *("model=wan2.2-t2v", "request.size=256x144", "request.num_frames=9", "request.duration_seconds=null"),
        *("progress=off", "hydra/sweeper=optuna", "hydra.sweeper.direction=maximize"),
        *("+hydra.sweeper.sampler.seed=7", f"hydra.sweeper.n_trials={TRIALS}", f"hydra.sweeper.n_jobs={AT_ONCE}"),
        *("hydra.sweep.dir=out", "objective=metrics.sharpness", "request.guidance_scale=interval(1,15)"),
        *(f"storage.url=file://{bucket}", "storage.keep_local=false"),
    ]


def ended(command: list[str], number: int, here: Path) -> int:
    """Start a command, send it a signal once the second batch has jobs on disk; return its exit code."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONWARNINGS": "ignore"}
    with subprocess.Popen([sys.executable, "-m", "runner", *command], cwd=here, env=environment) as process:
        while len([*filter(is_submitted, here.glob("out/[345]/result.json"))]) < AT_ONCE and process.poll() is None:
            time.sleep(0.02)
        process.send_signal(number)
    return process.returncode


def is_submitted(path: Path) -> bool:
    return '"status": "submitted"' in path.read_text()


@pytest.mark.parametrize(
    ("number", "code", "resumed"), [(signal.SIGKILL, -signal.SIGKILL, False), (signal.SIGINT, 130, True)]
)
def test_a_study_that_was_ended_in_the_middle_goes_on(study, here, server, bucket, number, code, resumed, capsys):
    assert ended(study, number, here) == code
    assert len([*bucket.glob("out/*/video.mp4")]) == AT_ONCE
    if resumed:
        assert run(["resume", "out"]) == 0
        assert server.ledger()["jobs"] == 2 * AT_ONCE

    assert run(study) == 0

    assert server.ledger()["jobs"] == TRIALS
    found = load_sweep(here / "out")
    assert len(found) == TRIALS
    best = yaml.safe_load((here / "out/optimization_results.yaml").read_text())
    assert best["best_value"] == max(each.scores["sharpness"] for each in found)
    assert len([*bucket.glob("out/*/video.mp4")]) == TRIALS
    assert not [*here.glob("out/*/video.mp4")]
    assert "warning" not in capsys.readouterr().err
    assert f"uploaded: {TRIALS} runs" in (bucket / "out/index.html").read_text()
    assert len(load_sweep(f"file://{bucket}/out")) == TRIALS
