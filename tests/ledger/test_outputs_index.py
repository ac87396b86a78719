"""The index beside many sweeps: quick where nothing has changed, and never believed against a ledger."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from runner.app import run
from runner.artifacts.run_status import RunStatus
from runner.engine.run import Run
from runner.ledger.ledger import Ledger
from runner.ledger.outputs_index import NAME, Kind, OutputsIndex, checksum_of
from runner.ledger.reuse import FINISHED, fingerprint
from runner.ledger.summary import SUMMARY
from runner.sweeps.consent import reuse_of

COUNT = 25
"""More than are read without an index."""


@pytest.fixture
def outputs(tmp_path, monkeypatch, video, shelve) -> Path:
    """Many sweeps of one finished run each."""
    monkeypatch.chdir(tmp_path)
    shelve(tmp_path / "outputs/multirun/0", video, ["verified"])
    for number in range(1, COUNT):
        shutil.copytree(tmp_path / "outputs/multirun/0", tmp_path / f"outputs/multirun/{number}")
    return tmp_path / "outputs"


def later() -> float:
    """Return a time at which no ledger is young any more."""
    return time.time() + 3600


class Reader:
    """Reads a summary of each ledger, and counts them."""

    def __init__(self) -> None:
        self.read: list[str] = []
        self.kind = Kind(SUMMARY.name, self._read, SUMMARY.parse)

    def _read(self, ledger: Ledger):
        self.read.append(ledger.directory.name)
        return SUMMARY.read(ledger)

    def __call__(self, root: Path = Path("outputs"), clock: Callable[[], float] = later, **options: object):
        self.read.clear()
        index = OutputsIndex(root, clock=clock, **options)
        found = {entry.directory: entry.value for entry in index.entries(self.kind)}
        assert not index.problems
        return found


def change(place: Path) -> None:
    """Let the run of a sweep be planned again."""
    with Ledger(place) as ledger:
        ledger.save(0, ledger.run(0).earlier.model_copy(update={"status": RunStatus.PLANNED}))


def kept(index: Path) -> list[tuple[str, bytes]]:
    with closing(sqlite3.connect(index)) as db:
        return db.execute("SELECT kind, place FROM entries ORDER BY place").fetchall()


def test_ledgers_are_read_once_and_again_when_they_have_changed(outputs):
    reader = Reader()
    first = reader()
    assert (len(first), len(reader.read)) == (COUNT, COUNT)
    assert (reader(), reader.read) == (first, [])
    change(outputs / "multirun/7")
    second = reader()
    assert reader.read == ["7"]
    assert second[Path("outputs/multirun/7")]["states"] == {"planned": 1}
    assert len(reader(outputs / "multirun")) == COUNT
    assert reader.read == [], "the index of outputs/ serves whatever is below"


def test_what_a_process_has_not_brought_into_the_ledger_counts(outputs):
    reader = Reader()
    reader()
    with Ledger(outputs / "multirun/7") as ledger:  # which stays open, with its log
        ledger.save(0, ledger.run(0).earlier.model_copy(update={"status": RunStatus.FAILED}))
        assert reader()[Path("outputs/multirun/7")]["states"] == {"failed": 1}
        ledger.save(0, ledger.run(0).earlier.model_copy(update={"status": RunStatus.PLANNED}))
        assert reader()[Path("outputs/multirun/7")]["states"] == {"planned": 1}


def test_a_ledger_that_was_written_a_moment_ago_is_read_again(outputs):
    reader = Reader()
    reader(clock=time.time)
    assert not (outputs / NAME).exists()
    reader(clock=time.time)
    assert len(reader.read) == COUNT


def test_few_ledgers_and_whoever_must_not_write_leave_no_index(outputs):
    Reader()(keep=False)
    assert not (outputs / NAME).exists()
    shutil.rmtree(outputs / "multirun/3")
    for number in range(10, COUNT):
        shutil.rmtree(outputs / f"multirun/{number}")
    Reader()()
    assert not (outputs / NAME).exists()


def garbage(index: Path) -> None:
    index.write_bytes(b"no database " * 999)


def cut(index: Path) -> None:
    os.truncate(index, index.stat().st_size // 2 + 100)


def emptied(index: Path) -> None:
    os.truncate(index, 0)


def other_version(index: Path) -> None:
    with closing(sqlite3.connect(index)) as db:
        db.executescript("DROP TABLE entries; CREATE TABLE entries (kind, place, whatever);")


def other_form(index: Path) -> None:
    with closing(sqlite3.connect(index)) as db, db:
        db.execute("UPDATE entries SET json = ? WHERE rowid % 2", (json.dumps({"states": [1]}),))
        db.execute("UPDATE entries SET json = '{' WHERE NOT rowid % 2")


def no_text(index: Path) -> None:
    with closing(sqlite3.connect(index)) as db, db:
        db.execute("UPDATE entries SET json = CAST(x'ff' AS TEXT)")


def damaged_schema(index: Path) -> None:
    content = index.read_bytes()
    index.write_bytes(content.replace(b"CREATE TABLE", b"CRE\xffTE TABLE"))


def one_digit(index: Path) -> None:
    with closing(sqlite3.connect(index)) as db, db:
        db.execute("UPDATE entries SET json = replace(json, ': 1', ': 7')")


def endless(index: Path) -> None:
    """Keep a number that is none, under a checksum that is right."""
    text = json.dumps({"states": {"verified": float("inf")}})
    with closing(sqlite3.connect(index)) as db, db:
        db.create_function("checksum_of", 4, checksum_of)
        db.execute("UPDATE entries SET json = ?, checksum = checksum_of(kind, place, mark, ?)", (text, text))


def killed_while_it_wrote(index: Path) -> None:
    code = f"""
