"""Lines for logs and pipes: everything of few runs, what matters of many."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from runner.config.run import RunConfig
from runner.display.plain import PlainDisplay


def asking(config: RunConfig, prompt: str) -> RunConfig:
    return config.model_copy(update={"request": config.request.model_copy(update={"prompt": prompt})})


HOSTILE = "\x1b[31mred\x1b[0m\nnext \u202egnp.exe [bold]x[/bold]"


@pytest.fixture
def printed(story):
    """A story of so many runs, and the lines that are printed while it is told."""

    def make(count: int, prompt: str = "") -> tuple:
        told, lines = story(count), []
        if prompt:
            told.runs = [replace(run, config=asking(run.config, f"{run.index} {prompt}")) for run in told.runs]
        told.hears.append(PlainDisplay(told.runs, lines.append, told))
        return told, lines

    return make


def test_few_runs_say_each_status_once_without_control_codes(printed):
    told, lines = printed(2, HOSTILE)
    for progress in (0, 10, 20):
        told.submit(0, progress=progress)
    told.end(0)
    assert [line.split()[2:4] for line in lines] == [["generating", "(in_progress)"], ["done", "video_1"]]
    assert all(line.isprintable() for line in lines)
    assert "video_1" in lines[0]


def test_ten_thousand_runs_that_succeed_are_a_few_lines(printed):
    told, lines = printed(10_000)
    for start in range(0, 10_000, 100):
        told.submit(*range(start, start + 100), progress=50)
        told.time += 36  # an hour in all
        told.end(*range(start, start + 100))
    assert len(lines) < 80
    assert lines[0] == "10,000 runs: a line for each that fails, and now and then one for all"
    assert re.match(r" +\d+\.\ds 9,\d\d\d/10,000 runs · .* left · \$\S+ spent of \$8,000\.00 estimated", lines[-1])


def test_every_failure_of_many_has_a_line_and_only_the_first_of_a_kind_tell_why(printed):
    told, lines = printed(1_000)
    for number in range(1_000):
        told.submit(number)
        told.end(number, status="failed", error=f"job video_{number} melted")
    failures = lines[1:]
    assert len(failures) == 1_000
    assert sum("melted" in line for line in failures) == 3
    assert failures[-1].endswith("[999] failed video_1 replica=999 - as [0]")


def test_notes_of_one_kind_are_told_a_few_times(printed):
    told, lines = printed(100)
    for number in range(100):
        told.submit(number, note=f"reused from outputs/{number}")
    told.submit(5, note="the download failed and is tried again")
    assert [("reused" in line, "download" in line) for line in lines[1:]] == [(True, False)] * 3 + [(False, True)]


def test_lines_about_all_runs_keep_their_distance(printed):
    told, lines = printed(100)
    for _ in range(9_999):
        told.time += 0.001
        told.submit(1)
    assert len(lines) == 1
    told.time += 1
    told.submit(1)
    told.submit(1)
    assert len(lines) == 2
    assert "0/100 runs · 99 queued · 1 generating" in lines[1]
