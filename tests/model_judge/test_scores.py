"""`score DIR metrics=[judge]`: what is asked, what is kept of it, and where it is shown."""

from __future__ import annotations

import csv
import json
import shutil

import pytest

from runner import load_sweep
from runner.app import run


def test_a_judge_scores_each_file_and_its_scores_are_columns_as_those_of_other_metrics(
    out, score, scores, votes, emulator, read, capsys
):
    assert score("judge.votes=2", "judge.temperature=1", "judge.seed=6") == 0

    assert emulator.ledger()["chats"] == 8
    assert {(vote["number"], vote["seed"], vote["temperature"]) for vote in votes()} == {(0, 6, 1), (1, 7, 1)}
    told = {number: [] for number in range(4)}
    for vote in votes():
        told[int(vote["files"][0]["run"].split("/")[1])].append(vote["verdict"]["scores"]["overall"])
    assert scores("judge") == {number: sum(values) / 2 for number, values in told.items()}
    assert any(len({*values}) == 2 for values in told.values()), "votes differ"
    assert all(
        {*vote["verdict"]["reasons"]} == {"prompt", "quality", "anatomy", "beauty", "overall"} for vote in votes()
    )
    with (out / "results.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["metrics.judge"]) for row in rows] == [scores("judge")[number] for number in range(4)]
    assert [found.scores["judge_anatomy"] for found in load_sweep(out)] == [*scores("judge_anatomy").values()]
    cells = read(out / "index.html")["cells"]
    assert [cell["media"][0]["scores"]["judge"] for cell in cells] == [*scores("judge").values()]
    assert "8 of 8 answered: 8 now" in capsys.readouterr().out


def test_what_is_better_is_scored_better(judge, scores):
    assert judge() == 0

    for metric in ("judge", "judge_quality", "judge_beauty"):
        assert max(scores(metric)[2], scores(metric)[3]) < min(scores(metric)[0], scores(metric)[1])


def test_what_was_answered_is_never_asked_again(judge, emulator, scores, out, capsys):
    assert judge() == 0
    before = (out / "scores.jsonl").read_text()
    capsys.readouterr()
    assert judge() == 0

    assert emulator.ledger()["chats"] == 4
    assert "4 of 4 answered: 0 now, 4 before" in capsys.readouterr().out
    assert (out / "scores.jsonl").read_text() == before
    assert judge(votes=2, max_tokens=5000, answer_form="text") == 0
    assert emulator.ledger()["chats"] == 8, "the second votes alone are new"


def test_the_same_file_in_several_sweeps_is_asked_about_once(out, judge, emulator, scores):
    shutil.copytree(out, out.with_name("twin"))
    assert judge(sweeps=("out", "twin")) == 0

    assert emulator.ledger()["chats"] == 4
    twin = [json.loads(line) for line in (out.with_name("twin") / "scores.jsonl").read_text().splitlines()]
    assert [line["value"] for line in twin if line["metric"] == "judge"] == [*scores("judge").values()]
    assert judge(sweeps=("twin",)) == 0
    assert emulator.ledger()["chats"] == 4, "both sweeps keep the answers"


def test_another_model_rubric_or_temperature_is_another_question(judge, emulator, scores, votes):
    changes = ({"model": "gpt-5.4"}, {"temperature": 0.5}, {"rubric": [{"name": "hands", "question": "Five fingers?"}]})
    for number, change in enumerate(({}, *changes), 1):
        assert judge(**change) == 0
        assert emulator.ledger()["chats"] == 4 * number
    assert {*scores("judge_hands")} == {0, 1, 2, 3}
    assert judge() == 0
    assert emulator.ledger()["chats"] == 16
    assert scores("judge") == {
        int(v["files"][0]["run"].split("/")[1]): v["verdict"]["scores"]["overall"] for v in votes()[:4]
    }


def test_a_judge_is_asked_without_a_key_by_the_emulator(out, scores, monkeypatch, capsys):
    assert run(["score", "out", "metrics=[judge,brightness]", "provider.latency=0.05"]) == 0

    assert {*scores("judge")} == {*scores("brightness")} == {0, 1, 2, 3}
    told = capsys.readouterr()
    assert "the emulator judges by sharpness and colours alone" in told.err
    assert "emulated: free" in told.out


def test_emulated_scores_never_replace_those_that_were_paid(out, judge, capsys):
    assert judge() == 0
    paid = (out / "scores.jsonl").read_text()
    assert run(["score", "out", "metrics=[judge]", "provider.latency=0.05"]) == 0

    assert (out / "scores.jsonl").read_text() == paid
    assert "4 files keep the scores of a real judge" in capsys.readouterr().err


def test_the_key_is_in_no_file(out, judge, key):
    assert judge() == 0

    written = [path for path in out.rglob("*") if path.is_file()]
    assert any(path.name == "votes.sqlite3" for path in written)
    assert not [path for path in written if key.encode() in path.read_bytes()]


@pytest.mark.parametrize(
    "metrics", ["metrics=[judge]", "objective=metrics.judge_hands", "judge.votes=3", "judge=default"]
)
def test_a_sweep_that_asks_for_a_judge_is_told_to_do_so_afterwards(typed, here, metrics, capsys):
    assert typed("-m", "hydra.sweep.dir=out", "replica=0,1", metrics) == 2

    assert "python -m runner score DIR metrics=[judge]" in capsys.readouterr().err
    assert not (here / "out").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["metrics=[brightness]", "judge.votes=3"], "judge.votes=3 is read by metrics=[judge] alone"),
        (["--retry-failed"], "--retry-failed is read by metrics=[judge] alone"),
        (["metrics=[judge]", "judge.vote=3"], "judge.votes"),
        (["metrics=[judge]", "judge.votes=0"], "judge.votes: 0 is not allowed"),
        (
            ["metrics=[judge]", "judge.rubric=[{name: overall, question: Good?}]"],
            "overall of the rubric is asked in any case",
        ),
        (["metrics=[judge]", "provider=openai"], "OPENAI_API_KEY"),
        (["metrics=[judge]", f"judge.instructions='{'Be kind. ' * 50}'", "judge.votes=0"], "0 is not allowed"),
        (["metrics=[judge]", "judge.pairs=request.seed"], "do not differ in 'request.seed'"),
    ],
)
def test_what_is_wrong_is_refused_before_anything_is_sent(out, words, said, capsys):
    assert run(["score", "out", *words]) == 2

    assert said in capsys.readouterr().err
    assert not (out / "judge").exists()
