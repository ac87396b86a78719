"""Real processes as a user has them: two at once, signals, a closed terminal, a full or read-only disk."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from oracle import Books

from tests.forking import Forked
from tests.waiting import PATIENCE, wait_until

HOURS = 10_000.0
"""A latency in emulated seconds after which a job is done only if the emulator's clock is put forward."""


@dataclass(frozen=True)
class Place:
    """An empty directory, the server that is worked with there, and the processes started there."""

    cwd: Path
    emulator: object
    open: ExitStack

    def start(self, *arguments: str) -> Forked:
        return started(self.cwd, self.open, *arguments)

    def finish(self, *arguments: str) -> tuple[int, str]:
        return ended(self.start(*arguments))

    def new(self, *arguments: str) -> list[str]:
        """A command line that works with this server."""
        return [
            *("provider=openai", f"provider.base_url={self.emulator.base_url}", "provider.retired_models=off"),
            *("request=draft", "provider.poll_interval=0.05", "provider.max_poll_attempts=1000000"),
            *("hydra.run.dir=run", "hydra.sweep.dir=sweep", *arguments),
        ]

    def books(self, directory: str) -> Books:
        return Books(self.cwd / directory, self.emulator.ledger())

    def submitted(self, directory: str, count: int = 1) -> None:
        """Wait until so many runs have their job's id on disk."""
        wait_until(lambda: sum('"submitted"' in text for text in self.records(directory)) >= count)

    def records(self, directory: str) -> list[str]:
        return [path.read_text() for path in (self.cwd / directory).rglob("result.json")]


def started(cwd: Path, stack: ExitStack, *arguments: str) -> Forked:
    """Start the program in `cwd`; it is killed with the stack, if it has not ended."""
    process = Forked(
        "runner",
        arguments,
        cwd=cwd,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        strict=True,
    )
    stack.enter_context(process)
    stack.callback(process.kill)
    return process


def environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "AZURE_", "HYDRA_"))}
    return {**kept, "OPENAI_API_KEY": "sk-throw-away", "COLUMNS": "120"}


def ended(process: Forked) -> tuple[int, str]:
    said, _ = process.communicate(timeout=PATIENCE)
    return process.returncode, said


@pytest.fixture
def place(tmp_path) -> Iterator[Callable[..., Place]]:
    with ExitStack() as stack:
        yield lambda emulator: Place(tmp_path, emulator, stack)


@pytest.fixture
def patient(make_emulator, clock, place) -> Place:
    """Where jobs are done when the clock is put forward."""
    clock.time = time.time()
    return place(make_emulator(now=clock, latency=HOURS, time_scale=1, retention=HOURS * 10))


def test_a_second_process_is_told_who_holds_the_directory_and_goes_on_after_a_kill(patient, clock):
    first = patient.start(*patient.new())
    patient.submitted("run")
    code, said = patient.finish("resume", "run")
    assert code == 2, said
    assert str(first.pid) in said
    assert socket.gethostname() in said
    first.kill()
    first.wait()
    clock.time += HOURS
    code, said = patient.finish("resume", "run")
    assert code == 0, said
    assert patient.books("run").violations() == []
    assert patient.books("run").statuses == {"verified": 1}


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_an_interrupted_sweep_says_how_to_go_on_and_does(patient, clock, number, code):
    process = patient.start("-m", *patient.new(), "replica=0,1,2")
    patient.submitted("sweep", 3)
    process.send_signal(number)
    left, said = ended(process)
    assert left == code, said
    assert "python -m runner resume sweep" in said
    clock.time += HOURS
    assert patient.finish("resume", "sweep")[0] == 0
    code, said = patient.finish("resume", "sweep")
    assert (code, "nothing to do" in said) == (0, True), said
    books = patient.books("sweep")
    assert books.violations() == []
    assert (books.statuses, len(books.created)) == ({"verified": 3}, 3)


ON_A_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


@pytest.fixture
def slow_image(make_emulator, place) -> Place:
    """Where the answer to a paid image request takes a second."""
    rule = {"match": {"operation": "image_generate"}, "fault": "slow", "seconds": 100}
    return place(make_emulator(rules=[rule]))


IMAGE = ("model=gpt-image-2", "request=image", "request.size=1024x1024", "hydra.run.dir=run")


def test_a_terminal_that_is_closed_loses_no_paid_image(slow_image):
    master, terminal = os.openpty()
    arguments = [*slow_image.new()[:3], *IMAGE, "progress=live"]
    process = subprocess.Popen(
        [sys.executable, "-c", ON_A_TERMINAL, "-m", "runner", *arguments],
        cwd=slow_image.cwd,
        env=environment(),
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
    )
    slow_image.open.callback(process.kill)
    os.close(terminal)
    wait_until(lambda: any('"submitting"' in text for text in slow_image.records("run")))
    os.close(master)  # as a dropped ssh does: SIGHUP, and nobody to print to
    assert process.wait(PATIENCE) == 129
    assert slow_image.books("run").violations() == []
    assert slow_image.books("run").statuses == {"verified": 1}


def test_a_hangup_that_is_ignored_as_by_nohup_ends_nothing(slow_image):
    arguments = [*slow_image.new()[:3], *IMAGE]
    ignoring = "trap '' HUP; exec \"$@\""
    process = subprocess.Popen(
        ["sh", "-c", ignoring, "sh", sys.executable, "-m", "runner", *arguments],
        cwd=slow_image.cwd,
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
    )
    slow_image.open.callback(process.kill)
    wait_until(lambda: any('"submitting"' in text for text in slow_image.records("run")))
    process.send_signal(signal.SIGHUP)
    _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, said


