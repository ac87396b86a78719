"""`rm` and `open`: what may be deleted, and which page is shown."""

from __future__ import annotations

import io
import sys
import webbrowser
from pathlib import Path

import pytest

from runner.app import run
from runner.artifacts.run_status import RunStatus
from runner.ledger.ledger import Ledger
from runner.ledger.lock import locked


@pytest.fixture
def swept(typed) -> Path:
    """A finished sweep of two runs in `outputs/sweep`."""
    assert typed("-m", "hydra.sweep.dir=outputs/sweep", "request.prompt=a,b") == 0
    return Path("outputs/sweep")


@pytest.fixture
def answer(monkeypatch):
    """Let a user at a terminal answer."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    def give(text: str) -> None:
        monkeypatch.setattr(sys, "stdin", Terminal(text))
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)

    return give


def refused(capsys, *arguments: str) -> str:
    assert run(["rm", *arguments]) == 2
    told = capsys.readouterr().err
    assert "Traceback" not in told
    assert "nothing was deleted" in told
    return told


@pytest.mark.parametrize("text", ["y\n", "yes\n"])
def test_a_sweep_is_deleted_after_a_question(swept, answer, capsys, text):
    answer(text)
    assert run(["rm", "outputs/sweep"]) == 0
    assert not swept.exists()
    assert "outputs/sweep  2 runs" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["\n", "n\n", ""])
def test_nothing_is_deleted_without_a_yes(swept, answer, capsys, text):
    answer(text)
    refused(capsys, "outputs/sweep")
    assert (swept / "0" / "video.mp4").is_file()


def test_without_a_terminal_yes_must_be_typed(swept, capsys):
    assert "--yes" in refused(capsys, "outputs/sweep")
    assert run(["rm", "--yes", "outputs/sweep"]) == 0
    assert not swept.exists()


def test_a_job_that_may_still_be_fetched_is_never_deleted(typed, make_emulator, capsys):
    server = make_emulator(latency=3600, time_scale=1)
    assert (
        typed("-m", "hydra.sweep.dir=outputs/sweep", "provider.deadline_seconds=0.1", "replica=0,1", server=server) == 4
    )
    told = refused(capsys, "--yes", "outputs/sweep")
    assert "python -m runner resume outputs/sweep" in told
    assert "video_" in told
    assert Path("outputs/sweep/ledger.sqlite3").is_file()


def test_what_is_being_worked_on_is_not_deleted(swept, capsys):
    with locked(swept):
        assert "being worked on" in refused(capsys, "--yes", "outputs/sweep")
    assert (swept / "1" / "video.mp4").is_file()


def test_a_run_of_a_sweep_is_deleted_with_its_sweep_alone(swept, capsys):
    assert "python -m runner rm outputs/sweep" in refused(capsys, "--yes", "outputs/sweep/0")
    assert (swept / "0" / "video.mp4").is_file()


def test_of_several_none_is_deleted_where_one_may_not_be(swept, typed, capsys):
    assert typed("hydra.run.dir=outputs/single") == 0
    refused(capsys, "--yes", "outputs/single", "outputs/sweep/0")
    assert Path("outputs/single/video.mp4").is_file()
    assert run(["rm", "--yes", "outputs/single", "outputs/sweep"]) == 0
    assert not Path("outputs/single").exists()
    assert not swept.exists()


@pytest.mark.parametrize("name", ["outputs/none", "outputs", "outputs/sweep/results.csv"])
def test_what_is_neither_a_sweep_nor_a_run_is_refused(swept, name, capsys):
    assert run(["rm", "--yes", name]) == 2
    assert "Traceback" not in capsys.readouterr().err
    assert (swept / "0" / "video.mp4").is_file()


def test_a_link_is_not_followed(swept, capsys):
    Path("link").symlink_to(swept)
    assert "is a link" in refused(capsys, "--yes", "link")
    assert (swept / "0" / "video.mp4").is_file()


@pytest.fixture
def opened(monkeypatch):
    """What the browser is told to show; it is there unless `there` is emptied."""
    shown: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda address: shown.append(address) or True)
    return shown


def test_the_page_of_a_sweep_is_opened(swept, opened, capsys):
    capsys.readouterr()
    assert run(["open", "outputs/sweep"]) == 0
    assert opened == [(swept / "index.html").absolute().as_uri()]
    assert capsys.readouterr().out == "outputs/sweep/index.html\n"


def test_without_a_directory_the_latest_is_opened(swept, typed, opened):
    assert typed("hydra.run.dir=outputs/single") == 0
    assert run(["open"]) == 0
    assert opened == [Path("outputs/single/index.html").absolute().as_uri()]


def test_where_there_is_no_browser_the_address_is_said(swept, monkeypatch, capsys):
    monkeypatch.setattr(webbrowser, "open", lambda _: False)
    capsys.readouterr()
    assert run(["open", "outputs/sweep"]) == 0
    assert f"open {(swept / 'index.html').absolute().as_uri()}" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["none"], []])
def test_where_there_is_nothing_to_open_that_is_said(here, arguments, capsys):
    assert run(["open", *arguments]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_what_was_resumed_while_the_question_was_read_is_not_deleted(swept, monkeypatch, capsys):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

        def readline(self, *_: object) -> str:
            with Ledger(swept) as ledger:
                known = ledger.run(0).earlier
                assert known is not None
                ledger.save(0, known.model_copy(update={"status": RunStatus.SUBMITTED}))
            return "y\n"

    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert "may still be made or fetched" in refused(capsys, "outputs/sweep")
    assert (swept / "0" / "video.mp4").is_file()


def test_a_directory_that_cannot_be_locked_is_not_deleted_and_has_no_jobs(swept, closed, capsys):
    (swept / ".lock").unlink()
    closed(swept, 0o500)
    assert run(["rm", "--yes", str(swept)]) == 5
    told = " ".join(capsys.readouterr().err.split())
    assert "cannot write outputs/sweep/.lock" in told
    assert "make it writable, and try again; nothing in it was deleted" in told
    assert "jobs" not in told
    assert (swept / "0" / "result.json").is_file()
