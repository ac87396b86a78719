"""`ls`: what lies below a directory, how far it is, and what to type next."""

from __future__ import annotations

import datetime as dt
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from runner.app import run
from runner.artifacts.result import Attempt, ErrorRecord, Result
from runner.artifacts.result_file import write_result
from runner.artifacts.run_status import RunStatus
from runner.config.run import RunConfig
from runner.engine.recorder import planned
from runner.engine.run import Run
from runner.ledger.ledger import Ledger
from runner.ledger.recording import recording
from runner.ledger.reuse import fingerprint

BEGAN = dt.datetime(2026, 11, 23, 9, 30, tzinfo=dt.UTC)
MELTED = ErrorRecord(type="GenerationFailedError", code=None, message="it melted", hint=None, retryable=True)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    return tmp_path


@pytest.fixture
def shelve(here: Path, loaded: Callable[..., RunConfig]) -> Callable[..., Path]:
    """Write the ledger of a sweep: one run for each state, `usd` for each request."""

    def record(run: Run, status: str, usd: float | None, error: ErrorRecord | None) -> Result:
        paid = Attempt(number=1, started_at=BEGAN, usd=usd)
        known = planned(run, BEGAN.timestamp())
        return known.model_copy(update={"status": RunStatus(status), "attempts": [paid], "error": error})

    def write(name: str, states: Sequence[str], *, provider: str = "openai", age: float = 0, usd: float | None = 0.4,
              error: ErrorRecord | None = None) -> Path:  # fmt: skip
        place = here / "outputs" / name
        place.mkdir(parents=True)
        config = loaded(f"provider={provider}")
        with Ledger(place) as ledger:
            for number, status in enumerate(states):
                replica = config.model_copy(update={"replica": number})
                made = Run(number, replica, place / str(number), fingerprint=fingerprint(replica))
                ledger.add([made])
                if status != "planned":
                    ledger.save(number, record(made, status, usd, error))
        changed = (place / "ledger.sqlite3").stat().st_mtime - age
        os.utime(place / "ledger.sqlite3", (changed, changed))
        return place

    return write


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Callable[..., list[dict[str, Any]]]:
    """What `ls --json` says."""

    def ask(*arguments: str) -> list[dict[str, Any]]:
        assert run(["ls", *arguments, "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    return ask


@pytest.mark.parametrize("columns", ["40", "60", "80"])
def test_what_is_to_be_copied_is_whole_on_a_narrow_terminal(shelve, capsys, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    shelve("multirun/2026-11-23/09-30-00-x7k2", ["verified", "submitted", "planned"])
    assert run(["ls"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for whole in ("outputs/multirun/2026-11-23/09-30-00-x7k2", "python -m runner resume outputs/multirun/2026-11-23/"):
        assert any(whole in line for line in lines)


def test_each_sweep_has_its_states_its_cost_its_age_and_its_command(shelve, capsys):
    shelve("old", ["verified", "verified"], age=3 * 86_400)
    shelve("new", ["verified", "submitted", "planned"], age=7200)
    assert run(["ls"]) == 0
    said = capsys.readouterr().out
    assert said.index("outputs/old") < said.index("outputs/new"), "the latest stands last, where one looks"
    lines = [line.rstrip() for line in said.splitlines()]
    assert next(line.split() for line in lines if "outputs/old" in line)[:5] == ["3", "d", "$0.80", "2", "done"]
    (new,) = (line for line in lines if line.endswith("outputs/new") and "resume" not in line)
    assert new.split()[:3] == ["2", "h", "$0.80"]
    assert all(f"1 {state}" in new for state in ("done", "generating", "queued"))
    assert "python -m runner resume outputs/new" in said
    assert "resume outputs/old" not in said
    assert lines[-1].startswith("done: all files came and were verified"), "the word that stands in result.json"


def test_nothing_is_said_of_what_cannot_be_read(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "outputs" / "x").mkdir(parents=True)
    (tmp_path / "outputs" / "x" / "ledger.sqlite3").write_text("junk")
    assert run(["ls"]) == 0
    said = capsys.readouterr()
    assert said.out == "outputs holds no runs that can be read\n"
    assert "outputs/x/ledger.sqlite3 cannot be read" in said.err


@pytest.mark.parametrize(
    ("states", "error", "command"),
    [
        (["verified"], None, None),
        (["submitting", "failed"], None, ""),
        (["uncertain", "verified"], None, " --resubmit-uncertain"),
        (["failed", "verified"], MELTED, " --retry-failed"),
        (["failed"], MELTED.model_copy(update={"retryable": False, "type": "ContentModerationError"}), None),
        (["expired"], MELTED.model_copy(update={"retryable": False, "type": "ExpiredError"}), None),
    ],
)
def test_a_program_reads_what_would_go_on(shelve, told, states, error, command):
    shelve("sweep", states, error=error)
    (sweep,) = told()
    assert sweep["command"] == (None if command is None else f"python -m runner resume outputs/sweep{command}")
    assert sweep["runs"] == {state: states.count(state) for state in states}
    assert sweep["directory"] == "outputs/sweep"
    assert dt.datetime.fromisoformat(sweep["changed"]).tzinfo is not None


def test_emulated_work_is_free_and_an_unknown_price_is_said(shelve, told, capsys):
    shelve("emulated", ["verified"], provider="emulator", usd=0)
    shelve("unknown", ["verified"], usd=None)
    shelve("paid", ["verified"], usd=1.25)
    assert {each["directory"]: (each["usd"], each["emulated"]) for each in told()} == {
        "outputs/emulated": (0, True), "outputs/unknown": (None, False), "outputs/paid": (1.25, False)}  # fmt: skip
    assert run(["ls"]) == 0
    costs = {line.split()[-1]: line.split()[2] for line in capsys.readouterr().out.splitlines() if "outputs" in line}
    assert (costs["outputs/emulated"], costs["outputs/paid"]) == ("free", "$1.25")
    assert costs["outputs/unknown"] not in ("free", "$0.00")


def test_whoever_is_at_work_is_named_in_place_of_a_command(shelve, told, capsys):
    place = shelve("sweep", ["planned"])
    with recording(place):
        (sweep,) = told()
        assert (f"process {os.getpid()}" in sweep["running"], sweep["command"]) == (True, None)
        assert run(["ls"]) == 0
        said = capsys.readouterr().out
    assert f"running: process {os.getpid()}" in said
    assert "resume" not in said
    assert told()[0]["running"] is None


def test_a_ledger_that_cannot_be_read_is_said_and_the_others_are_listed(shelve, told, capsys):
    shelve("sound", ["verified"])
    (shelve("broken", ["planned"]) / "ledger.sqlite3").write_bytes(b"no ledger " * 99)
    assert run(["ls"]) == 0
    said = capsys.readouterr()
    assert "outputs/sound" in said.out
    assert "outputs/broken/ledger.sqlite3" in said.err
    assert [each["directory"] for each in told()] == ["outputs/sound"]


def test_looking_changes_nothing(shelve, told):
    place = shelve("sweep", ["planned", "verified"])
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in place.rglob("*")}
    told()
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in place.rglob("*")} == before


@pytest.fixture
def call(here: Path, loaded: Callable[..., RunConfig]) -> Callable[..., Path]:
    """Write what a single call of the Python API leaves: a result, and no ledger."""

    def write(name: str, status: str, **fields: Any) -> Path:
        place = here / "outputs" / name
        place.mkdir(parents=True)
        known = planned(Run(0, loaded("provider=openai", "request.prompt=A paper boat"), place), BEGAN.timestamp())
        paid = Attempt(number=1, started_at=BEGAN, usd=0.4)
        write_result(place, known.model_copy(update={"status": RunStatus(status), "attempts": [paid], **fields}))
        return place

    return write


def test_calls_of_the_python_api_are_listed_while_something_is_left_of_them(call, told):
    call("calls/paid", "submitted")
    call("calls/lost", "uncertain")
    for ended in ("verified", "failed", "expired", "cancelled"):
        call(f"calls/{ended}", ended)
    found = {each["directory"]: each for each in told()}
    assert {place: each["command"] for place, each in found.items()} == {
        "outputs/calls/paid": "python -m runner resume outputs/calls/paid",
        "outputs/calls/lost": "python -m runner resume outputs/calls/lost --resubmit-uncertain",
    }
    paid = found["outputs/calls/paid"]
    assert (paid["usd"], paid["emulated"], paid["models"], paid["prompt"]) == (0.4, False, ["sora-2"], "A paper boat")
    assert paid["runs"] == {"submitted": 1}


def test_whoever_would_resume_a_call_hears_that_its_program_may_be_running(call, shelve, capsys):
    shelve("sweep", ["submitted"])
    assert run(["ls"]) == 0
    assert "Python program" not in capsys.readouterr().out
    call("call", "submitted")
    assert run(["ls"]) == 0
    assert "resume it once that program has ended" in capsys.readouterr().out


def test_a_result_that_a_ledger_or_the_command_line_has_written_is_no_call(call, shelve, told):
    place = shelve("sweep", ["submitted"])
    call("sweep/0", "submitted")
    (call("0", "submitted") / ".hydra").mkdir()
    assert [each["directory"] for each in told()] == ["outputs/sweep"]
    assert [each["directory"] for each in told(str(place))] == [str(place)]


@pytest.mark.parametrize(
    "damage",
    [
        lambda told: told.update(config=[]),
        lambda told: told.update(spent_usd=10**400),
        lambda told: told["config"]["request"].update(prompt="\ud800"),
        lambda told: told["config"].pop("fallbacks"),
    ],
)
def test_a_strange_result_is_no_reason_to_list_nothing(call, told, capsys, damage):
    place = call("strange", "submitted") / "result.json"
    content = json.loads(place.read_text())
    damage(content)
    place.write_text(json.dumps(content))
    call("sound", "submitted")
    assert "outputs/sound" in [each["directory"] for each in told()]
    assert run(["ls"]) == 0


def test_another_directory_and_one_sweep_alone_can_be_asked_for(shelve, told, here):
    place = shelve("deep/in/there", ["planned"])
    assert [each["directory"] for each in told(str(here / "outputs" / "deep"))] == [str(place)]
    assert [each["directory"] for each in told("outputs/deep/in/there")] == ["outputs/deep/in/there"]


def test_where_there_is_nothing_it_says_so(here, capsys, told):
    assert run(["ls"]) == 2
    assert "there is no directory outputs" in capsys.readouterr().err
    (here / "outputs").mkdir()
    assert run(["ls"]) == 0
    assert "holds no runs" in capsys.readouterr().out
    assert told() == []


def test_a_name_cannot_steer_the_terminal(shelve, capsys):
    shelve("evil\x1b[31m[bold]name", ["planned"])
    assert run(["ls"]) == 0
    said = capsys.readouterr().out
    assert "\x1b" not in said
    assert "[bold]name" in said


def test_name_tags_models_and_prompts_are_told_and_tags_choose(typed, read, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    assert (
        typed("-m", "hydra.sweep.dir=outputs/a", "request.prompt=a,b", "name=Launch film", "tags=[client-x,draft]") == 0
    )
    assert typed("hydra.run.dir=outputs/b", "request.prompt=A fern", "tags=draft") == 0
    capsys.readouterr()
    assert run(["ls"]) == 0
    everything = capsys.readouterr().out
    assert "Launch film · #client-x #draft · sora-2 · 2 prompts" in everything
    assert "#draft · sora-2 · A fern" in everything
    assert run(["ls", "--tag", "client-x", "--tag", "draft", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["directory"], found["name"], found["tags"]) == ("outputs/a", "Launch film", ["client-x", "draft"])
    assert (found["models"], found["prompt"], found["prompts"]) == (["sora-2"], "a", 2)
    assert read("outputs/a/index.html")["title"] == "Launch film · #client-x #draft · outputs/a"
    assert run(["ls", "--tag", "nobody"]) == 0
    assert capsys.readouterr().out == "outputs holds no runs with these tags\n"
