"""A model that makes no eight seconds, chosen without a length: its own stands in, unless somebody names another."""

from __future__ import annotations

import json

import pytest

from runner.app import run

ODD = ("model.durations=[5,10]", "model.default_duration=5", "dry_run=true")


def said(capsys) -> tuple[str, str]:
    captured = capsys.readouterr()
    return captured.out, captured.err


@pytest.mark.parametrize("preset", ["video", "draft", "portrait"])
def test_its_own_length_stands_in_for_the_usual_one_and_is_told(here, capsys, preset):
    assert run([*ODD, f"request={preset}"]) == 0
    out, err = said(capsys)
    assert "$0.50" in out
    assert f"which request={preset} has: 5 are asked for" in err
    assert "request.duration_seconds=N makes another length: 5, 10" in err


def test_each_model_of_a_sweep_gets_its_own(here, capsys):
    assert run(["-m", "dry_run=true", "model=sora-2,kling-3.0-std", "provider.dialect=openrouter"]) == 0
    assert said(capsys)[1].count("are asked for") == 0
    assert run(["-m", *ODD, "replica=0,1"]) == 0
    assert said(capsys)[1].count("5 are asked for") == 1


@pytest.mark.parametrize("wish", ["request.duration_seconds=8", "request.duration_seconds=4"])
def test_a_length_that_is_typed_is_never_changed(here, capsys, wish):
    assert run([*ODD, wish]) == 2
    assert "Allowed values: 5, 10" in said(capsys)[1]


def test_a_length_in_a_file_of_the_user_s_own_is_never_changed(here, capsys):
    (here / "own" / "experiment").mkdir(parents=True)
    (here / "own" / "experiment" / "long.yaml").write_text("# @package _global_\nrequest: {duration_seconds: 8}\n")
    (here / "own" / "mine.yaml").write_text("defaults: [config, _self_]\nrequest: {duration_seconds: 8}\n")
    for chosen in (["--config-dir=own", "+experiment=long"], ["--config-dir=own", "--config-name=mine"]):
        assert run([*chosen, *ODD]) == 2
        assert "Invalid duration for emulator (sora-2): 8 seconds" in said(capsys)[1]


def test_sora_s_users_get_eight_seconds_as_ever(here, capsys):
    assert run(["dry_run=true"]) == 0
    out, err = said(capsys)
    assert ("$0.80" in out, err) == (True, "")


def test_what_is_kept_is_the_length_that_was_sent(here, capsys):
    host = ("provider.dialect=openrouter", "model=gen-4.5", "model.sizes=null", "request.size=128x96")
    fast = ("provider.latency=0.01", "provider.poll_interval=0.01", "hydra.run.dir=out", "progress=off")
    assert run([*host, *ODD[:2], *fast]) == 0
    kept = json.loads((here / "out" / "result.json").read_text())
    assert kept["config"]["request"]["duration_seconds"] == 5
    assert run(["resume", "out"]) == 0
