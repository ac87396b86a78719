"""What a user sees at a terminal of some size: whole words, an interrupt that says what it leaves, a sign of life."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pexpect
import pytest

from tests.terminal import Terminal

from .conftest import QUICK

CONTROL = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
NOTICE = """
from runner.display.output import notice, say
notice.begin("planning …")
input()
say("planned")
"""


def terminal(place: Path, columns: int, *arguments: str) -> Terminal:
    kept = {name: value for name, value in os.environ.items() if name not in ("CI", "NO_COLOR", "COLUMNS", "LINES")}
    return Terminal([*arguments], place, {**kept, "TERM": "xterm-256color"}, rows=40, columns=columns)


def read(child: Terminal, code: int) -> str:
    text = CONTROL.sub("", child.read())
    child.close()
    assert child.exitstatus == code, text
    return text


def broken(text: str, columns: int) -> list[str]:
    """Words that would fit in a row, and stand on two."""
    words = [word for line in text.replace("\r", "").split("\n") for word in re.finditer(r"\S+", line)]
    return [
        word[0] for word in words if len(word[0]) <= columns and word.start() // columns != (word.end() - 1) // columns
    ]


@pytest.fixture(scope="module")
def swept(tmp_path_factory) -> Path:
    """A directory with a sweep of two models in it."""
    place = tmp_path_factory.mktemp("swept")
    asked = ["request=image", "model=gpt-image-2,gpt-image-2.6-flare", "replica=0,1"]
    read(terminal(place, 80, "-m", *asked, *QUICK), 0)
    return place


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_no_word_stands_on_two_rows(swept, columns):
    (sweep,) = swept.glob("outputs/multirun/*/*")
    for command in (["show", str(sweep.relative_to(swept))], ["ls"], ["models"], ["models", "nonsense"]):
        text = read(terminal(swept, columns, *command), 2 if command[-1] == "nonsense" else 0)
        assert broken(text, columns) == [], command


def test_the_end_sums_up_by_model_and_links_the_page(swept):
    (sweep,) = swept.glob("outputs/multirun/*/*")
    lines = read(terminal(swept, 120, "show", str(sweep.relative_to(swept))), 0).splitlines()
    head = next(number for number, line in enumerate(lines) if line.startswith("model"))
    assert lines[head].split() == ["model", "runs", "done", "success", "median", "s", "price"]
    assert [line.split()[:5] for line in lines[head + 1 : head + 3]] == [
        ["gpt-image-2", "2", "2", "100", "%"], ["gpt-image-2.6-flare", "2", "2", "100", "%"],
    ]  # fmt: skip
    assert lines[-1] == (sweep / "index.html").as_uri()


def test_a_sweep_of_one_run_links_its_page_too(tmp_path):
    text = read(terminal(tmp_path, 200, "-m", "request=image", "model=gpt-image-2", *QUICK), 0)
    (page,) = tmp_path.glob("outputs/multirun/*/*/index.html")
    assert page.as_uri() in text
    assert "gpt-image-2 · done · " in text


def test_ctrl_c_says_that_it_was_one_and_what_goes_on(tmp_path):
    asked = ["replica=0,1,2", "provider.latency=600", "provider.max_concurrent_jobs=2", "hydra.sweep.dir=out"]
    child = terminal(tmp_path, 80, "-m", *asked)
    child.expect("1 queued · 2 generating")
    for number in (0, 1):  # the jobs of both are known
        child.expect(rf"generating (\(|\d+ %)[^\n]*replica={number}")
    child.sendintr()
    told = re.sub(r"\s+", " ", read(child, 130))
    assert "interrupted by Ctrl-C; nothing more is sent; 2 jobs go on at the provider" in told
    assert (
        "interrupted by Ctrl-C; 2 are being made at the provider, also while nobody waits; 1 was not sent and costs "
        "nothing python -m runner resume out"
    ) in told


def test_planning_that_takes_long_is_told_until_something_else_is(tmp_path):
    kept = {**os.environ, "TERM": "xterm-256color"}
    child = pexpect.spawn(sys.executable, ["-c", NOTICE], cwd=str(tmp_path), env=kept, encoding="utf-8", timeout=120)
    child.expect_exact("planning …")
    child.sendline()
    child.expect_exact("\r\x1b[2Kplanned")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


def test_an_interrupt_while_runs_are_planned_says_that_nothing_was_sent(tmp_path):
    child = terminal(tmp_path, 80, "-m", "replica=range(100000)", "dry_run=true")
    child.expect_exact("planning …")
    child.sendintr()
    assert "interrupted by Ctrl-C before anything was sent" in read(child, 130)
