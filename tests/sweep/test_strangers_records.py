"""Directories that came from someone else: what their records say leads to no other file, and ends in no traceback."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import runner as api
from runner.app import run
from runner.artifacts.result import own_name
from runner.artifacts.result_file import read_result

PATHS = ["../../../.env", "/etc/hostname", "..", ".", "", "a/b.mp4", "C:\\x.mp4", "..\\x", "con.mp4", "NUL", "x\0y",
         "x\ny", "x" * 300, "a:b", "video.mp4 ", "\u202etrojan.mp4"]  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_what_is_no_name_of_an_own_file_is_none(path):
    assert not own_name(path)


@pytest.mark.parametrize("path", ["video.mp4", "image-0.png", "remote-thumbnail.webp", "video.mp4.part", "é.png"])
def test_names_of_own_files_are(path):
    assert own_name(path)


def changed(place: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change every record of a sweep, in its ledger and in its files."""
    with closing(sqlite3.connect(place / "ledger.sqlite3")) as db:
        for number, text in db.execute("SELECT number, result FROM runs").fetchall():
            told = json.loads(text)
            change(told)
            db.execute("UPDATE runs SET result = ? WHERE number = ?", (json.dumps(told), number))
        db.commit()
    for path in place.glob("*/result.json"):
        told = json.loads(path.read_bytes())
        change(told)
        path.write_text(json.dumps(told))


@pytest.fixture
def theirs(sweep, here) -> Path:
    """A sweep below `outputs/` that is unpacked with whatever is written into it."""
    assert sweep("request.prompt=a,b", directory="outputs/a/b/c/theirs") == 0
    return here / "outputs/a/b/c/theirs"


@pytest.mark.parametrize("path", ["../../../.env", "{here}/.env", "link"])
def test_nothing_outside_is_taken_or_replaced(theirs, sweep, here, capsys, path):
    mine, lure = here / ".env", here / "outputs/a/b/.env"
    mine.write_text("MINE=1")
    lure.write_text("LURE=1")
    (theirs / "0/link").symlink_to(lure)
    facts = {"path": path.format(here=here), "bytes": 6, "sha256": hashlib.sha256(b"LURE=1").hexdigest()}
    changed(theirs, lambda told: told["artifacts"][0].update(facts))
    capsys.readouterr()
    assert sweep("request.prompt=a", "reuse=true", directory="outputs/mine") == 0
    assert mine.read_text() == "MINE=1"
    assert not (here / "outputs/mine/0/link").exists()
    assert {file.parent for file in api.load_sweep(theirs).runs[0].artifacts} <= {theirs / "0"}
    for command in ("resume", "show", "report"):
        assert run([command, str(theirs)]) == 0
        assert "Traceback" not in capsys.readouterr().err


STRANGE: list[Callable[[dict[str, Any]], object]] = [
    lambda told: told.update(artifacts="none"),
    lambda told: told.update(timestamps={}),
    lambda told: told.update(choice=99),
    lambda told: told.update(choice=-9),
    lambda told: told.update(polls=10**400),
    lambda told: told.update(error={**dict.fromkeys(("code", "message", "hint")), "type": "annotations",
                                    "message": "m", "retryable": True}, status="failed"),
    lambda told: told["attempts"][0].update(usd=-1e9),
    lambda told: told["attempts"][0].update(usd=float("nan")),
    lambda told: told["cost"].update(estimated_usd=float("inf")),
    lambda told: told.update(raw_response={"expires_at": 10**400}, status="submitted"),
    lambda told: told.update(raw_response=json.loads("[" * 300 + "]" * 300)),
    lambda told: told.update(raw_response={"deep": json.loads("[" * 190 + "]" * 190)}),
]  # fmt: skip


@pytest.mark.parametrize("change", STRANGE)
def test_no_record_ends_in_a_traceback(theirs, capsys, change):
    changed(theirs, change)
    capsys.readouterr()
    for command in ("show", "report", "resume"):
        code = run([command, str(theirs)])
        said = capsys.readouterr().err
        assert "Traceback" not in said
        assert code in (0, 1, 2, 4), said
    assert run(["ls"]) == 0
    assert run(["report", str(theirs / "0")]) in (0, 2)
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("usd", [-1e9, float("nan"), float("inf")])
def test_what_an_attempt_is_said_to_cost_raises_no_budget(theirs, usd):
    changed(theirs, lambda told: told["attempts"][0].update(usd=usd))
    assert read_result(theirs / "0").attempts[0].usd is None


@pytest.mark.parametrize("directory", ["../../../../victim", "{here}/victim", "", "x\0y"])
def test_a_run_of_a_ledger_lies_in_the_ledger_s_directory(theirs, here, capsys, directory):
    told = directory.format(here=here)
    with closing(sqlite3.connect(theirs / "ledger.sqlite3")) as db:
        db.execute("UPDATE runs SET directory = ?, status = 'planned', result = NULL WHERE number = 1", (told,))
        db.commit()
    capsys.readouterr()
    for command in ("resume", "show"):
        assert run([command, str(theirs)]) == 2
        said = capsys.readouterr().err
        assert "Traceback" not in said
        assert "cannot be read" in said
    assert not (here / "victim").exists()


def test_a_link_among_a_run_s_files_is_not_written_through(theirs, here, rewind, forget, capsys):
    mine = here / "mine"
    mine.write_text("mine")
    rewind(0, "submitted", place=theirs)
    for name in (".result.json.tmp", "runner.log", "video.mp4.part"):
        (theirs / "0" / name).unlink(missing_ok=True)
        (theirs / "0" / name).symlink_to(mine)
    rewind(1, "submitted", place=theirs)
    other_runs = here / "elsewhere"
    (theirs / "1").rename(other_runs)
    before = sorted(path.name for path in other_runs.iterdir())
    (theirs / "1").symlink_to(other_runs)
    (theirs / ".results.csv.tmp").symlink_to(mine)
    capsys.readouterr()
    assert run(["resume", str(theirs)]) == 2
    assert "is a link, and would be written through" in capsys.readouterr().err
    assert mine.read_text() == "mine"
    assert sorted(path.name for path in other_runs.iterdir()) == before


def test_what_is_no_plain_file_is_not_read(theirs, here, capsys):
    (theirs / "ledger.sqlite3").unlink()
    (theirs / "0/result.json").unlink()
    os.mkfifo(theirs / "0/result.json")
    (theirs / "1/result.json").unlink()
    (theirs / "1/result.json").symlink_to("/dev/zero")
    (theirs / "2").mkdir()
    with (theirs / "2/result.json").open("wb") as file:
        file.truncate(1 << 30)
    for command in (["report"], ["resume", "--rebuild"], ["resume"], ["show"]):
        code = run([*command, str(theirs)])
        said = capsys.readouterr().err
        assert code in (0, 2, 4), said
        assert "Traceback" not in said
