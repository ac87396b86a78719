"""`hydra/launcher=runner_ray` where it cannot be used: said before anything is sent."""

from __future__ import annotations

import pytest

from runner.app import run


@pytest.fixture
def without_ray(monkeypatch):
    """As it is where the extra is not installed."""
    import importlib.util

    found = importlib.util.find_spec
    monkeypatch.setattr("runner.distributed.installed.find_spec", lambda name: None if name == "ray" else found(name))


@pytest.fixture
def with_ray(monkeypatch):
    monkeypatch.setattr("runner.distributed.installed.find_spec", lambda name: __spec__)


def test_without_ray_it_says_what_to_install(sweep, without_ray, emulator, capsys):
    assert sweep("replica=0,1", "hydra/launcher=runner_ray") == 2
    told = capsys.readouterr().err
    assert "needs ray, which is not installed here" in told
    assert "pip install 'mediarunner[ray]'" in told
    assert not emulator.ledger()["created"]


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["ray.address=ray://head:10001"], "give the command on a node of the cluster, with ray.address=auto"),
        (["ray.num_workers=0"], "ray.num_workers"),
        (["+ray.resources.GPU=1"], "+ray.resources.num_gpus=1"),
        (["+ray.resources.CPU=2"], "ray.resources.num_cpus=2"),
        (["ray.resources.num_cpus=0.00001"], "ray.resources.num_cpus=0.0001 or more"),
        (["batch=true"], "is sent from one process, and hydra/launcher=runner_ray has several"),
    ],
)
def test_what_it_cannot_do_is_refused(sweep, with_ray, emulator, capsys, typed, said):
    assert sweep("replica=0,1", "hydra/launcher=runner_ray", *typed) == 2
    assert said in capsys.readouterr().err
    assert not emulator.ledger()["created"]


def test_resume_refuses_another_launcher_and_takes_ray_s_keys(sweep, without_ray, emulator, capsys):
    assert sweep("replica=0,1") == 0
    assert run(["resume", "out", "ray.num_workers=2"]) == 2
    assert "pip install 'mediarunner[ray]'" in capsys.readouterr().err
    assert run(["resume", "out", "hydra/launcher=joblib"]) == 2
    assert "hydra/launcher=runner_ray" in capsys.readouterr().err
