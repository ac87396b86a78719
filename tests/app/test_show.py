"""What a user sees of a sweep on a terminal, in a pipe, and later: processes of their own."""

from __future__ import annotations

import json
import os
import re

import pytest

from tests.terminal import Terminal

from .conftest import QUICK

IMAGES = ("model=gpt-image-2.5-flare", "request=image", "request.size=1024x1024")
SWEEP = ("-m", *IMAGES, "request.quality=low,high", "hydra.sweep.dir=outputs/sweep", *QUICK)


def test_what_a_sweep_printed_is_shown_again(cli):
    done = cli(*SWEEP)
    assert done.code == 0, done.err
    shown = cli("show", "outputs/sweep")
    asked = "gpt-image-2.5-flare\nA timelapse of a city skyline from dawn to dusk\n"
    assert (shown.code, shown.out, shown.err) == (0, asked + done.out, "")
    told = json.loads(cli("show", "outputs/sweep", "--json").out)
    assert [row["artifact"] for row in told["results"]] == ["0/image-0.png", "1/image-0.png"]


@pytest.mark.parametrize("variables", [{}, {"NO_COLOR": "1"}, {"TERM": "dumb"}, {"CI": "true"}])
def test_a_terminal_gets_what_it_can_show(tmp_path, variables):
    kept = {name: value for name, value in os.environ.items() if name not in ("CI", "NO_COLOR", "COLUMNS", "LINES")}
    environment = {**kept, "TERM": "xterm-256color", **variables}
    child = Terminal([*SWEEP], tmp_path, environment)
    text = child.read()
    child.close()
    assert child.exitstatus == 0, text
    colours = re.findall(r"\x1b\[[0-9;]*3[0-9](?:;[0-9]+)*m", text)
    moves = re.findall(r"\x1b\[[0-9]*A", text)
    assert bool(moves) is (variables.keys() <= {"NO_COLOR"}), "only a terminal that can is redrawn"
    assert not colours or not variables
    assert "2 done · emulated, free" in text
    assert text.endswith("\n")


def test_an_unknown_directory_is_refused(cli):
    cli("show", "outputs/nowhere").refused("there is no directory outputs/nowhere", "python -m runner ls")
