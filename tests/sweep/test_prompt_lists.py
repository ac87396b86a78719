"""A file of many short lines, sent as one prompt only where that is meant, through the command line."""

from __future__ import annotations

import subprocess

import pytest

PROMPTS = [f"{subject} in the snow" for subject in ("a fox", "a whale", "a train", "a kite", "a cat", "a dog")]


@pytest.fixture
def file(here):
    path = here / "p.txt"
    path.write_text("\n".join(PROMPTS), encoding="utf-8")
    return path


def test_without_a_terminal_nothing_is_sent_and_both_ways_are_named(typed, emulator, here, file, capsys):
    assert typed("request.prompt_file=p.txt") == 2
    told = capsys.readouterr().err
    assert "request.prompt_file=p.txt has 6 short lines that would be sent as one prompt" in told
    assert "nothing was sent" in told
    assert "yes=true sends it as one prompt" in told
    assert emulator.ledger()["created"] == []
    assert [path.name for path in here.iterdir()] == ["p.txt"]


def test_the_way_that_is_named_makes_each_line_a_run(sweep, emulator, here, file, capsys):
    assert sweep("request.prompt_file=p.txt", "request.duration_seconds=4,8") == 2
    command = capsys.readouterr().err.partition("for each line: ")[2].splitlines()[0]
    shown = command.replace("python -m runner", "echo")
    done = subprocess.run(shown, shell=True, capture_output=True, text=True, check=True)  # what the shell makes of it
    flag, axis = done.stdout.split()
    assert flag == "-m"
    assert sweep(axis) == 0
    assert sorted(job["prompt"] for job in emulator.ledger()["created"]) == sorted(PROMPTS)


def test_yes_sends_it_as_it_is(typed, emulator, file):
    assert typed("request.prompt_file=p.txt", "yes=true") == 0
    assert [job["prompt"] for job in emulator.ledger()["created"]] == ["\n".join(PROMPTS)]


def test_a_dry_run_only_warns(typed, file, capsys):
    assert typed("request.prompt_file=p.txt", "dry_run=true") == 0
    assert "has 6 short lines that would be sent as one prompt" in capsys.readouterr().err
