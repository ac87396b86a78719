"""`show`: a run or a sweep from its files, for people and for programs, at any time."""

from __future__ import annotations

import json
import os
import re
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runner.app import run
from runner.artifacts.run_status import RunStatus
from runner.ledger.ledger import Ledger
from runner.ledger.recording import recording
from tests.emulator_thread import EmulatorThread


@pytest.fixture
def swept(typed, emulator, monkeypatch: pytest.MonkeyPatch, capsys) -> Callable[..., str]:
    """Run a sweep into `outputs/sweep`; what it printed at its end."""
    monkeypatch.setenv("COLUMNS", "80")

    def call(*overrides: str, server: EmulatorThread = emulator, code: int = 0) -> str:
        assert typed("-m", "hydra.sweep.dir=outputs/sweep", *overrides, server=server) == code
        return capsys.readouterr().out

    return call


@pytest.fixture
def shown(capsys) -> Callable[..., str]:
    def call(*arguments: str) -> str:
        assert run(["show", *arguments]) == 0
        return capsys.readouterr().out

    return call


@pytest.fixture
def document(shown) -> Callable[..., dict[str, Any]]:
    return lambda *arguments: json.loads(shown(*arguments, "--json"))


def refused(capsys, *arguments: str) -> str:
    assert run(["show", *arguments]) == 2
    told = capsys.readouterr().err
    assert "Traceback" not in told
    return told


MELTED = {"fault": "internal", "nth": 2}

ASKED = "sora-2\nA timelapse of a city skyline from dawn to dusk\n"
"""What `show` says first: models and prompt."""


def test_a_sweep_is_shown_as_it_was_at_its_end(swept, shown):
    closing = swept("request.aspect_ratio=16:9,9:16")
    assert shown("outputs/sweep") == ASKED + closing
    assert "16:9" in closing


@pytest.mark.parametrize(
    "lose",
    [Path.unlink, lambda path: path.write_bytes(b""), lambda path: path.write_bytes(path.read_bytes()[:-1])],
    ids=["gone", "empty", "cut"],
)
def test_a_file_that_is_gone_or_changed_is_said(swept, shown, document, capsys, lose):
    swept("replica=0,1")
    gone = Path("outputs/sweep/1/video.mp4")
    lose(gone)
    assert f"\nmissing or changed: {gone}\n" in shown("outputs/sweep")
    assert f"{gone}  is missing or changed; it was 1280x720" in shown("outputs/sweep/1")
    assert "missing" not in shown("outputs/sweep/0")
    assert document("outputs/sweep")["missing"] == [str(gone)]
    assert run(["resume", "outputs/sweep"]) == 0
    told = capsys.readouterr()
    assert "nothing to do, though 1 file is missing or changed" in told.out + told.err
    assert "python -m runner repeat outputs/sweep/1 pays for it anew" in told.out + told.err


def test_a_sweep_is_shown_with_its_name_tags_models_and_how_many_prompts(swept, shown, document):
    swept("request.prompt=a,b", "name=Launch film", "tags=[client-x,draft]")
    assert shown("outputs/sweep").splitlines()[:2] == ["Launch film · #client-x #draft · sora-2", "2 prompts"]
    found = document("outputs/sweep")
    assert (found["name"], found["tags"]) == ("Launch film", ["client-x", "draft"])


def test_so_is_one_that_failed_with_its_reason_and_next_command(swept, shown, make_emulator):
    server = make_emulator(rules=[MELTED])
    closing = swept("replica=0,1,2", server=server, code=1)
    assert shown("outputs/sweep") == ASKED + closing
    assert "2 done · 1 failed" in closing
    assert "  1 × " in closing
    assert "python -m runner resume outputs/sweep --retry-failed" in closing


def test_one_run_of_a_sweep_names_the_sweep_to_resume(swept, shown, make_emulator):
    swept("replica=0,1", server=make_emulator(rules=[MELTED]), code=1)
    both = [shown(f"outputs/sweep/{number}") for number in (0, 1)]
    (failed,) = (text for text in both if "failed" in text)
    (fine,) = (text for text in both if "failed" not in text)
    assert "python -m runner resume outputs/sweep --retry-failed" in failed
    assert "video.mp4" in fine
    assert "python -m runner repeat outputs/sweep/" in fine


def test_a_program_reads_everything_in_one_document(swept, document, make_emulator):
    swept("request.aspect_ratio=16:9,9:16", server=make_emulator(rules=[MELTED]), code=1)
    told = document("outputs/sweep")
    assert {key: told[key] for key in ("version", "directory", "running", "runs", "emulated")} == {
        "version": 1,
        "directory": "outputs/sweep",
        "running": None,
        "runs": {"verified": 1, "failed": 1},
        "emulated": False,
    }
    assert told["command"] == "python -m runner resume outputs/sweep --retry-failed"
    assert told["usd"] == told["estimated_usd"] > 0
    assert (told["budget_usd"], told["saved_usd"]) == (None, 0)
    (failure,) = told["failures"]
    assert failure["runs"] == [row["run"] for row in told["results"] if row["status"] == "failed"]
    assert [row["request.aspect_ratio"] for row in told["results"]] == ["16:9", "9:16"]
    assert told["results"] == [
        json.loads(line) for line in Path("outputs/sweep/results.jsonl").read_text().splitlines()
    ]
    assert told["files"]["csv"] == "outputs/sweep/results.csv"


