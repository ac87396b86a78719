"""Which display suits where the output goes: real processes on real terminals."""

from __future__ import annotations

import os
import sys

import pexpect
import pytest

from runner.artifacts.run_status import RunStatus
from runner.display.plain import observing
from runner.engine.run import Event

ASKS = "from runner.display.plain import _choose; print(_choose({!r}))"


def test_off_is_silent_and_a_pipe_gets_plain_lines(story, capsys):
    run = story(1).runs[0]
    for mode, spoken in (("off", False), ("auto", True), ("live", True)):
        with observing([run], mode) as observer:
            observer(Event(run, RunStatus.COMPLETED))
        told = capsys.readouterr().err
        assert bool(told) is spoken
        assert "\x1b" not in told


@pytest.mark.parametrize(
    ("mode", "variables", "chosen"),
    [
        ("auto", {}, "live"),
        ("auto", {"CI": "true"}, "plain"),
        ("auto", {"CI": "false"}, "live"),
        ("live", {"CI": "true"}, "live"),
        ("auto", {"TERM": "dumb"}, "plain"),
        ("live", {"TERM": "dumb"}, "plain"),
        ("plain", {}, "plain"),
        ("off", {}, "off"),
    ],
)
def test_a_terminal_is_live_unless_it_is_a_log_or_cannot(mode, variables, chosen):
    kept = {name: value for name, value in os.environ.items() if name not in ("CI", "TERM")}
    environment = {**kept, "TERM": "xterm-256color", **variables}
    child = pexpect.spawn(sys.executable, ["-c", ASKS.format(mode)], env=environment, encoding="utf-8")
    assert child.read().split() == [chosen]
    child.close()


def test_where_nobody_reads_the_errors_the_runs_go_on(story, monkeypatch):
    told = story(60)
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w", buffering=1) as gone:
        monkeypatch.setattr(sys, "stderr", gone)
        with observing(told.runs, "plain") as observer:
            told.hears.append(observer)
            told.end(*range(3), status="failed", error="it broke")