def test_ctrl_c_twice_leaves_at_once_and_the_lost_job_is_found_again(make_emulator, place):
    here = place(make_emulator(rules=[{"match": {"operation": "create"}, "fault": "stalled", "commit": True}]))
    process = here.start(*here.new())
    wait_until(lambda: here.emulator.ledger()["jobs"] == 1)
    process.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.1)
    # The request is never answered: what ends now does not wait for it.
    process.send_signal(signal.SIGINT)
    code, said = ended(process)
    assert code == 130, said
    assert here.books("run").statuses == {"uncertain": 1}
    code, said = here.finish("resume", "run")
    assert code == 0, said
    books = here.books("run")
    assert books.violations() == []
    assert (books.statuses, len(books.created)) == ({"verified": 1}, 1)


def test_another_command_into_the_same_directory_is_refused(patient, clock):
    process = patient.start("-m", *patient.new(), "replica=0,1")
    patient.submitted("sweep", 2)
    process.kill()
    process.wait()
    code, said = patient.finish("-m", *patient.new("request.prompt=another"), "replica=0,1")
    assert code == 2, said
    clock.time += HOURS
    code, said = patient.finish("-m", *patient.new(), "replica=0,1")
    assert code == 0, said
    books = patient.books("sweep")
    assert books.violations() == []
    assert (books.statuses, len(books.created)) == ({"verified": 2}, 2)


MOUNTED = """
    set -e
    mount -t tmpfs -o size={size} none {disk}
    cd {disk}
"""


def mounted(disk: Path, script: str, size: str) -> dict[str, str]:
    """Execute a shell script in a small file system of its own; gives each line that it said by its first word."""
    disk.mkdir()
    if shutil.which("unshare") is None:
        pytest.skip("unshare is not installed, so that no small disk can be mounted")
    enter = ["unshare", "--user", "--map-root-user", "--mount", "bash", "-c"]
    tried = subprocess.run([*enter, MOUNTED.format(size=size, disk=disk)], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"no small disk can be mounted: {tried.stderr.strip()}")
    done = subprocess.run(
        [*enter, MOUNTED.format(size=size, disk=disk) + script],
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(line.split("=", 1) for line in done.stdout.splitlines() if line.startswith("told "))


def command(place: Place, *arguments: str) -> str:
    return " ".join([sys.executable, "-m", "runner", *place.new(*arguments)])


def test_a_disk_that_fills_up_ends_with_its_own_code_and_resumes_when_there_is_room(make_emulator, place, tmp_path):
    here = place(make_emulator(video_bytes=80_000_000))
    told = mounted(
        tmp_path / "disk",
        f"""
        code=0; {command(here)} > said 2>&1 || code=$?; echo "told first=$code"
        echo "told left=$(find . -name '*.part' -o -name '*.tmp' | wc -l)"
        mount -o remount,size=400m {tmp_path / "disk"}
        code=0; {sys.executable} -m runner resume run >> said 2>&1 || code=$?; echo "told second=$code"
        cp -r run {tmp_path / "copy"}; cat said >&2
        """,
        size="72m",
    )
    assert told == {"told first": "5", "told left": "0", "told second": "0"}
    books = Books(tmp_path / "copy", here.emulator.ledger())
    assert books.violations() == []
    assert (books.statuses, len(books.created)) == ({"verified": 1}, 1)


def test_a_directory_that_cannot_be_written_costs_nothing_and_loses_nothing(make_emulator, place, tmp_path):
    here = place(make_emulator(latency=500, time_scale=100))
    disk = tmp_path / "disk"
    told = mounted(
        disk,
        f"""
        {command(here)} > said 2>&1 & pid=$!
        while ! grep -q '"submitted"' run/result.json 2>/dev/null; do sleep 0.05; done
        kill -9 $pid; wait $pid || true
        mount -o remount,ro {disk}
        code=0; said=$({command(here, "hydra.run.dir=other")} 2>&1) || code=$?; echo "told new=$code"
        code=0; again=$({sys.executable} -m runner resume run 2>&1) || code=$?; echo "told resume=$code"
        case "$said$again" in *Traceback*) echo "told traceback=$said$again" ;; esac
        mount -o remount,rw {disk}
        code=0; {sys.executable} -m runner resume run > said 2>&1 || code=$?; echo "told writable=$code"
        cp -r run {tmp_path / "copy"}; cat said >&2
        """,
        size="200m",
    )
    assert told.pop("told new") in ("2", "5")
    assert told == {"told resume": "5", "told writable": "0"}
    books = Books(tmp_path / "copy", here.emulator.ledger())
    assert books.violations() == []
    assert (books.statuses, len(books.created)) == ({"verified": 1}, 1)


def test_the_oracle_notices_what_breaks_the_promise(make_emulator, place, tmp_path):
    """A judge that finds nothing wrong with wrong books would prove nothing."""
    here = place(make_emulator())
    assert here.finish(*here.new())[0] == 0
    assert here.books("run").violations() == []
    path = tmp_path / "run" / "result.json"
    whole = path.read_text()
    result = json.loads(whole)

    def judged(**changes: object) -> str:
        path.write_text(json.dumps({**result, **changes}))
        return " ".join(here.books("run").violations())

    attempt = result["attempts"][0]
    assert "claimed by no run" in judged(attempts=[], job_id=None)
    assert "the server never made it" in judged(attempts=[{**attempt, "job_id": "video_none"}], job_id="video_none")
    assert "paid 2 jobs" in judged(attempts=[attempt, {**attempt, "job_id": "video_more"}])
    assert "and the ledger differ" in judged(status="submitted")
    assert "is not the file on record" in judged(artifacts=[{**result["artifacts"][0], "sha256": "0"}])
    path.write_text(whole)
    (tmp_path / "run" / "video.mp4.part").touch()
    assert "left behind" in " ".join(here.books("run").violations())
