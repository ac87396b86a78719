"""Whose a ledger is: one process's, whatever becomes of the lock file, and one place's, whatever is copied."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from runner.engine.run import Run
from runner.errors import ConfigError, DiskError
from runner.ledger import lock as lock_module
from runner.ledger.discover import NAME
from runner.ledger.ledger import Ledger, TakenOverError
from runner.ledger.lock import LockedError, at_work, locked, this_process
from runner.ledger.recording import recording
from runner.ledger.reuse import fingerprint

HOLDER = """
import sys, time
from pathlib import Path
from runner.ledger.recording import recording
with recording(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be removed there")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "sweep"


@pytest.fixture
def holder(place: Path):
    """Another process that holds the directory."""
    command = [sys.executable, "-c", HOLDER, str(place)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def open_once(place: Path) -> None:
    with recording(place):
        pass


def killed(holder: subprocess.Popen[str]) -> None:
    holder.send_signal(signal.SIGKILL)
    holder.wait()


def replaced(lock: Path) -> None:
    lock.unlink()
    lock.touch()


@pytest.mark.parametrize("tidy", [Path.unlink, replaced])
def test_without_its_lock_file_a_directory_is_still_its_holder_s(place, holder, tidy):
    tidy(place / ".lock")
    with pytest.raises(LockedError, match=f"process {holder.pid} on .*lock file was removed"):
        open_once(place)
    killed(holder)
    open_once(place)


def test_a_lock_file_that_is_removed_is_made_again(place, monkeypatch):
    monkeypatch.setattr(lock_module, "_BEAT", 0.01)
    with recording(place):
        (place / ".lock").unlink()
        for _ in range(3000):
            if at_work(place):
                break
            lock_module.time.sleep(0.01)
        assert str(os.getpid()) in (at_work(place) or "")
        with pytest.raises(LockedError), locked(place):
            pass
    assert at_work(place) is None


def test_a_process_whose_ledger_was_taken_over_writes_nothing_more(place, video, result_of):
    run = Run(0, video, place / "0", fingerprint=fingerprint(video))
    with recording(place) as ledger:
        ledger.add([run])
        with closing(sqlite3.connect(place / NAME)) as db:
            db.execute("UPDATE facts SET json = json_set(json, '$.token', 'another') WHERE name = 'owner'")
            db.commit()
        with pytest.raises(TakenOverError, match="taken over") as told:
            ledger.save(0, result_of(run, "submitting"))
        assert isinstance(told.value, DiskError)
        assert ledger.run(0).earlier is None
    with Ledger(place, readonly=True) as ledger:
        assert ledger.known_facts()["owner"]["token"] == "another", "what is another's stays"


@pytest.mark.parametrize("replace", [False, True])
def test_a_process_whose_ledger_file_is_gone_pays_nothing_more(place, video, result_of, replace):
    run = Run(0, video, place / "0", fingerprint=fingerprint(video))
    with recording(place) as ledger:
        ledger.add([run])
        copy = shutil.copyfile(place / NAME, place / "copy")
        (place / NAME).unlink()
        if replace:
            copy.rename(place / NAME)
        with pytest.raises(TakenOverError, match="removed or replaced"):
            ledger.save(0, result_of(run, "submitting"))


def test_the_owner_that_ended_leaves_nothing(place):
    open_once(place)
    with Ledger(place, readonly=True) as ledger:
        assert [*ledger.known_facts()] == ["place"]
    assert sorted(path.name for path in place.iterdir()) == [".lock", NAME]


def test_a_ledger_of_before_is_taken_over_as_it_is(place, video):
    open_once(place)
    with closing(sqlite3.connect(place / NAME)) as db:
        db.execute("DROP TABLE facts")
        db.commit()
        assert db.execute("PRAGMA user_version").fetchone() == (1,)
    with Ledger(place, readonly=True) as ledger:
        assert ledger.known_facts() == {}
    with recording(place) as ledger:
        assert ledger.copy_of is None
        ledger.add([Run(0, video, place / "0", fingerprint=fingerprint(video))])
    with closing(sqlite3.connect(place / NAME)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (1,), "earlier versions can go on with it"


def copy_of(place: Path) -> str | None:
    with recording(place) as ledger:
        return None if ledger.copy_of is None else str(ledger.copy_of)


def test_a_copy_is_told_from_a_directory_that_was_moved(place, tmp_path):
    open_once(place)
    shutil.copytree(place, tmp_path / "copy")
    assert copy_of(tmp_path / "copy") == str(place)
    assert copy_of(tmp_path / "copy") == str(place), "to look does not agree"
    assert copy_of(place) is None
    place.rename(tmp_path / "moved")
    assert copy_of(tmp_path / "moved") is None
    assert copy_of(tmp_path / "copy") == str(tmp_path / "moved"), "the original lies beside it, under another name"
    shutil.rmtree(tmp_path / "moved")
    assert copy_of(tmp_path / "copy") is None, "what is left is moved, as between disks"
    (tmp_path / "link").symlink_to(tmp_path / "copy")
    assert copy_of(tmp_path / "link") is None


def test_a_copy_made_while_its_original_runs_is_not_taken_for_running(place, holder, tmp_path):
    shutil.copytree(place, tmp_path / "copy")
    assert copy_of(tmp_path / "copy") == str(place)


def test_on_another_machine_nothing_tells_a_moved_directory_from_a_copy(place, tmp_path):
    open_once(place)
    with recording(place) as ledger, ledger.facts() as facts:
        facts["place"] = {**facts["place"], "host": "elsewhere", "path": "/data/sweep/ledger.sqlite3", "inode": 1}
    assert copy_of(place) == "/data/sweep on elsewhere"


def test_another_machine_s_process_is_believed_while_it_gives_signs_of_life(place):
    place.mkdir()
    lock = place / ".lock"
    lock.write_text(json.dumps({**this_process(), "host": "elsewhere", "machine": "elsewhere 1"}))
    assert "on elsewhere" in (at_work(place) or "")
    with pytest.raises(LockedError, match="on elsewhere"):
        open_once(place)
    hours_ago = lock.stat().st_mtime - 7200
    os.utime(lock, (hours_ago, hours_ago))
    assert at_work(place) is None
    open_once(place)


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL])
def test_on_a_disk_without_locks_processes_of_this_machine_are_kept_apart(place, monkeypatch, capsys, number):
    fcntl = pytest.importorskip("fcntl")

    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    place.mkdir()
    dead = {**this_process(), "pid": ended.pid, "started": "1"}
    (place / ".lock").write_text(json.dumps(dead))
    assert at_work(place) is None
    with recording(place):
        said = capsys.readouterr().err
        assert said.count("has no locks") == 1
        assert "hydra.sweep.dir" in said
        assert str(os.getpid()) in (at_work(place) or "")
        with pytest.raises(LockedError, match=str(os.getpid())):
            open_once(place)
    assert at_work(place) is None
    # The pid is this process's, and was another's that is gone.
    (place / ".lock").write_text(json.dumps({**this_process(), "started": "1"}))
    open_once(place)


@pytest.mark.parametrize("name", [NAME, ".lock"])
def test_a_link_in_place_of_a_file_is_not_written_through(tmp_path, name):
    outside = tmp_path / "mine"
    outside.write_text("mine")
    place = tmp_path / "sweep"
    place.mkdir()
    (place / name).symlink_to(outside)
    with pytest.raises(ConfigError, match="is a link"):
        open_once(place)
    assert outside.read_text() == "mine"


def test_a_directory_in_place_of_the_lock_is_named(tmp_path):
    place = tmp_path / "sweep"
    (place / ".lock").mkdir(parents=True)
    with pytest.raises(ConfigError, match=r"\.lock is a directory") as told:
        open_once(place)
    assert told.value.hint == "remove it"
