"""`ratings import`, `rank` and `repeat --winners` as they are typed: what several people judged is decided."""

from __future__ import annotations

import json
import re
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import command_line
from tests.view.conftest import ENVIRONMENT, QUICK, typed

MOMENT = "2026-11-23T09:30:00.000Z"


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a sweep of two models and two prompts, without judgements."""
    here = tmp_path_factory.mktemp("rank")
    typed(
        "-m",
        "request=draft",
        "model=sora-2,sora-2-pro",
        "request.prompt=fox,owl",
        *QUICK,
        "hydra.sweep.dir=out",
        here=here,
    )
    return here


@pytest.fixture
def here(swept: Path) -> Path:
    for path in swept.glob("out/*ratings*"):
        path.unlink()
    return swept


def keys(here: Path) -> list[str]:
    """The runs' keys: sora-2 with the fox and the owl, then sora-2-pro."""
    typed("report", "out", "--output", "page.html", here=here)
    found = re.search(r'id="data">(.*?)</script>', (here / "page.html").read_text(), re.DOTALL)
    assert found is not None
    return [cell["key"] for cell in json.loads(found[1])["cells"]]


def made(kind: str, rater: str = "ann") -> dict[str, Any]:
    return {"version": 1, "kind": kind, "id": uuid.uuid4().hex, "at": MOMENT, "rater": rater}


def rating(run: str, *, rater: str = "ann", **facts: Any) -> dict[str, Any]:
    return {**made("rating", rater), "run": run, "file": "video.mp4", "rating": None, "tags": [], "star": False,
            "reject": False, "note": "", **facts}  # fmt: skip


def pair(left: str, right: str, outcome: str, *, rater: str = "ann") -> dict[str, Any]:
    sides = {"left": {"run": left, "file": "video.mp4"}, "right": {"run": right, "file": "video.mp4"}}
    return {**made("pair", rater), **sides, "outcome": outcome, "by": "model", "seed": 1}


def write(path: Path, *records: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(each) + "\n" for each in records))
    return path


def asked(*words: str, here: Path, code: int = 0) -> tuple[str, str]:
    done = command_line(words, here, ENVIRONMENT)
    assert done.returncode == code, (done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    return done.stdout, done.stderr


def ranked(*words: str, here: Path) -> dict[str, Any]:
    return json.loads(asked("rank", "out", "--json", *words, here=here)[0])


def test_exported_files_of_several_raters_are_merged_once(here: Path) -> None:
    runs = keys(here)
    ann = write(
        here / "ann.jsonl", rating(runs[0], rating=5), pair(runs[0], runs[2], "left"), rating("elsewhere/0/12345678")
    )
    wrong = made("undo", "bob")
    choice = pair(runs[0], runs[2], "right", rater="bob")
    bob = write(here / "bob.jsonl", {**wrong, "of": choice["id"]}, choice, {"kind": "song"})
    said, _ = asked("ratings", "import", ann.name, bob.name, "out", here=here)
    assert said.splitlines() == [
        "ann.jsonl: 2 taken, 1 of runs that are not here",
        "bob.jsonl: 2 taken, 1 lines left out",
        "python -m runner rank out shows who is ahead",
    ]
    said, _ = asked("ratings", "import", "ann.jsonl", "out", here=here)
    assert said == "ann.jsonl: 0 taken, 2 known already, 1 of runs that are not here\n"
    assert len((here / "out" / "ratings.jsonl").read_text().splitlines()) == 4
    assert ranked(here=here)["games"] == 1


def test_what_another_version_has_written_is_left_out_and_counted(here: Path) -> None:
    run = keys(here)[0]
    later = [{**rating(run, rating=5), "version": 2}, rating(run, rating=6)]
    (here / "out" / "ratings.jsonl").write_text("".join(json.dumps(each) + "\n" for each in later))
    write(here / "ann.jsonl", rating(run, rating=5), *later)
    said, warned = asked("ratings", "import", "ann.jsonl", "out", here=here)
    assert said.startswith("ann.jsonl: 1 taken, 2 lines left out, 1 of them of another version\n")
    assert "2 lines were left out of out/ratings.jsonl: cut short, of another version, or no judgement" in " ".join(
        warned.split()
    )


def test_notes_of_older_pages_are_taken_once_for_the_named_rater(here: Path) -> None:
    runs = keys(here)
    notes = [{"key": runs[1], "id": "0/1", "label": "owl", "star": True, "reject": False, "text": "good"}]
    old = {"version": 1, "title": "out", "exported_at": MOMENT, "notes": notes}
    (here / "notes.json").write_text(json.dumps(old, indent=2))
    for taken in ("1 taken", "0 taken, 1 known already"):
        said, _ = asked("ratings", "import", "notes.json", "out", "--rater", "bob", here=here)
        assert said.startswith(f"notes.json: {taken}")
    found = ranked(here=here)
    assert found["raters"] == ["bob"]
    assert [each["kept"] for each in found["winners"]] == [[], ["out/1/video.mp4"]]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["import", "gone.jsonl", "out"], "there is no file gone.jsonl"),
        (["import", "out"], "no file to import"),
        (["import", "out"], "out is a directory"),
        (
            ["import", "later.jsonl", "out"],
            "no judgements that this version of runner knows: 2 lines of another version",
        ),
        (["import", "page.html", "out"], "holds no judgements"),
        (["import", "ann.jsonl"], "outputs holds no sweep and no run"),
        (["export", "ann.jsonl"], "invalid choice"),
    ],
)
def test_what_cannot_be_imported_is_refused(here: Path, words: list[str], said: str) -> None:
    run = keys(here)[0]
    write(here / "ann.jsonl", rating(run, rating=5))
    write(here / "later.jsonl", *({**rating(run, rating=number), "version": 2} for number in (5, 6)), {"kind": "song"})
    assert said in asked("ratings", *words, here=here, code=2)[1]
    assert not (here / "out" / "ratings.jsonl").exists()