import os, signal, sqlite3
db = sqlite3.connect({str(index)!r})
db.execute("PRAGMA cache_size=1")
db.execute("UPDATE entries SET json = '{{}}' || hex(randomblob(4000))")
os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", code], check=False)
    assert index.with_name(f"{NAME}-journal").exists()


DAMAGES = [Path.unlink, garbage, cut, emptied, other_version, other_form, no_text, killed_while_it_wrote,
           damaged_schema, one_digit, endless]  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_an_index_that_is_of_no_use_is_made_anew_without_a_word(outputs, capsys, damage):
    reader = Reader()
    first = reader()
    damage(outputs / NAME)
    assert reader() == first
    assert (reader(), reader.read) == (first, [])
    assert capsys.readouterr() == ("", "")


def directory_there(index: Path) -> None:
    index.unlink()
    index.mkdir()


def link_there(index: Path) -> None:
    index.replace(index.with_name("elsewhere.sqlite3"))
    index.symlink_to("elsewhere.sqlite3")


@pytest.mark.parametrize("there", [directory_there, link_there])
def test_what_cannot_be_written_is_passed_over(outputs, capsys, there):
    reader = Reader()
    first = reader()
    there(outputs / NAME)
    for _ in range(2):
        assert reader() == first
        assert len(reader.read) == COUNT
    assert capsys.readouterr() == ("", "")


def test_what_others_write_at_the_same_time_does_no_harm(outputs):
    def read(_: int):
        reader = Reader()
        return reader()

    with ThreadPoolExecutor(4) as pool:
        first, *others = pool.map(read, range(8))
    assert len(first) == COUNT
    assert all(each == first for each in others)
    reader = Reader()
    assert (reader(), reader.read) == (first, [])


def test_a_moved_directory_keeps_its_index_and_a_copied_one_makes_its_own(outputs, tmp_path):
    reader = Reader()
    first = reader()
    outputs.replace(tmp_path / "archive")
    assert [*reader(Path("archive")).values()] == [*first.values()]
    assert reader.read == []
    shutil.copytree(tmp_path / "archive", tmp_path / "copy/outputs")
    change(tmp_path / "archive/multirun/7")
    assert [*reader(Path("copy/outputs")).values()] == [*first.values()]
    assert len(reader.read) == COUNT


def test_ledgers_that_are_gone_are_forgotten(outputs):
    reader = Reader()
    reader()
    shutil.rmtree(outputs / "multirun/7")
    change(outputs / "multirun/8")
    assert len(reader()) == COUNT - 1
    assert (SUMMARY.name, b"multirun/7") not in kept(outputs / NAME)
    assert len(kept(outputs / NAME)) == COUNT - 1


def test_a_ledger_that_cannot_be_read_is_told_each_time(outputs):
    (outputs / "multirun/7/ledger.sqlite3").write_bytes(b"no ledger " * 99)
    for _ in range(2):
        index = OutputsIndex(Path("outputs"), clock=later)
        assert len(index.entries(SUMMARY)) == COUNT - 1
        assert [str(place) for place, _ in index.problems] == ["outputs/multirun/7"]


def test_what_is_listed_is_the_same_with_the_index(outputs, capsys):
    def listed() -> str:
        assert run(["ls", "--json"]) == 0
        return capsys.readouterr().out

    first = listed()
    assert not (outputs / NAME).exists()
    Reader()()
    assert (outputs / NAME).exists()
    assert listed() == first
    assert len(json.loads(first)) == COUNT


def test_work_that_only_the_index_calls_finished_is_not_reused(outputs, video):
    """A hit counts when the ledger itself says so, and its files are there."""
    index = OutputsIndex(Path("outputs"), clock=later)
    index.entries(FINISHED)
    wanted = video.model_copy(update={"replica": 1, "reuse": True})
    work = fingerprint(wanted)
    text = json.dumps([[work, 0]])
    with closing(sqlite3.connect(outputs / NAME)) as db, db:
        db.create_function("checksum_of", 4, checksum_of)
        db.execute("UPDATE entries SET json = ?, checksum = checksum_of(kind, place, mark, ?)", (text, text))
    known = reuse_of(outputs / "multirun/new")
    assert known.find(Run(0, wanted, outputs / "multirun/new/0", fingerprint=work)) is None
    assert not known.problems
