"""The commands of the README and of docs/, typed as they stand there, page by page."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess

import pytest
from PIL import Image

from runner.results.reading import sweeps_of
from tests.command_line import command_line
from tests.docs.pages import blocks

NOT_TYPED = {
    "python3 -m venv": "makes an environment: the gate does it",
    "pip install": "installs packages: the gate installs the wheel",
    "eval ": "changes the shell: tests/commands/test_completion.py types it",
    "python -m runner view DIR --rater": "serves until it is stopped: tests/view",
    "python -m runner emulator --port": "serves until it is stopped: tests/emulator",
    "python -m runner tracking=wandb": "needs half a minute: tests/tracking",
    "python -m runner tracking=mlflow": "needs half a minute: tests/tracking",
    "python -m runner provider=azure_openai provider.auth=entra_id": "needs an account: tests/providers",
    "python -m runner request.video=video_123": "needs a video of one's account: tests/engine/test_operations.py",
}
"""How lines begin that are not typed here, and why."""

MAY_FAIL = {
    "python -m runner doctor": "the stand-in has no certificate",
    "python -m runner resume DIR": "there is nothing left to resume",
}

COMMANDS = ("python -m runner", "runner")


@pytest.fixture
def place(tmp_path, server, gpu, other_gpu, host, xai):
    """A directory with the files that pages speak of, and an environment whose endpoints are an emulator's."""
    Image.new("RGB", (1280, 720), "teal").save(tmp_path / "first.png")
    (tmp_path / "prompt.txt").write_text("A fern unrolls")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "AZURE_"))}
    environment |= {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": "a-key-of-the-stand-in", "COLUMNS": "120",
                    "AZURE_OPENAI_ENDPOINT": server.azure_url, "AZURE_OPENAI_API_KEY": "a-key-of-the-stand-in",
                    "OPENROUTER_BASE_URL": host.base_url, "XAI_BASE_URL": xai.base_url, "BROWSER": "true"}  # fmt: skip
    return tmp_path, environment, {"https://RESOURCE.openai.azure.com": server.azure_url,
                                   "http://gpu.example:8000/v1": gpu.base_url,
                                   "http://gpu1.example:8000/v1": gpu.base_url,
                                   "http://gpu2.example:8000/v1": other_gpu.base_url}  # fmt: skip


def typed(line, place):
    """Type one line as it stands; returns what came of it, or None for what is not typed here."""
    where, environment, endpoints = place
    if any(line.startswith(start) for start in NOT_TYPED):
        return None
    if line.startswith("export "):
        for pair in shlex.split(line)[1:]:
            name, _, value = pair.partition("=")
            environment[name] = "a-key-of-the-stand-in" if value == "…" else endpoints.get(value, value)
        return None
    if not line.startswith(COMMANDS):
        done = subprocess.run(["sh", "-ec", line], cwd=where, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (line, done.stderr)
        return None
    words = shlex.split(line)
    words = words[3:] if words[0] == "python" else words[1:]
    return command_line([named(word, where) for word in quickened(words, endpoints)], where, environment, strict=True)


def named(word, where):
    """Return a word with a sweep or a run that is there for DIR and RUN_DIR."""
    sweeps = sorted(where.glob("outputs/multirun/*/*"))
    for name in ("RUN_DIR", "DIR"):
        if name in word.split("="):
            found = sweeps[0] / "0" if name == "RUN_DIR" else sweeps[0]
            return word.replace(name, str(found.relative_to(where)))
    return word


def quickened(words, endpoints):
    """Return the words with endpoints that are there and take no time."""
    if words and "=" not in words[0] and words[0] not in ("-m", "--config-dir"):
        return words
    for stand_in in endpoints.items():
        words = [word.replace(*stand_in) for word in words]
    own = any(word.startswith("provider=") and word != "provider=emulator" for word in words)
    return [*words, "provider.poll_interval=0.05", *([] if own else ["provider.latency=0.05"])]


def judge(where):
    """Write what two people would export who judged the sweep that is there: both like the first run's video."""
    (sweep,) = sweeps_of(where.glob("outputs/multirun/*/*")).sweeps
    for rater in ("ann", "bob"):
        made = {"version": 1, "kind": "rating", "id": rater, "at": "2026-11-23T09:30:00Z", "rater": rater}
        record = {**made, "run": sweep.run_keys()[0], "file": "video.mp4", "rating": 5}
        (where / f"{rater}.jsonl").write_text(json.dumps(record))


PAGES = sorted({block.page for block in blocks("bash")})


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_a_page_do_what_it_says(page, place):
    where, environment, _ = place
    made = command_line(
        ["-m", "request=draft", "replica=0,1", "provider.latency=0.05", "progress=off"], where, environment
    )
    assert made.returncode == 0, made.stderr
    judge(where)
    for block in (block for block in blocks("bash") if block.page == page):
        for line in filter(None, block.text.replace("\\\n", "").splitlines()):
            done = typed(line, place)
            if done is None or any(line.startswith(start) for start in MAY_FAIL):
                assert done is None or "Traceback" not in done.stderr
                continue
            assert done.returncode == 0, (line, done.stdout, done.stderr)


@pytest.mark.parametrize("reason", NOT_TYPED)
def test_every_reason_not_to_type_a_line_is_needed(reason):
    lines = [line for block in blocks("bash") for line in block.text.splitlines()]
    assert any(line.startswith(reason) for line in lines)


_KINDS = (
    (re.compile(r"file://\S*/(?=outputs/)"), "file:///"),
    (re.compile(r"\d{4}-\d{2}-\d{2}/\d{2}-\d{2}-\d{2}-\w{4}"), "TIME"),
    (re.compile(r"video_[0-9a-f]+"), "JOB"),
    (re.compile(r"\d[\d.,]*"), "#"),
    (re.compile(r"\s+"), " "),
)
_PASSING = ("generating", "downloading")
"""States that a quick job may not be seen in."""


def kind(line):
    """Return a line of output without its figures, times and names."""
    for pattern, name in _KINDS:
        line = pattern.sub(name, line)
    return line.strip()


@pytest.mark.parametrize("block", blocks("console"), ids=lambda block: block.text.partition("\n")[0][2:60])
def test_what_is_shown_is_what_is_printed(block, place):
    commands, shown = (
        [line for line in block.text.splitlines() if line.startswith("$ ") is typing] for typing in (True, False)
    )
    if commands[0].startswith("$ python -m runner ls"):
        pytest.skip("it shows a sweep that was killed: tests/commands/test_ls.py")
    done = [typed(command[2:], place) for command in commands][-1]
    printed = {kind(line) for line in (done.stdout + done.stderr).splitlines()}
    for line in shown:
        if not any(f" {status} " in line for status in _PASSING):
            assert kind(line) in printed, (line, done.stdout, done.stderr)


@pytest.mark.parametrize("block", [each for each in blocks("python") if "emulator" in each.text], ids=lambda b: b.page)
def test_the_programs_run(block, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(block.text, block.page, "exec"), {})
    assert [*tmp_path.rglob("*.mp4")]
