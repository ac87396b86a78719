"""Two files of one prompt: both orders are asked about, and what comes of it is a rater's choice."""

from __future__ import annotations

import json
import shutil

import pytest

from runner.app import run


@pytest.fixture
def choices(out):
    def read():
        path = out / "ratings.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    return read


def number(file) -> int:
    return int(file["run"].split("/")[1])


def test_a_judge_compares_models_in_both_orders_and_rank_recovers_which_is_better(
    out, judge, choices, emulator, capsys
):
    pytest.importorskip("choix")
    assert judge(pairs="model") == 0

    assert emulator.ledger()["chats"] == 4
    assert [(number(each["left"]), number(each["right"]), each["outcome"]) for each in choices()] == [
        *((0, 2, "left"), (2, 0, "right"), (1, 3, "left"), (3, 1, "right"))
    ]
    assert {(each["rater"], each["by"]) for each in choices()} == {("judge:gpt-5.4-mini", "model")}
    capsys.readouterr()
    assert run(["rank", "out", "--json"]) == 0
    board = json.loads(capsys.readouterr().out)
    assert [(row["thing"], row["wins"]) for row in board["rows"]] == [("gpt-image-1.5", 4), ("gpt-image-1-mini", 0)]
    assert board["raters"] == ["judge:gpt-5.4-mini"]


def test_choices_are_written_once_and_survive_another_name_of_the_sweep(out, judge, choices, emulator, configured):
    assert judge(pairs="model") == 0
    before = choices()
    assert judge(pairs="model") == 0
    assert choices() == before
    assert emulator.ledger()["chats"] == 4


def test_who_prefers_what_is_shown_first_decides_nothing(out, judge, choices):
    shutil.copyfile(out / "0" / "image-0.png", out / "2" / "image-0.png")
    assert judge(pairs="model", max_pairs=2) == 0

    assert [each["outcome"] for each in choices() if {number(each["left"]), number(each["right"])} == {0, 2}] == [
        *("left", "left")
    ]


def test_any_two_files_of_one_prompt_and_no_more_than_are_wanted(judge, choices, capsys):
    assert judge(pairs="file", max_pairs=1) == 0

    assert len(choices()) == 2
    assert {number(choices()[0]["left"]), number(choices()[0]["right"])} in ({0, 2}, {1, 3})
    assert "1 more pairs are left out: judge.max_pairs=2" in capsys.readouterr().err


def test_people_s_choices_are_ranked_without_a_judge_s(out, judge, choices, capsys):
    assert judge(pairs="model") == 0
    mine = {**choices()[0], "id": "mine", "rater": "ann", "outcome": "right"}
    with (out / "ratings.jsonl").open("a") as file:
        file.write(f"{json.dumps(mine)}\n")
    capsys.readouterr()

    for flags, raters, games in (
        ([], ["ann", "judge:gpt-5.4-mini"], 5),
        (["--people"], ["ann"], 1),
        (["--rater", "judge:gpt-5.4-mini"], ["judge:gpt-5.4-mini"], 4),
    ):
        assert run(["rank", "out", "--json", *flags]) == 0
        board = json.loads(capsys.readouterr().out)
        assert (board["raters"], board["games"]) == (raters, games)
    assert run(["rank", "out", "--rater", "anne"]) == 2
    assert "did you mean --rater ann?" in capsys.readouterr().err