def test_its_help_names_every_key_of_the_document(swept, document, capsys):
    swept("replica=0,1")
    told = document("outputs/sweep")
    with pytest.raises(SystemExit):
        run(["show", "--help"])
    documented = {line.split()[0] for line in capsys.readouterr().out.splitlines() if line.startswith("  ")}
    assert told.keys() <= documented


def test_a_sweep_that_someone_is_at_work_on_is_shown_without_a_command(swept, shown, document):
    swept("replica=0,1")
    with Ledger(Path("outputs/sweep")) as ledger:
        ledger.save(1, ledger.run(1).earlier.model_copy(update={"status": RunStatus.SUBMITTED}))
    with recording(Path("outputs/sweep")):
        text = shown("outputs/sweep")
        told = document("outputs/sweep")
    assert f"running: process {os.getpid()}" in text
    assert "resume" not in text
    assert (told["runs"], told["command"]) == ({"verified": 1, "submitted": 1}, None)
    assert f"process {os.getpid()}" in told["running"]
    assert "python -m runner resume outputs/sweep" in shown("outputs/sweep")


def test_where_the_ledger_is_gone_the_results_are_read(swept, shown, document):
    closing = swept("replica=0,1")
    Path("outputs/sweep/ledger.sqlite3").unlink()
    assert shown("outputs/sweep") == ASKED + closing
    assert document("outputs/sweep/1")["runs"] == {"verified": 1}


def test_a_run_is_shown_though_its_sweeps_ledger_is_another_versions(swept, shown):
    swept("replica=0,1")
    db = sqlite3.connect("outputs/sweep/ledger.sqlite3")
    db.execute("PRAGMA user_version = 99")
    db.close()
    assert "video.mp4" in shown("outputs/sweep/1")


def test_what_is_no_number_is_none_for_every_reader_of_json(swept, shown):
    swept("replica=0,1")
    Path("outputs/sweep/ledger.sqlite3").unlink()
    path = Path("outputs/sweep/1/result.json")
    text, changed = re.subn(r'"fps": [0-9.]+', '"fps": NaN', path.read_text())
    assert changed
    path.write_text(text)
    told = json.loads(shown("outputs/sweep", "--json"), parse_constant=pytest.fail)
    assert [row["artifact_fps"] is None for row in told["results"]] == [False, True]


def test_runs_that_leave_no_ledger_are_shown_together(swept, document):
    swept("replica=0,1")
    for name in ("ledger.sqlite3", "multirun.yaml"):
        Path("outputs/sweep", name).unlink()
    assert document("outputs/sweep")["runs"] == {"verified": 2}


def test_it_is_shown_from_within_and_after_it_was_moved(swept, shown, here, monkeypatch):
    swept("replica=0,1")
    Path("outputs/sweep").rename(here / "moved")
    assert "2 done" in shown("moved")
    monkeypatch.chdir(here / "moved" / "1")
    assert "video.mp4" in shown(".")
    assert "2 done" in shown("..")


def test_runs_that_another_launcher_never_came_to_are_said(swept, shown, document, capsys):
    swept("replica=0,1")
    Path("outputs/sweep/planned.json").write_text('["0", "1", "2"]')
    assert run(["show", "outputs/sweep"]) == 0
    assert "1 run was never begun" in capsys.readouterr().err
    assert document("outputs/sweep")["never_begun"] == 1


def test_what_holds_runs_but_is_none_leads_to_the_list(swept, capsys):
    swept("replica=0,1")
    told = refused(capsys, "outputs")
    assert "python -m runner ls outputs" in told


@pytest.mark.parametrize("typed", ["nowhere", ".", "file"])
def test_what_is_no_run_is_refused_with_what_to_type(here, capsys, typed):
    (here / "file").touch()
    told = refused(capsys, typed)
    assert "python -m runner ls" in told


def test_a_sweep_that_was_left_before_it_had_runs_says_so(here, capsys):
    with recording(here / "outputs" / "left"):
        pass
    assert "no run was planned there; nothing was sent" in refused(capsys, "outputs/left")
    assert run(["ls"]) == 0
    assert "none planned" in capsys.readouterr().out


def test_nothing_is_written(swept, shown, here):
    swept("replica=0,1")
    before = {path: path.stat().st_mtime_ns for path in here.rglob("*") if path.is_file()}
    shown("outputs/sweep")
    assert {path: path.stat().st_mtime_ns for path in here.rglob("*") if path.is_file()} == before
