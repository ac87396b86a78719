"""A metric as what an optimiser goes by: it finds what the emulator has planted, and pays for no trial twice."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hydra import __version__ as hydra

from runner import load_sweep
from runner.app import run
from runner.emulator.job import BEST_GUIDANCE

pytestmark = [
    # Optuna 2 is what Hydra's sweeper pins; it and its SQLAlchemy warn of what later versions drop.
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
    pytest.mark.skipif(hydra.startswith("1.4"), reason="the sweeper that there is for Optuna was made for Hydra 1.3"),
]

TRIALS = 20
AT_ONCE = 4


@pytest.fixture
def server(make_emulator):
    """A server of an open model, whose pictures are sharpest at one guidance."""
    return make_emulator(dialect="vllm_omni", models=("Wan-AI/Wan2.2-T2V-A14B-Diffusers",))


@pytest.fixture
def study(here: Path, server, monkeypatch):
    """Look for the guidance that makes the sharpest videos; the exit code."""

    def call(*overrides: str) -> int:
        return run([
            *("-m", "provider=vllm_omni", f"provider.base_url={server.base_url}", "provider.poll_interval=0.02"),
            *("model=wan2.2-t2v", "request.size=256x144", "request.num_frames=9", "request.duration_seconds=null"),
            *("progress=off", "gallery=false"),
            *("hydra/sweeper=optuna", "hydra.sweeper.direction=maximize", "+hydra.sweeper.sampler.seed=7"),
            *(f"hydra.sweeper.n_trials={TRIALS}", f"hydra.sweeper.n_jobs={AT_ONCE}", "hydra.sweep.dir=out"),
            *("objective=metrics.sharpness", "request.guidance_scale=interval(1,15)", *overrides),
        ])  # fmt: skip

    return call


def jobs(server) -> int:
    return server.ledger()["jobs"]


def test_the_planted_optimum_is_found_by_a_stated_number_of_trials(study, here, server):
    assert study() == 0

    best = yaml.safe_load((here / "out/optimization_results.yaml").read_text())
    assert best["best_params"]["request.guidance_scale"] == pytest.approx(BEST_GUIDANCE, abs=1)
    found = load_sweep(here / "out")
    assert len(found) == jobs(server) == TRIALS
    assert best["best_value"] == max(each.scores["sharpness"] for each in found)


def test_the_same_study_again_pays_for_no_trial(study, here, server):
    assert study() == 0
    before = load_sweep(here / "out").to_pandas().drop(columns="metrics.sharpness")

    assert study() == 0
    assert jobs(server) == TRIALS
    assert load_sweep(here / "out").to_pandas().drop(columns="metrics.sharpness").equals(before)


def test_a_study_goes_on_from_its_ledger(study, here, server):
    assert study("hydra.sweeper.n_trials=8") == 0
    assert jobs(server) == 8

    assert study() == 0
    assert jobs(server) == TRIALS, "the first eight were there"
    assert len(load_sweep(here / "out")) == TRIALS


def test_another_study_does_not_overwrite_this_one(study, here, server, capsys):
    assert study("hydra.sweeper.n_trials=4") == 0

    assert study("hydra.sweeper.n_trials=4", "request.seed=3") == 2
    assert jobs(server) == 4
    assert "which would be overwritten" in capsys.readouterr().err
