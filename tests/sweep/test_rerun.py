"""The same command into the same directory goes on with what is there."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from runner.app import run
from runner.artifacts.result_file import read_result
from runner.artifacts.run_status import RunStatus

from .resumable import again, created, states


def test_the_same_command_goes_on(sweep, here, rewind, forget, emulator):
    command = ("request.prompt=a,b", "replica=0,1")
    assert sweep(*command) == 0
    rewind(0, "submitted")
    forget(3)
    assert sweep(*command) == 0
    assert created(emulator) == 5
    assert states(here / "out") == ["verified"] * 4
    requests = emulator.ledger()["requests"]
    assert sweep(*command) == 0
    assert emulator.ledger()["requests"] == requests


def test_the_same_command_in_batches_goes_on(sweep, here, rewind, emulator):
    command = ("replica=0,1,2", "hydra.sweeper.max_batch_size=2")
    assert sweep(*command) == 0
    rewind(0, "submitted")
    rewind(2, "completed")
    assert sweep(*command) == 0
    assert states(here / "out") == ["verified"] * 3
    assert created(emulator) == 3


def test_several_videos_of_one_command_go_on(single, here, rewind, emulator):
    command = ("request.number_of_videos=3",)
    assert single(*command) == 0
    rewind(1, "submitted")
    assert single(*command) == 0
    rewind(2, "completed")
    assert again() == 0
    assert states(here / "out") == ["verified"] * 3
    assert created(emulator) == 3


@pytest.fixture
def other_runs(make_emulator, tmp_path: Path):
    """A second server, to fall back to."""
    return make_emulator(state_file=tmp_path / "elsewhere.sqlite3")


@pytest.mark.parametrize("rerun", [True, False])
def test_a_run_that_fell_back_goes_on_at_its_second_choice(sweep, here, rewind, make_emulator, other_runs, rerun):
    server = make_emulator(rules=[{"match": {"operation": "create"}, "nth": 1, "fault": "internal"}])
    second = f"{{base_url: '{other_runs.base_url}', kind: openai, retired_models: 'off', poll_interval: 0.02}}"
    command = ("replica=0", f"fallbacks=[{{provider: {second}}}]")
    assert sweep(*command, server=server) == 0
    assert read_result(here / "out/0").choice == 1
    rewind(0, "submitted")
    polled = server.ledger()["requests"]
    assert (sweep(*command, server=server) if rerun else again()) == 0
    assert server.ledger()["requests"] == polled
    assert (created(server), created(other_runs)) == (1, 1)
    result = read_result(here / "out/0")
    assert (result.status, result.choice, len(result.attempts)) == (RunStatus.VERIFIED, 1, 2)


@pytest.fixture
def killed(sweep, here, emulator) -> tuple[str, ...]:
    """The command of a sweep whose foreign launcher was killed while it was at the first of four runs."""
    command = ("hydra/launcher=basic", "replica=0,1,2,3")
    assert sweep(*command) == 0
    for number in "123":
        shutil.rmtree(here / "out" / number)
    for name in ("results.csv", "results.jsonl"):
        (here / "out" / name).unlink()
    return command


def test_resume_tells_of_runs_that_another_launcher_never_began(killed, sweep, here, rewind, emulator, capsys):
    rewind(0, "submitted", place=here / "out/0")
    capsys.readouterr()
    assert again() == 4
    said = capsys.readouterr().err
    assert "3 runs were never begun" in said
    assert "hydra.sweep.dir=out" in said
    assert states(here / "out/0") == ["verified"]
    assert run(["ls", "out", "--json"]) == 0
    rows = {row["directory"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["out"]["runs"] == {"planned": 3}
    assert rows["out"]["command"] == "python -m runner resume out"
    assert created(emulator) == 4
    assert sweep(*killed) == 0
    assert created(emulator) == 7
    assert again() == 0
    assert "never begun" not in capsys.readouterr().err


def test_a_sweep_of_another_launcher_that_began_no_run_says_so(killed, here, capsys):
    shutil.rmtree(here / "out/0")
    assert again() == 4
    assert "4 runs were never begun" in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"no ledger at all " * 99, b""])
def test_without_its_ledger_a_sweep_names_what_goes_on(sweep, here, emulator, capsys, content):
    assert sweep("request.prompt=a,b") == 0
    (here / "out/ledger.sqlite3").write_bytes(content)
    capsys.readouterr()
    assert again() == 2
    said = capsys.readouterr().err
    assert "python -m runner resume out --rebuild" in said
    (here / "out/ledger.sqlite3").unlink()
    assert again() == 2
    said = capsys.readouterr().err
    assert "out/0\n" in said
    assert "python -m runner resume out/1\n" in said
    assert run(["resume", "out/0"]) == 0
    capsys.readouterr()
    assert again() == 2, "one run that goes on does not speak for the other"
    assert "python -m runner resume out/1\n" in capsys.readouterr().err
    assert run(["resume", "out/1"]) == 0
    assert again() == 0
    assert created(emulator) == 2


@pytest.mark.parametrize(("first", "then"), [("basic", "runner"), ("runner", "basic")])
def test_another_launcher_pays_for_nothing_again(sweep, emulator, capsys, first, then):
    assert sweep(f"hydra/launcher={first}", "replica=0,1") == 0
    capsys.readouterr()
    assert sweep(f"hydra/launcher={then}", "replica=0,1") == 2
    said = capsys.readouterr().err
    assert "begun under another hydra/launcher" in said
    assert "python -m runner resume out" in said
    assert created(emulator) == 2


@pytest.fixture
def refusing(make_emulator, tmp_path: Path):
    """A server that takes nobody's key."""
    rules = [{"match": {"operation": "create"}, "every": 1, "fault": "unauthorized"}]
    return make_emulator(state_file=tmp_path / "refusing.sqlite3", rules=rules)


@pytest.mark.parametrize("size", [[], ["hydra.sweeper.max_batch_size=1"], ["hydra.sweeper.max_batch_size=2"]])
def test_an_endpoint_that_refuses_stops_the_other_s_runs_in_no_batch_size(sweep, here, emulator, refusing, size):
    urls = f"provider.base_url='{refusing.base_url}','{emulator.base_url}'"
    assert sweep("replica=0,1", urls, "provider.max_concurrent_jobs=1", *size) == 1
    assert states(here / "out") == ["failed", "verified", "planned", "verified"]
    assert (created(refusing), created(emulator)) == (0, 2)
    assert sum(refusing.ledger()["requests"].values()) == 1, "nobody asks again who was refused"


def test_a_first_failure_ends_the_batches_if_that_is_asked_for(sweep, here, make_emulator):
    server = make_emulator(rules=[{"match": {"operation": "create"}, "nth": 1, "fault": "internal"}])
    command = ("replica=0,1,2", "hydra.sweeper.max_batch_size=1", "fail_fast=true")
    assert sweep(*command, server=server) == 1
    assert states(here / "out") == ["failed", "planned", "planned"]
