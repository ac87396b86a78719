"""`number_of_videos`: so many runs, each its own job and directory, alone and in sweeps."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runner.app import run

from .conftest import arguments


def told(directory: Path) -> list[tuple[int, int, int]]:
    """Each run's number, replica and number of videos, in the order of their directories."""
    results = [json.loads(path.read_text()) for path in sorted(directory.glob("*/result.json"))]
    requests = [(result["index"], result["config"]["replica"], result["config"]["request"]) for result in results]
    return [(index, replica, request["number_of_videos"]) for index, replica, request in requests]


def test_a_sweep_makes_so_many_of_each(sweep, here: Path, emulator) -> None:
    assert sweep("request.number_of_videos=2", "request.aspect_ratio='16:9','9:16'") == 0
    assert told(here / "out") == [(0, 0, 1), (1, 1, 1), (2, 0, 1), (3, 1, 1)]
    assert emulator.ledger()["jobs"] == 4
    overrides = (here / "out" / "1" / ".hydra" / "overrides.yaml").read_text()
    assert "replica=1" in overrides
    assert "number_of_videos=2" not in overrides


def test_batches_keep_their_size(sweep, here: Path) -> None:
    assert sweep("request.number_of_videos=2", "request.prompt=a,b", "hydra.sweeper.max_batch_size=3") == 0
    assert told(here / "out") == [(0, 0, 1), (1, 1, 1), (2, 0, 1), (3, 1, 1)]


def test_a_number_that_is_swept_pays_nothing_twice(sweep, capsys) -> None:
    assert sweep("request.number_of_videos=1,2") == 2
    assert "would do and pay the same work as run 0" in capsys.readouterr().err


def test_replicas_of_replicas_are_all_different(sweep, here: Path) -> None:
    assert sweep("request.number_of_videos=2", "replica=0,1") == 0
    assert [replica for _, replica, _ in told(here / "out")] == [0, 1, 2, 3]


def test_one_run_becomes_a_sweep_in_its_own_directory(sweep, here: Path, emulator) -> None:
    overrides = arguments(emulator, "unused", ())[:-1]
    assert run([*overrides, "request.number_of_videos=3", "hydra.run.dir='my\\' \"d\\ir'"]) == 0
    assert told(here / "my' \"d\\ir") == [(0, 0, 1), (1, 1, 1), (2, 2, 1)]
    assert not (here / "unused").exists()


def test_an_experiment_s_own_sweep_stays_out_of_one_run(sweep, here: Path, emulator, capsys) -> None:
    overrides = arguments(emulator, "unused", ("request.duration_seconds",))[:-1]
    assert run([*overrides, "+experiment=draft_vs_pro", "request.number_of_videos=2", "dry_run=true"]) == 0
    assert "2 runs" in capsys.readouterr().out


def test_all_are_priced_before_any_is_made(sweep, emulator, capsys) -> None:
    assert sweep("request.number_of_videos=3", "dry_run=true") == 0
    out = capsys.readouterr().out
    assert "3 runs · $1.20" in out
    assert emulator.ledger()["jobs"] == 0


def test_what_is_no_number_is_refused(sweep, capsys) -> None:
    assert sweep("request.number_of_videos=x") == 2
    assert "request.number_of_videos" in capsys.readouterr().err


@pytest.mark.parametrize(
    "typed",
    [
        ["replica=range(1000000000)"],
        ["request.aspect_ratio=16:9,9:16", "replica=range(60000)"],
        ["request.number_of_videos=1000000000"],
        ["request.number_of_videos=60000", "request.aspect_ratio=16:9,9:16"],
        ["repeat=1000000000"],
        ["repeat=60000", "request.aspect_ratio=16:9,9:16"],
    ],
)
def test_more_runs_than_a_sweep_may_have_are_refused_before_they_are_made(sweep, here, capsys, emulator, typed) -> None:
    assert sweep(*typed) == 2
    said = capsys.readouterr().err
    assert "100,000 runs" in said or "less than or equal to 100000" in said
    assert "nothing was sent" in said
    assert emulator.ledger()["jobs"] == 0
    assert not (here / "out").exists()
