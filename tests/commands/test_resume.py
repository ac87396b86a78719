"""`resume` as it is typed: what it takes, what it refuses, and that it needs nothing but the directory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from runner.app import run
from runner.artifacts.result_file import read_result
from runner.ledger.ledger import Ledger


@pytest.fixture
def finished(here: Path, emulator, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """A finished run in `run`, or whatever else is typed."""
    monkeypatch.setenv("OPENAI_API_KEY", "an-emulated-key")

    def make(*typed: str) -> Path:
        server = f"provider.base_url={emulator.base_url}"
        usual = [
            "provider=openai",
            server,
            "provider.poll_interval=0.02",
            "provider.retired_models=off",
            "progress=off",
        ]
        assert run([*usual, "request=draft", *(typed or ["hydra.run.dir=run"])]) == 0
        return here / "run"

    return make


def content(place: Path) -> list[object]:
    """What the files say; SQLite counts in its own how often it was opened."""
    files = sorted(path for path in place.rglob("*") if path.is_file() and path.name != "ledger.sqlite3")
    with Ledger(place, readonly=True) as ledger:
        return [*((path, path.read_bytes()) for path in files), *ledger.runs()]


def test_it_explains_itself(capsys):
    with pytest.raises(SystemExit) as ended:
        run(["resume", "--help"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    for option in ("--retry-failed", "--resubmit-uncertain", "budget.max_usd"):
        assert option in said


@pytest.mark.parametrize("typed", [[], ["run", "--resubmit"], ["run", "--retry"], ["run", "--anything"]])
def test_what_it_does_not_know_is_refused_and_consent_is_never_guessed(here, typed):
    assert run(["resume", *typed]) == 2
    assert [*here.iterdir()] == []


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("request=draft", "no groups left"),
        ("replica=1,2", "single values only"),
        ("~budget", "single values only"),
        ("budget.max_usd=-1", "budget.max_usd"),
        ("budget.max_dollars=1", "budget.max_dollars"),
        ("provider.poll_interval=never", "provider.poll_interval"),
    ],
)
def test_an_override_that_makes_no_sense_is_refused_before_anything_is_done(finished, emulator, capsys, override, said):
    place = finished()
    before = content(place)
    requests = emulator.ledger()["requests"]
    capsys.readouterr()
    assert run(["resume", "run", override]) == 2
    told = capsys.readouterr().err
    assert said in told
    assert "Traceback" not in told
    assert emulator.ledger()["requests"] == requests
    assert content(place) == before


def test_a_key_on_the_command_line_is_refused(finished, capsys):
    finished()
    assert run(["resume", "run", "provider.api_key=sk-0123456789abcdefghijkl"]) == 2
    assert "sk-0123456789abcdefghijkl" not in capsys.readouterr().err


def test_it_needs_nothing_but_the_directory(finished, here, tmp_path, monkeypatch, capsys):
    """Not the working directory in which it began, nor Hydra's files."""
    place = finished()
    whole = read_result(place)
    for path in (place / ".hydra").iterdir():
        path.unlink()
    monkeypatch.chdir(tmp_path)
    capsys.readouterr()
    assert run(["resume", "here/run"]) == 0
    assert "nothing to do" in capsys.readouterr().out
    assert read_result(place) == whole


def test_a_directory_that_was_moved_goes_on(finished, here, capsys):
    finished().rename(here / "moved")
    assert run(["resume", "moved"]) == 0
    assert "nothing to do" in capsys.readouterr().out


def test_from_within_one_run_of_a_sweep_it_names_the_whole(finished, here, monkeypatch, capsys):
    finished("-m", "replica=0,1", "hydra.sweep.dir=sweep")
    monkeypatch.chdir(here / "sweep" / "1")
    assert run(["resume", "."]) == 2
    told = capsys.readouterr().err
    assert "this directory is one run of a sweep" in told
    assert f"python -m runner resume {here / 'sweep'}" in told


def test_what_is_wrong_with_an_override_of_a_sweep_refuses_the_sweep(finished, capsys):
    finished("-m", "replica=0,1", "hydra.sweep.dir=sweep")
    assert run(["resume", "sweep", "budget.max_usd=-1"]) == 2
    assert "the sweep is refused; nothing was sent or written" in capsys.readouterr().err
