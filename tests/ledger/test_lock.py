"""One process to a directory: whoever comes second is told who is there."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from runner.errors import ConfigError, DiskError
from runner.ledger.lock import LockedError, at_work, locked
from runner.ledger.recording import recording

HOLDER = """
import sys, time
from pathlib import Path
from runner.ledger.recording import recording
with recording(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path: Path):
    """Another process that holds the directory."""
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "sweep")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_the_second_process_is_told_the_first_one_s_pid_and_host(tmp_path, holder):
    for _ in range(2):  # asking must not make the holder's name forgotten
        with pytest.raises(LockedError) as told, recording(tmp_path / "sweep"):
            pass
        assert f"process {holder.pid} on {socket.gethostname()} since 20" in str(told.value)
        assert isinstance(told.value, ConfigError)
        assert "resumed" in (told.value.hint or "")
    assert str(holder.pid) in (at_work(tmp_path / "sweep") or "")


def test_a_killed_holder_s_lock_is_free_and_nobody_is_said_to_be_there(tmp_path, holder):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert at_work(tmp_path / "sweep") is None
    with recording(tmp_path / "sweep"):
        assert str(os.getpid()) in (at_work(tmp_path / "sweep") or "")
    assert at_work(tmp_path / "sweep") is None


def test_the_lock_is_released_after_an_error(tmp_path):
    with pytest.raises(ValueError, match="broken"), recording(tmp_path):
        raise ValueError("broken")
    assert at_work(tmp_path) is None
    with recording(tmp_path):
        pass


def test_the_same_process_is_refused_too(tmp_path):
    with locked(tmp_path):
        with pytest.raises(LockedError, match=str(os.getpid())), locked(tmp_path):
            pass
        assert str(os.getpid()) in (at_work(tmp_path) or ""), "who was refused must not release it"


def test_directories_do_not_hinder_each_other(tmp_path):
    with recording(tmp_path / "one"), recording(tmp_path / "other"):
        pass


def test_a_directory_that_is_a_file_is_a_disk_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DiskError), recording(tmp_path / "file"):
        pass


@pytest.mark.parametrize("signed", ["", "no json", "[1]", '{"pid": 1}'])
def test_a_lock_that_nobody_signed_names_nobody(tmp_path, signed):
    (tmp_path / ".lock").write_text(signed)
    assert at_work(tmp_path) is None


def test_another_host_s_process_cannot_be_asked_and_counts_as_there(tmp_path):
    (tmp_path / ".lock").write_text(json.dumps({"pid": 1, "host": "elsewhere", "since": "2026-11-23 09:30:00"}))
    assert at_work(tmp_path) == "process 1 on elsewhere since 2026-11-23 09:30:00"


def test_a_process_that_has_got_the_id_of_a_killed_holder_is_not_taken_for_it(tmp_path):
    signed = {"pid": os.getpid(), "host": socket.gethostname(), "since": "2026-11-23 09:30:00"}
    (tmp_path / ".lock").write_text(json.dumps(signed))
    assert at_work(tmp_path) is None


def test_looking_who_is_there_takes_the_lock_from_nobody(tmp_path, holder):
    place = tmp_path / "sweep"
    before = (place / ".lock").stat().st_mtime_ns
    assert str(holder.pid) in (at_work(place) or "")
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert at_work(place) is None
    assert (place / ".lock").stat().st_mtime_ns == before
    with recording(place):
        assert str(os.getpid()) in (at_work(place) or "")


def test_who_starts_while_somebody_looks_waits_that_moment(tmp_path):
    fcntl = pytest.importorskip("fcntl")
    with recording(tmp_path):
        pass
    with (tmp_path / ".lock").open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        threading.Timer(0.03, fcntl.flock, (file, fcntl.LOCK_UN)).start()
        with recording(tmp_path):
            assert at_work(tmp_path)