def judge(here: Path) -> list[str]:
    """The pro model wins for the fox and loses the owl, which nobody keeps."""
    runs = keys(here)
    choices = [
        pair(runs[0], runs[2], "right"),
        pair(runs[2], runs[0], "left", rater="bob"),
        pair(runs[1], runs[3], "left"),
    ]
    write(here / "out" / "ratings.jsonl", *choices, pair(runs[1], runs[3], "both_bad", rater="bob"),
          rating(runs[2], rating=5), rating(runs[2], rater="bob", rating=4), rating(runs[0], rating=2))  # fmt: skip
    return runs


def test_the_scoreboard_is_printed(here: Path) -> None:
    judge(here)
    said, problems = asked("rank", "out", here=here)
    assert problems == ""
    first = next(line for line in said.splitlines() if line.startswith("sora-2-pro"))
    assert first.split()[3:8] == ["2", "1", "0", "4.5", "1/2"]
    assert max(map(len, said.splitlines()[:5])) <= 100
    assert "by model · 2 raters (ann, bob) · 3 comparisons, 1 with both bad" in said
    assert "Krippendorff" in said
    assert [line.split() for line in said.splitlines() if line.endswith("video.mp4")] == [
        ["fox", "sora-2-pro", "out/2/video.mp4"],
        ["owl", "sora-2", "out/1/video.mp4"],
    ]


def test_the_scoreboard_is_told_to_programs(here: Path) -> None:
    judge(here)
    found = ranked(here=here)
    first, second = found["rows"]
    assert (first["thing"], first["wins"], first["both_bad"]) == ("sora-2-pro", 2, 1)
    assert first["strength"]["low"] <= first["strength"]["value"] <= first["strength"]["high"]
    assert first["strength"]["value"] == pytest.approx(-second["strength"]["value"])
    assert found["winners"][0] == {
        "prompt": "fox",
        "things": ["sora-2-pro"],
        "files": ["out/2/video.mp4"],
        "kept": ["out/2/video.mp4"],
    }
    assert found == ranked(here=here)


def test_any_parameter_can_be_ranked_by(here: Path) -> None:
    judge(here)
    by_prompt = ranked("--by", "prompt", here=here)
    assert (by_prompt["by"], by_prompt["games"], by_prompt["within"]) == ("request.prompt", 0, 4)
    assert [row["thing"] for row in by_prompt["rows"]] == ["fox", "owl"]
    _, said = asked("rank", "out", "--by", "promt", here=here, code=2)
    assert "did you mean --by request.prompt?" in said or "they differ in" in said


def test_nothing_judged_is_said(here: Path) -> None:
    assert "nothing is judged yet" in asked("rank", "out", here=here)[0]
    assert "holds no sweep" in asked("rank", "nowhere", here=here, code=2)[1]


def test_preferences_are_written_as_trainers_read_them(here: Path) -> None:
    judge(here)
    (here / "train").mkdir(exist_ok=True)
    said, _ = asked("rank", "out", "--preferences", "train/preferences.jsonl", here=here)
    assert said.endswith("train/preferences.jsonl: 2 preferences\n")
    lines = [json.loads(line) for line in (here / "train" / "preferences.jsonl").read_text().splitlines()]
    assert [(each["prompt"], each["chosen"], each["rejected"]) for each in lines] == [
        ("fox", "../out/2/video.mp4", "../out/0/video.mp4"),
        ("owl", "../out/1/video.mp4", "../out/3/video.mp4"),
    ]
    assert [(each["chosen_votes"], each["rejected_votes"]) for each in lines] == [(2, 0), (1, 0)]
    assert "no directory" in asked("rank", "out", "--preferences", "gone/p.jsonl", here=here, code=2)[1]


def test_the_winners_are_made_again_with_what_is_changed(here: Path) -> None:
    judge(here)
    said, _ = asked("repeat", "--winners", "out", "request.size=1280x720", "dry_run=true", here=here)
    assert "2 runs" in said
    asked("repeat", "--winners", "out", "request.size=1280x720", "hydra.sweep.dir=x", here=here, code=2)
    before = {*here.glob("outputs/multirun/*/*")}
    asked("repeat", "--winners", "out", "request.size=1280x720", here=here)
    (new,) = {*here.glob("outputs/multirun/*/*")} - before
    found = [json.loads((new / str(number) / "result.json").read_text()) for number in range(2)]
    assert [each["config"]["model"]["name"] for each in found] == ["sora-2-pro", "sora-2"]
    assert [(each["status"], each["artifacts"][0]["width"]) for each in found] == [("verified", 1280)] * 2
    assert (new / "results.csv").is_file()


def test_without_winners_nothing_is_repeated(here: Path) -> None:
    _, said = asked("repeat", "--winners", "out", here=here, code=2)
    assert "nothing is kept" in said
