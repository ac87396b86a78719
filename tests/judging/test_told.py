"""What was judged is told by the tables of a sweep and by `load_sweep`."""

from __future__ import annotations

import csv
import datetime as dt
import json
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import runner
from runner.app import run
from runner.results.reading import sweeps_of

MOMENT = "2026-11-23T09:30:00.000Z"


@pytest.fixture
def judged(typed: Callable[..., int], here: Path) -> Path:
    """A sweep of three runs: the first is kept, the second rejected by one, of the third nobody thinks anything."""
    assert typed("-m", "hydra.sweep.dir=out", "request.duration_seconds=4,8,12") == 0
    (sweep,) = sweeps_of([Path("out")]).sweeps
    keys = sweep.run_keys()

    def rating(number: int, rater: str, **facts: Any) -> str:
        made = {"version": 1, "kind": "rating", "id": uuid.uuid4().hex, "at": MOMENT, "rater": rater}
        return json.dumps({**made, "run": keys[number], "file": "video.mp4", **facts})

    lines = [
        rating(0, "ann", rating=5, tags=["hands"], note="good"),
        rating(0, "bob", rating=4),
        rating(1, "ann", rating=2, star=True),
        rating(1, "bob", reject=True),
    ]
    (here / "out" / "ratings.jsonl").write_text("\n".join(lines))
    return here / "out"


COLUMNS = ("rating_mean", "ratings", "star", "kept")


def test_report_adds_what_was_judged_to_the_tables(judged: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (judged / "results.csv").open(newline="") as file:
        assert not {*COLUMNS} & {*next(csv.reader(file))}
    assert run(["report", "out"]) == 0
    assert capsys.readouterr().err == ""
    with (judged / "results.csv").open(newline="") as file:
        rows = [[row[name] for name in COLUMNS] for row in csv.DictReader(file)]
    assert rows == [["4.5", "2", "False", "True"], ["2.0", "1", "True", "False"], ["", "0", "False", "False"]]
    lines = [json.loads(line) for line in (judged / "results.jsonl").read_text().splitlines()]
    assert [line["rating_mean"] for line in lines] == [4.5, 2.0, None]


def test_the_parquet_file_has_their_types(judged: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="pip install 'mediarunner[parquet]'")
    assert run(["report", "out"]) == 0
    table = parquet.read_table(judged / "results.parquet")
    kinds = {name: str(table.schema.field(name).type) for name in COLUMNS}
    assert kinds == {"rating_mean": "double", "ratings": "int64", "star": "bool", "kept": "bool"}


def test_load_sweep_has_each_persons_word_on_each_file(judged: Path) -> None:
    sweep = runner.load_sweep("out")
    first = sweep.ratings[0]
    assert isinstance(first, runner.FileRating)
    assert (first.run, first.file, first.rater, first.rating) == (sweep[0], judged / "0" / "video.mp4", "ann", 5)
    assert (first.tags, first.note, first.star, first.reject) == (("hands",), "good", False, False)
    assert first.at == dt.datetime(2026, 11, 23, 9, 30, tzinfo=dt.UTC)
    assert [(each.run.number, each.rater) for each in sweep.ratings] == [(0, "ann"), (0, "bob"), (1, "ann"), (1, "bob")]
    assert [each.kept for each in sweep] == [(judged / "0" / "video.mp4",), (), ()]
    assert [each.rating_mean for each in sweep] == [4.5, 2.0, None]
    assert sweep.to_pandas()["kept"].tolist() == [True, False, False]


def test_a_sweep_of_another_name_and_one_of_its_runs_keep_them(judged: Path) -> None:
    assert [each.rating for each in runner.load_sweep("out/0").ratings] == [5, 4]
    judged.rename(judged.with_name("the best"))
    assert [each.rating for each in runner.load_sweep("the best").ratings] == [5, 4, 2, None]


def test_without_judgements_nothing_is_told(typed: Callable[..., int], here: Path) -> None:
    assert typed("-m", "hydra.sweep.dir=out", "request.duration_seconds=4,8") == 0
    sweep = runner.load_sweep("out")
    assert (sweep.ratings, sweep[0].kept, sweep[0].rating_mean) == ((), (), None)
    assert run(["report", "out"]) == 0
    assert "kept" not in (here / "out" / "results.csv").read_text()


def test_without_choix_all_but_strengths_is_told(
    judged: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (sweep,) = sweeps_of([judged]).sweeps
    sides = {side: {"run": sweep.run_keys()[place], "file": "video.mp4"} for side, place in (("left", 0), ("right", 1))}
    choice = {"version": 1, "kind": "pair", "id": "1", "at": MOMENT, "rater": "ann", **sides, "outcome": "left"}
    with (judged / "ratings.jsonl").open("a") as file:
        file.write(f"\n{json.dumps(choice)}\n")
    monkeypatch.setitem(sys.modules, "choix", None)
    assert run(["rank", "out", "--by", "duration_seconds"]) == 0
    said = capsys.readouterr().out
    assert "strengths need choix: pip install 'mediarunner[rank]'" in said
    assert [line.split()[:4] for line in said.splitlines() if line.startswith(("4 ", "8 "))] == [
        ["4", "–", "–", "1"],
        ["8", "–", "–", "0"],
    ]


def test_the_winners_are_priced_and_agreed_to_before_they_are_made_again(
    judged: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {*Path().rglob("*")}
    assert run(["repeat", "--winners", "out", "request.duration_seconds=12", "budget.confirm_above_usd=0"]) == 2
    assert "this run would cost $1.20 at list price" in capsys.readouterr().err
    assert {*Path().rglob("*")} == before
