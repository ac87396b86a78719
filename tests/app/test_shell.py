"""The command line among other programs: completion, pipes, two at once, kill -9."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from tests.forking import Forked
from tests.waiting import PATIENCE, wait_until

RUNNER = [sys.executable, "-m", "runner"]
"""An interpreter of its own, where it is about how one starts and ends, or about its children and what they cost it."""

QUICK = ("provider=openai", "provider.retired_models=off", "request=draft", "provider.poll_interval=0.05")
"""A run at the server whose address `served` has: no test needs another process of the emulator."""


@pytest.fixture
def served(server, canary):
    """The environment with the address of a server and a key for it."""
    return {**os.environ, "OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": canary}


def test_the_console_script_completes_keys_and_groups(tmp_path):
    script = Path(sys.executable).parent / "runner"
    line = "runner provider=az"
    done = subprocess.run(
        [script, "-sc", "query=bash"],
        env={**os.environ, "COMP_LINE": line, "COMP_POINT": str(len(line))},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["provider=azure_openai"], done.stderr


def test_two_runners_use_the_emulator_at_the_same_time(quick):
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda number: quick("request=draft", f"replica={number}"), range(2)))
    assert [done.code for done in both] == [0, 0]
    assert len({result["job_id"] for result in both[0].results()}) == 2


def test_a_killed_runner_leaves_its_job_id_and_no_process_behind(tmp_path):
    process = subprocess.Popen([*RUNNER, "provider.latency=60"], cwd=tmp_path, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: [p for p in tmp_path.glob("outputs/2*/*/result.json") if '"submitted"' in p.read_text()])
        wait_until(lambda: len(psutil.Process(process.pid).children()) == 2)
        server, decoder = psutil.Process(process.pid).children()
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    wait_until(lambda: not server.is_running() or server.status() == psutil.STATUS_ZOMBIE)
    wait_until(lambda: not decoder.is_running() or decoder.status() == psutil.STATUS_ZOMBIE)


def test_a_reader_that_goes_away_is_no_error(tmp_path):
    done = subprocess.run(
        f"{sys.executable} -m runner --help | head -1",
        shell=True,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.startswith("runner - ")
    assert done.stderr == ""


def test_an_interrupted_run_keeps_its_job_and_says_so(tmp_path):
    process = subprocess.Popen([*RUNNER, "provider.latency=60"], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    try:
        wait_until(lambda: [p for p in tmp_path.glob("outputs/2*/*/result.json") if '"submitted"' in p.read_text()])
    finally:
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert "interrupted by Ctrl-C; 1 is being made at the provider, also while nobody waits\n" in out
    assert "generating: job video_" in out
    assert "goes on at the provider" in out


def test_a_reader_that_goes_away_hides_no_failure(tmp_path, make_emulator, canary):
    server = make_emulator(api_key="another")
    command = (
        f"{sys.executable} -m runner provider=openai model=gpt-image-2 request=image | true; exit ${{PIPESTATUS[0]}}"
    )
    keys = {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": canary}
    done = subprocess.run(
        ["bash", "-c", command], cwd=tmp_path, env={**os.environ, **keys}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    ("arguments", "files"),
    [
        (QUICK, 1),
        (("models",), 0),
        (("--help",), 0),
    ],
)
def test_a_full_disk_behind_the_output_is_one_clear_line(tmp_path, served, arguments, files, unbuffered):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*RUNNER, *arguments],
            cwd=tmp_path,
            env={**served, "PYTHONUNBUFFERED": unbuffered},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 5, done.stderr
    assert done.stderr.count("the output could not be written: No space left on device") == 1
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    assert len([*tmp_path.glob("outputs/**/video.mp4")]) == files


def test_a_full_disk_behind_the_errors_changes_no_code(tmp_path):
    command = f"{sys.executable} -m runner model=none 2>/dev/full"
    assert subprocess.run(command, shell=True, cwd=tmp_path, check=False).returncode == 2


# What a shell may do to the three streams: closed, or opened for reading alone.
@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-", "2</dev/null"])
def test_a_closed_stream_changes_neither_the_run_nor_its_code(tmp_path, served, closed):
    command = f"{sys.executable} -m runner {' '.join(QUICK)} {closed}"
    done = subprocess.run(
        ["bash", "-c", command], cwd=tmp_path, env=served, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    (video,) = tmp_path.glob("outputs/*/*/video.mp4")
    # Nothing was printed into a file that had got the closed stream's number.
    assert b"verified" not in video.read_bytes()
    assert (video.parent / "ledger.sqlite3").read_bytes().startswith(b"SQLite format 3")


@pytest.mark.parametrize(
    ("arguments", "code", "closed"),
    [("model=none", 2, ">&- 2>&-"), ("--help", 0, "<&- >&- 2>&-"), ("models", 0, "1</dev/null")],
)
def test_a_closed_stream_changes_no_commands_code(tmp_path, arguments, code, closed):
    command = f"{sys.executable} -m runner {arguments} {closed}"
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-16"])
def test_an_encoding_that_lacks_letters_changes_neither_the_run_nor_its_code(tmp_path, server, canary, encoding):
    prompts = "request.prompt='東京 \U0001f469‍\U0001f52c – 3×','naïve…'"
    endpoint = ["provider=openai", f"provider.base_url={server.base_url}", "provider.retired_models=off"]
    arguments = ["request=draft", *endpoint, "provider.poll_interval=0.05", "-m", prompts]
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "OPENAI_API_KEY": canary}
    for more in ((), ("dry_run=true",)):
        with (tmp_path / "out").open("w+b") as out, (tmp_path / "err").open("w+b") as err:
            words = [*arguments, *more]
            with Forked("runner", words, env=environment, cwd=tmp_path, stdout=out, stderr=err) as process:
                process.wait(120)
        errors = (tmp_path / "err").read_bytes().decode(encoding)
        assert process.returncode == 0, errors
        assert "Traceback" not in errors
        assert "done" in (tmp_path / "out").read_bytes().decode(encoding) or more
    listed = subprocess.run([*RUNNER, "ls"], cwd=tmp_path, env=environment, capture_output=True, check=False)
    assert listed.returncode == 0
    assert "2 done" in listed.stdout.decode(encoding)
