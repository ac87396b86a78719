"""The last lines: a table that fits, why runs failed, where things are, what to type next."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.artifacts.result import Result
from runner.artifacts.run_status import RunStatus
from runner.display.closing import print_closing, status_text
from runner.display.line import width
from runner.display.table import table
from runner.engine.run import Run

from .conftest import ended

FOX = "A fox walks through fresh snow in the pale light of the morning, "


@pytest.fixture
def swept(loaded) -> Callable[..., list[Result]]:
    """A verified result for each list of overrides."""

    def make(*choices: list[str], provider: str = "openai") -> list[Result]:
        runs = [Run(n, loaded(f"provider={provider}", *lines), Path("out", str(n)), tuple(lines))
                for n, lines in enumerate(choices)]  # fmt: skip
        return [ended(run) for run in runs]

    return make


@pytest.fixture
def many(swept) -> Callable[[int], list[Result]]:
    """So many results of one config, with their replicas."""

    def make(count: int) -> list[Result]:
        (one,) = swept([])
        return [_of(one, number) for number in range(count)]

    return make


def _of(one: Result, number: int) -> Result:
    config = one.config.model_copy(update={"replica": number})
    return one.model_copy(update={"index": number, "config": config, "overrides": [f"replica={number}"]})


def lines(results: list[Result], columns: int = 80) -> list[str]:
    return [line.text for line in table(results, range(len(results)), columns)]


def broken(result: Result, message: str, status: str = "failed") -> Result:
    error = {"type": "ServerError", "code": None, "message": message, "hint": "look into it", "retryable": True}
    return Result.model_validate({**result.model_dump(exclude={"spent_usd"}), "status": status, "error": error})


def test_each_parameter_that_varies_is_a_column(swept):
    told = lines(
        swept(["request.duration_seconds=4", "model=sora-2"], ["request.duration_seconds=8", "model=sora-2-pro"])
    )
    assert [line.split() for line in told] == [
        ["run", "duration_seconds", "model", "state", "s", "cost"],
        ["0", "4", "sora-2", "done", "$0.80"],
        ["1", "8", "sora-2-pro", "done", "$0.80"],
    ]


def test_a_name_stands_on_two_lines_only_where_it_has_no_room(swept):
    results = swept(["request.duration_seconds=4", "model=sora-2"], ["request.duration_seconds=8", "model=sora-2-pro"])
    assert "duration_seconds" in lines(results, 60)[0]
    assert [line.strip() for line in lines(results, 40)[1:2]] == ["seconds"]


@pytest.mark.parametrize("columns", [200, 80, 60, 40, 30])
def test_it_keeps_to_its_columns_and_names_what_it_leaves_out(swept, columns):
    axes = ["request.duration_seconds", "provider.poll_interval", "provider.max_poll_attempts", "budget.max_usd"]
    choices = [
        [f"request.prompt='{FOX}{'日本語 ' * 30}{n}'", *(f"{axis}={4 + 4 * n}" for axis in axes)] for n in range(2)
    ]
    told = lines(swept(*choices), columns)
    rows = [line for line in told if not line.startswith("not shown")]
    assert max(map(width, rows)) <= columns
    assert all("done" in row for row in rows[-2:])
    heads = " ".join(rows[:-2])
    for axis in axes:
        assert axis.rpartition("_")[2] in heads or axis.removeprefix("request.") in told[-1]


@pytest.mark.parametrize("columns", [1, 10])
def test_where_the_facts_alone_have_no_room_they_are_shown(swept, columns):
    told = lines(swept(["request.duration_seconds=4"], ["request.duration_seconds=8"]), columns)
    assert [line.split() for line in told[1:3]] == [["0", "done", "$0.80"], ["1", "done", "$0.80"]]
    assert told[-1] == "not shown: duration_seconds"


def test_prompts_are_shown_from_where_they_begin_to_differ(swept):
    told = lines(swept(*([f"request.prompt='{FOX}{end}'"] for end in ("seen from above", "seen from below"))))
    assert "…above" in told[-2]
    assert "…below" in told[-1]


def test_hostile_prompts_and_answers_stay_text(many, capsys):
    prompts = ("\x1b[31mred\x07", "\u202egnp.exe", "[bold]x[/bold]")
    results = [
        broken(each.model_copy(update={"config": each.config.model_copy(update={"request": request})}), "\x1b]0;no\x07")
        for each, request in ((each, each.config.request.model_copy(update={"prompt": prompt}))
                              for each, prompt in zip(many(3), prompts, strict=True))
    ]  # fmt: skip
    print_closing(results, Path("out"))
    text = capsys.readouterr().out
    assert all(line.isprintable() for line in text.splitlines())
    assert "[bold]x[/bold]" in text
    assert "3 ×  ]0;no" in text


def test_costs_are_summed_and_failures_grouped_with_their_runs_and_hint(many, capsys):
    first, second, third, fourth, fifth = many(5)
    lost = broken(fourth, "lost", "uncertain")
    print_closing(
        [first, broken(second, "5 of video_1 melted"), broken(third, "5 of video_2 melted"), lost, fifth], Path("x")
    )
    text = capsys.readouterr().out
    assert "2 done · 2 failed · 1 uncertain · $4.00 spent of " in text
    assert "  2 × 5 of … melted  (runs 1-2)\n      look into it\n" in text
    assert "  1 × lost  (run 3)" in text
    assert "python -m runner resume x" in text


def test_the_sum_is_that_of_the_rows_and_what_was_not_sent_has_no_price(many, capsys):
    first, second = many(2)
    waiting = second.model_copy(update={"status": RunStatus.PLANNED, "attempts": [], "job_id": None})
    print_closing([first, waiting], Path("x"))
    told = capsys.readouterr().out.splitlines()
    assert told[2].split() == ["1", "1", "queued"]
    assert "1 queued · 1 done · $0.80 spent of $1.60 estimated" in told


def test_emulated_money_is_never_called_a_cost(swept, capsys):
    print_closing(swept(["replica=0"], ["replica=1"], provider="emulator"), Path("x"))
    text = capsys.readouterr().out
    assert "emulated, free (would cost $1.60 at list price)" in text
    assert text.split("\n")[0].split() == ["run", "replica", "state", "s", "price"]


def test_an_unfinished_run_names_its_job(many, capsys):
    (one,) = many(1)
    print_closing([one.model_copy(update={"status": RunStatus.SUBMITTED})], Path("outputs/x"))
    assert "job video_1 goes on at the provider" in capsys.readouterr().out


def test_a_run_in_a_batch_is_at_work_or_done(many):
    (one,) = many(1)
    attempts = [each.model_copy(update={"batch": "runner-1", "job_id": "batch_1"}) for each in one.attempts]
    waiting = one.model_copy(update={"status": RunStatus.SUBMITTED, "job_id": "batch_1", "attempts": attempts})
    assert status_text(waiting) == "batch_1 is at the provider, under way or done"


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({"status": RunStatus.PLANNED, "attempts": []}, "not begun; nothing was sent"),
        ({"status": RunStatus.PLANNED}, "not begun again; nothing more was sent"),
        ({"status": RunStatus.SUBMITTED}, "job video_1 goes on at the provider"),
        ({"status": RunStatus.COMPLETED, "job_id": None}, "has arrived and is not checked yet"),
        ({"status": RunStatus.UNCERTAIN, "job_id": None}, "its answer was lost: it may have been paid"),
        ({"status": RunStatus.SUBMITTING, "job_id": None}, "its answer was lost: it may have been paid"),
    ],
)
def test_an_unfinished_run_tells_what_was_sent_and_what_may_be_paid(many, facts, told, capsys):
    (one,) = many(1)
    print_closing([one.model_copy(update=facts)], Path("outputs/x"))
    assert told in capsys.readouterr().out.splitlines()[0]


def test_a_request_that_is_under_way_is_not_called_lost(many, capsys):
    (one,) = many(1)
    sent = one.model_copy(update={"status": RunStatus.SUBMITTING, "job_id": None})
    print_closing([sent], Path("x"), running="process 7 on here since noon")
    assert "its answer is awaited" in capsys.readouterr().out


def test_the_command_that_repeats_a_run_can_be_typed(many, capsys):
    film = {"path": "video.mp4", "bytes": 10, "sha256": "ab", "media_type": "video/mp4"}
    made = Result.model_validate({**many(1)[0].model_dump(exclude={"spent_usd"}), "artifacts": [film]})
    print_closing([made], Path("my films/it's"))
    assert shlex.split(capsys.readouterr().out.splitlines()[-1])[-2:] == ["repeat", "my films/it's"]


def test_while_someone_is_at_work_nothing_is_to_be_resumed(many, capsys):
    one, other = many(2)
    open_ones = [each.model_copy(update={"status": RunStatus.SUBMITTED}) for each in (one, other)]
    for results in (open_ones, open_ones[:1]):
        print_closing(results, Path("x"), running="process 7 on here since noon")
        text = capsys.readouterr().out
        assert "running: process 7 on here since noon" in text
        assert "resume" not in text


def test_what_is_there_is_named_and_what_is_not_there_is_not(many, tmp_path, capsys):
    print_closing(many(2), tmp_path)
    assert "index.html" not in capsys.readouterr().out
    for name in ("index.html", "results.csv"):
        (tmp_path / name).touch()
    print_closing(many(2), tmp_path)
    assert capsys.readouterr().out.splitlines()[-2:] == [
        f"{tmp_path}  (results.csv)",
        (tmp_path / "index.html").as_uri(),
    ]


def test_ten_thousand_runs_close_in_a_readable_table(many, capsys):
    results = [broken(each, f"{each.index} melted") if each.index > 5_000 else each for each in many(10_000)[:9_000]]
    print_closing(results, Path("outputs/x"))
    told = capsys.readouterr().out.splitlines()
    assert len(told) < 60
    assert "… 8,960 more in outputs/x/results.csv" in told
    assert "3,999 × … melted  (runs 5001-8999)" in "\n".join(told)


def test_a_run_s_warnings_are_said(swept, capsys):
    (one,) = swept([])
    print_closing(
        [one.model_copy(update={"warnings": ["asked for 8x8, got 4x4", "no thumbnail: \x1b[2J"]})], Path("out")
    )
    text = capsys.readouterr().out
    assert "warning: asked for 8x8, got 4x4\n" in text
    assert "warning: no thumbnail:  [2J\n" in text


def test_a_sweep_s_warnings_are_counted_by_their_kind(many, capsys):
    results = [
        one.model_copy(update={"warnings": [f"asked for 8x8, got {4 + number}x4", "asked for 8x8, got 1x1"]})
        for number, one in enumerate(many(30))
    ]
    results[7].warnings.append("something else")
    print_closing(results, Path("out"))
    text = capsys.readouterr().out
    assert "30 × warning: asked for 8x8, got …  (runs 0-29)" in text.replace("…x4", "…").replace("1x1", "…")
    assert "1 × warning: something else  (run 7)" in text
