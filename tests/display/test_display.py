from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from runner.artifacts.result import ErrorRecord, Result, RunStatus
from runner.display import clean, observing, print_closing
from runner.display.live import LiveDisplay
from runner.display.plain import PlainDisplay
from runner.engine.run import Event, Run

HOSTILE = "\x1b[31mred\x1b[0m\nnext \u202egnp.exe [bold]x[/bold]"


@pytest.fixture
def run(loaded):
    def make(index: int = 0, label: str = "") -> Run:
        return Run(index, loaded(), Path("outputs"), (), label)

    return make


@pytest.fixture
def result(loaded):
    def make(index: int = 0, status: str = "verified", error: str | None = None, provider: str = "openai") -> Result:
        record = error and ErrorRecord(type="ServerError", code=None, message=error, hint=None, retryable=True)
        return Result(
            index=index, status=RunStatus(status), provider=provider, endpoint="e", model="sora-2", deployment=None,
            config=loaded(), overrides=[f"replica={index}"], request_sent={}, error=record or None, job_id="video_1",
            cost={"estimated_usd": 0.8}, environment={"runner": "1", "openai": "1", "python": "1"},
        )  # fmt: skip

    return make


def test_text_from_strangers_cannot_steer_the_terminal():
    shown = clean(HOSTILE)
    assert shown.isprintable()
    assert "\n" not in shown


def test_plain_lines_say_each_status_once_and_hold_no_control_codes(run):
    lines: list[str] = []
    display = PlainDisplay(2, lines.append)
    first = run(0, HOSTILE)
    for progress in (0, 10, 20):
        display(Event(first, RunStatus.SUBMITTED, progress, "video_1", "in_progress"))
    display(Event(first, RunStatus.COMPLETED, 100, "video_1"))
    assert len(lines) == 2
    assert all(line.isprintable() for line in lines)
    assert "video_1" in lines[0]


def test_the_live_display_shows_a_line_a_job_and_failures_at_once(run, result):
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=80, height=12, highlight=False)
    with LiveDisplay(100, console) as display:
        for index in range(50):
            display(Event(run(index, "a=1"), RunStatus.SUBMITTED, 40, f"video_{index}", "in_progress"))
        failed = result(3, "failed", "it broke")
        display(Event(run(3), RunStatus.FAILED, result=failed))
        console.print(display._render())
    text = stream.getvalue()
    assert "it broke" in text
    assert "1/100 runs" in text
    assert "more under way" in text, "fifty jobs do not fit on twelve lines"


def test_off_is_silent_and_a_pipe_gets_plain_lines(run, capsys):
    for mode, spoken in (("off", False), ("auto", True)):
        with observing([run()], mode) as observer:
            observer(Event(run(), RunStatus.COMPLETED))
        assert bool(capsys.readouterr().err) is spoken


def test_the_closing_table_sums_costs_and_groups_failures(result, capsys):
    results = [result(0), result(1, "failed", "quota"), result(2, "failed", "quota"), result(3, "uncertain", "lost")]
    print_closing(results, Path("outputs/x"))
    text = capsys.readouterr().out
    assert "1 succeeded" in text
    assert "2 × quota" in text
    assert "cost $3.20" in text
    assert "replica=2" in text


def test_emulated_money_is_never_called_a_cost(result, capsys):
    print_closing([result(0, provider="emulator"), result(1, provider="emulator")], Path("outputs/x"))
    assert "emulated, free (would have cost $1.60 at list price)" in capsys.readouterr().out


def test_an_unfinished_run_names_its_job(result, capsys):
    print_closing([result(0, "submitted")], Path("outputs/x"))
    assert "job video_1 goes on at the provider" in capsys.readouterr().out


def test_ten_thousand_runs_close_in_a_readable_table(result, capsys):
    one = result()
    print_closing([one.model_copy(update={"index": i}) for i in range(10_000)], Path("outputs/x"))
    assert len(capsys.readouterr().out.splitlines()) < 60
