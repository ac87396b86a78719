"""`score` as it is typed, and `metrics=` in a config: what is computed when, what is kept, and where it is shown."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from runner import load_sweep
from runner.app import run
from runner.metrics.scores import append_scores, read_scores

OWN = """
import os
from pathlib import Path

def size(path):
    return path.stat().st_size

def asked(path):
    with open("asked.txt", "a") as file:
        file.write("x")
    return 1

def keys(path):
    return sum("KEY" in name or "TOKEN" in name for name in os.environ)

def wrong(path):
    raise ValueError("no idea")

def endless(path):
    while True:
        pass

def killed(path):
    os.kill(os.getpid(), 9)
"""


@pytest.fixture
def own(here: Path) -> None:
    (here / "mine.py").write_text(OWN)


@pytest.fixture
def made(typed, here: Path) -> Path:
    """A sweep of two images."""
    assert typed("-m", *IMAGES, "hydra.sweep.dir=out", "request.prompt=a,b") == 0
    return here / "out"


IMAGES = ("request=image", "model=gpt-image-1-mini", "request.size=1024x1024", "request.quality=low")


def table(place: Path) -> list[dict[str, str]]:
    with (place / "results.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def lines(place: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (place / "scores.jsonl").read_text().splitlines()]


def test_a_score_is_a_column_and_on_the_page_and_in_load_sweep(made, capsys, read):
    before = {path: path.read_bytes() for path in made.rglob("*.png")}
    capsys.readouterr()

    assert run(["score", "out", "metrics=[sharpness,brightness]"]) == 0

    assert capsys.readouterr().out == "out/scores.jsonl  (2 files: 4 numbers computed, 0 known before)\n"
    found = {(line["run"], line["metric"]): line["value"] for line in lines(made)}
    cells = read(made / "index.html")["cells"]
    assert [cell["media"][0]["scores"] for cell in cells] == [
        {name: found[cell["key"], name] for name in ("sharpness", "brightness")} for cell in cells
    ]
    sharpness = [found[cell["key"], "sharpness"] for cell in cells]
    assert [float(row["metrics.sharpness"]) for row in table(made)] == sharpness
    assert [run.scores["sharpness"] for run in load_sweep(made)] == sharpness
    assert list(load_sweep(made).to_pandas()["metrics.sharpness"]) == sharpness
    assert {path: path.read_bytes() for path in made.rglob("*.png")} == before


def test_columns_of_metrics_are_numbers_in_parquet(made):
    parquet = pytest.importorskip("pyarrow.parquet")
    assert run(["score", "out", "metrics=[sharpness,motion]"]) == 0

    schema = parquet.read_schema(made / "results.parquet")
    assert str(schema.field("metrics.sharpness").type) == str(schema.field("metrics.motion").type) == "double"


def test_what_was_computed_is_not_computed_again(made, own):
    assert run(["score", "out", "metrics=[mine:asked]"]) == 0
    assert run(["score", "out", "metrics=[mine:asked,brightness]"]) == 0
    assert Path("asked.txt").read_text() == "xx"

    Path("mine.py").write_text(OWN.replace("return 1", "return 2"))
    assert run(["score", "out", "metrics=[mine:asked]"]) == 0
    assert Path("asked.txt").read_text() == "xxxx", "another text is another version"
    assert [row["metrics.mine:asked"] for row in table(made)] == ["2.0", "2.0"]


def test_a_file_of_the_same_content_is_not_measured_twice(typed, here, own):
    assert typed("-m", "hydra.sweep.dir=out", "replica=0,1,2") == 0
    assert run(["score", "out", "metrics=[mine:asked]"]) == 0

    assert Path("asked.txt").read_text() == "x", "this emulator makes one video of one size and length"
    assert [row["metrics.mine:asked"] for row in table(here / "out")] == ["1.0"] * 3


def test_a_renamed_sweep_keeps_its_scores(made):
    assert run(["score", "out", "metrics=brightness"]) == 0
    moved = made.rename(made.with_name("moved"))

    assert all(run.scores["brightness"] for run in load_sweep(moved))


def test_a_line_that_was_cut_short_costs_itself(made):
    assert run(["score", "out", "metrics=brightness"]) == 0
    with (made / "scores.jsonl").open("a") as file:
        file.write('{"version":1,"run":"out/0')

    assert run(["score", "out", "metrics=contrast"]) == 0
    assert {score.metric for score in read_scores(made)} == {"brightness", "contrast"}


def test_strange_lines_are_left_alone(made):
    assert run(["score", "out", "metrics=brightness"]) == 0
    (known, *_) = read_scores(made)
    strange = [
        {"version": 2, "metric": "x"},
        {**known.plain, "value": "much"},
        {**known.plain, "value": True},
        {**known.plain, "metric": 7},
        {"note": "mine"},
    ]
    before = (made / "scores.jsonl").read_text()
    with (made / "scores.jsonl").open("a") as file:
        file.writelines(f"{json.dumps(each)}\n" for each in strange)
    append_scores(made, [known])

    assert len(read_scores(made)) == 3
    assert (made / "scores.jsonl").read_text().startswith(before)


@pytest.mark.parametrize(
    ("typed_names", "said"),
    [
        ("metrics=[sharpnes]", "did you mean sharpness?"),
        ("metrics=[nonsense]", "or one of your own, as module:function"),
        ("metrics=[missing:function]", "No module named 'missing'"),
        ("metrics=[mine:missing]", "has no attribute 'missing'"),
    ],
)
def test_a_wrong_name_is_refused_before_anything_is_computed(made, own, capsys, typed_names, said):
    assert run(["score", "out", "metrics=brightness", typed_names]) == 2

    told = capsys.readouterr().err
    assert said in told
    assert "nothing was scored" in told
    assert not (made / "scores.jsonl").exists()


def test_a_sweep_with_a_wrong_metric_is_refused_before_anything_is_paid(typed, here, own, emulator, capsys):
    for wrong in ("metrics=[sharpnes]", "objective=metrics.sharpnes", "metrics=[mine:missing]"):
        assert typed("-m", "hydra.sweep.dir=out", "replica=0,1", wrong) == 2
        assert "nothing was sent or written" in capsys.readouterr().err
    assert not (here / "out").exists()


def test_a_metric_that_fails_is_a_warning(made, own, capsys):
    assert run(["score", "out", "metrics=[mine:wrong,brightness]"]) == 0

    told = capsys.readouterr().err
    assert "warning" in told
    assert "mine:wrong could not be computed of 2 files" in told
    assert "ValueError: no idea" in told
    assert {line["metric"] for line in lines(made)} == {"brightness"}


def test_a_damaged_file_is_a_warning(made, capsys):
    damaged = next(made.rglob("image*.png"))
    damaged.write_bytes(damaged.read_bytes()[:200])

    assert run(["score", "out", "metrics=[brightness]"]) == 0
    assert "cannot be opened as a picture" in capsys.readouterr().err
    assert len(lines(made)) == 1


def test_a_file_that_takes_too_long_is_a_warning(made, own, capsys):
    assert run(["score", "out", "metrics=[mine:endless]", "--seconds", "0.2"]) == 0
    assert "it took longer than 0.2 s" in capsys.readouterr().err


def test_what_kills_the_measuring_process_costs_one_files_numbers(made, own, capsys):
    assert run(["score", "out", "metrics=[mine:killed]"]) == 0
    assert "the process that measures ended" in capsys.readouterr().err
    assert run(["score", "out", "metrics=[brightness]"]) == 0
    assert len(lines(made)) == 2


@pytest.mark.usefixtures("real_children")
def test_the_measuring_process_knows_no_key(made, own, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    monkeypatch.setenv("HF_TOKEN", "hf-secret")

    assert run(["score", "out", "metrics=[mine:keys]"]) == 0
    assert [line["value"] for line in lines(made)] == [0, 0]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="signals are another thing elsewhere")
def test_an_interrupt_leaves_what_was_computed(made, own):
    Path("mine.py").write_text(
        OWN.replace("return 1", "return 1 if Path('asked.txt').stat().st_size < 2 else endless(path)")
    )
    command = [sys.executable, "-m", "runner", "score", "out", "metrics=[mine:asked]"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while not ((made / "scores.jsonl").exists() and Path("asked.txt").read_text() == "xx"):
            assert process.poll() is None, process.communicate()
        process.send_signal(signal.SIGINT)
        _, told = process.communicate()

    assert process.returncode == 130
    assert "what was computed is kept" in told
    assert len(lines(made)) == 1
    assert [row["metrics.mine:asked"] for row in table(made)].count("1.0") == 1


def test_metrics_of_a_config_are_computed_when_the_runs_are_done(typed, here, read):
    assert typed("-m", *IMAGES, "hydra.sweep.dir=out", "request.prompt=a,b", "metrics=[brightness,contrast]") == 0

    assert len(lines(here / "out")) == 4
    assert all(float(row["metrics.brightness"]) > 0 for row in table(here / "out"))
    assert all(cell["media"][0]["scores"]["contrast"] > 0 for cell in read(here / "out/index.html")["cells"])


def test_a_single_run_is_scored_beside_its_files(typed, here):
    assert typed("hydra.run.dir=one", *IMAGES, "metrics=brightness", "request.n=2") == 0

    assert sorted(line["file"] for line in lines(here / "one")) == ["image-0.png", "image-1.png"]
    (record,) = load_sweep(here / "one")
    assert set(record.file_scores) == {"image-0.png", "image-1.png"}


def test_no_metric_makes_a_run_fail(typed, here, own, capsys):
    assert typed("-m", *IMAGES, "hydra.sweep.dir=out", "request.prompt=a,b", "metrics=[mine:wrong]") == 0

    assert "mine:wrong could not be computed" in capsys.readouterr().err
    assert [row["status"] for row in table(here / "out")] == ["verified", "verified"]


def test_without_names_those_of_the_config_are_computed_again(typed, here, capsys):
    assert typed("-m", *IMAGES, "hydra.sweep.dir=out", "request.prompt=a,b", "metrics=[brightness]") == 0
    (here / "out/scores.jsonl").unlink()

    assert run(["score", "out"]) == 0
    assert {line["metric"] for line in lines(here / "out")} == {"brightness"}


def test_one_run_of_a_sweep_is_scored_into_its_sweep(made):
    assert run(["score", "out/1", "metrics=brightness"]) == 0

    assert [bool(row["metrics.brightness"]) for row in table(made)] == [False, True]
    assert load_sweep(made / "1")[0].scores["brightness"] > 0


def test_there_must_be_something_to_score(here, capsys):
    Path("empty").mkdir()
    assert run(["score", "empty"]) == 2
    assert run(["score", "metrics=brightness"]) == 2
    assert "score takes a directory" in capsys.readouterr().err


def test_scores_that_cannot_be_written_are_no_talk_of_jobs(made, capsys):
    (made / "scores.jsonl").mkdir()
    assert run(["score", "out", "metrics=[sharpness]"]) == 5
    told = " ".join(capsys.readouterr().err.split())
    assert "cannot write out/scores.jsonl" in told
    assert "and try again; runs and their files are not affected" in told
    assert "jobs" not in told
