"""`score DIR metrics=[judge]`: what is asked, what is kept of it, and that nothing is paid twice."""

from __future__ import annotations

import csv

import pytest

from runner import load_sweep


def asked(emulator) -> int:
    return emulator.ledger()["chats"]


def test_a_judge_scores_each_file_and_its_scores_are_columns_as_those_of_other_metrics(
    out, score, scores, votes, emulator, read, capsys
):
    assert score() == 0

    assert asked(emulator) == 4
    told = {vote["files"][0]["run"].split("/")[1]: vote["verdict"] for vote in votes()}
    assert scores("judge") == {run: verdict["scores"]["overall"] for run, verdict in told.items()}
    assert scores("judge_beauty") == {run: verdict["scores"]["beauty"] for run, verdict in told.items()}
    assert all(verdict["reasons"]["prompt"] for verdict in told.values())
    with (out / "results.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["metrics.judge"]) for row in rows] == [scores("judge")[str(number)] for number in range(4)]
    assert [found.scores["judge_anatomy"] for found in load_sweep(out)] == [*scores("judge_anatomy").values()]
    cells = read(out / "index.html")["cells"]
    assert [cell["media"][0]["scores"]["judge"] for cell in cells] == [*scores("judge").values()]
    assert "4 of 4 answered: 4 now" in capsys.readouterr().out


def test_what_was_answered_is_never_asked_again(score, emulator, capsys):
    assert score() == 0
    capsys.readouterr()
    assert score() == 0

    assert asked(emulator) == 4
    assert "4 of 4 answered: 0 now, 4 before" in capsys.readouterr().out
    assert score("judge.votes=2") == 0
    assert asked(emulator) == 8, "the second votes alone are new"


@pytest.mark.parametrize(
    "change", ["judge.model=gpt-5.4", "judge.temperature=0.5", "judge.rubric=[{name: hands, question: Five fingers?}]"]
)
def test_another_model_rubric_or_temperature_is_another_question(score, emulator, change):
    assert score() == 0
    assert score(change) == 0
    assert asked(emulator) == 8
