"""`ratings.jsonl`: what is written stays, what cannot be read is left alone, each rater's last word counts."""

from __future__ import annotations

import json
import multiprocessing
import uuid
from pathlib import Path
from typing import Any

import pytest

from runner.errors import DiskError
from runner.judging.judgements import Judgements
from runner.judging.rating_log import Merged, RatingLog
from runner.judging.ratings_file import (
    NAME,
    AnyRecord,
    Pair,
    Rating,
    RatingsFile,
    checked_record,
    read_ratings,
    record_of,
)

RUN, OTHER = "09-30-00-x7k2/0/ab12cd34", "09-30-00-x7k2/1/ef56ab78"


def line(kind: str = "rating", *, at: int = 0, rater: str = "ann", **facts: Any) -> dict[str, Any]:
    about = {"run": RUN, "file": "image-1.png"} if kind == "rating" else {}
    made = {"id": uuid.uuid4().hex, "at": f"2026-11-23T09:30:{at:02}.000Z"}
    return {"version": 1, "kind": kind, **made, "rater": rater, **about, **facts}


def record(kind: str = "rating", **facts: Any) -> AnyRecord:
    return checked_record(line(kind, **facts))


def pair(outcome: str = "left", **facts: Any) -> AnyRecord:
    sides = {"left": {"run": RUN, "file": "a.png"}, "right": {"run": OTHER, "file": "a.png"}}
    return record("pair", outcome=outcome, **sides | facts)


def test_what_is_appended_is_read_as_it_was_written(tmp_path: Path) -> None:
    given = [record(rating=4, tags=["hands", "text"], star=True, note="“fine”\nand more"), pair("tie", by="model.name")]
    assert RatingsFile(tmp_path).append(given) == given
    assert read_ratings({tmp_path: ()}).records == tuple(given)
    first, second = [json.loads(text) for text in (tmp_path / NAME).read_text(encoding="ascii").splitlines()]
    assert first == {
        "version": 1, "kind": "rating", "id": given[0].id, "at": "2026-11-23T09:30:00.000Z", "rater": "ann", "run": RUN,
        "file": "image-1.png", "rating": 4, "tags": ["hands", "text"], "star": True, "reject": False,
        "note": "“fine”\nand more",
    }  # fmt: skip
    assert (second["left"], second["outcome"]) == ({"run": RUN, "file": "a.png"}, "tie")


def test_a_record_that_is_given_twice_is_written_once(tmp_path: Path) -> None:
    given = record(rating=4)
    assert RatingsFile(tmp_path).append([given, given]) == [given]
    assert RatingsFile(tmp_path).append([given]) == []
    assert len((tmp_path / NAME).read_text().splitlines()) == 1


def test_what_cannot_be_read_is_left_alone_and_counted(tmp_path: Path) -> None:
    known = line(rating=3, later="a key of a later version")
    strange = [line("song"), line(version=2), line(rating=9), line(star=True, reject=True), [1], "no JSON"]
    texts = [text if isinstance(text, str) else json.dumps(text) for text in [known, *strange]]
    cut = json.dumps(line(rating=1))[:-20]
    (tmp_path / NAME).write_text("\n".join([*texts, cut]))
    before = (tmp_path / NAME).read_bytes()
    found = read_ratings({tmp_path: ()})
    assert [each.id for each in found.records] == [known["id"]]
    assert "7 lines were left out of" in str(*found.problems)
    more = record(rating=5)
    RatingsFile(tmp_path).append([more])
    assert (tmp_path / NAME).read_bytes().startswith(before + b"\n")
    assert [each.id for each in read_ratings({tmp_path: ()}).records] == [known["id"], more.id]


def test_a_last_line_without_its_end_counts_where_it_is_whole(tmp_path: Path) -> None:
    first, second = line(rating=3), line(rating=4)
    (tmp_path / NAME).write_text(json.dumps(first))
    file = RatingsFile(tmp_path)
    assert [each.id for each in file.news()] == [first["id"]]
    assert file.append([record_of(second)])[0].id == second["id"]
    assert [each.id for each in read_ratings({tmp_path: ()}).records] == [first["id"], second["id"]]
    assert file.skipped == 0


def test_a_reader_hears_of_what_others_append(tmp_path: Path) -> None:
    reader, writer = RatingsFile(tmp_path), RatingsFile(tmp_path)
    assert reader.news() == []
    for each in (record(rating=1), record(rating=2)):
        writer.append([each])
        assert reader.news() == [each]
    (tmp_path / NAME).unlink()
    anew = record(rating=3)
    RatingsFile(tmp_path).append([anew])
    assert reader.news() == [anew]


def _append(directory: Path, name: str) -> None:
    for number in range(20):
        RatingsFile(directory).append([record(rater=name, note=f"{number} " + "long " * 2000)])


def test_several_processes_append_at_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_append, args=(tmp_path, name)) for name in ("ann", "bob")]
    for each in processes:
        each.start()
    _append(tmp_path, "cem")
    for each in processes:
        each.join()
    found = read_ratings({tmp_path: ()})
    assert not found.problems
    assert sorted((each.rater, int(each.note.split()[0])) for each in found.records) == [
        (name, number) for name in ("ann", "bob", "cem") for number in range(20)
    ]


def test_no_link_is_written_through(tmp_path: Path) -> None:
    target = tmp_path / "another"
    target.write_text("a user's file")
    (tmp_path / NAME).symlink_to(target)
    with pytest.raises(DiskError, match="cannot write"):
        RatingsFile(tmp_path).append([record(rating=4)])
    assert target.read_text() == "a user's file"


def test_names_that_are_no_text_survive(tmp_path: Path) -> None:
    given = record(run="09\udc80/0/ab12cd34", note="half \ud83d of a pair")
    RatingsFile(tmp_path).append([given])
    assert read_ratings({tmp_path: ()}).records == (given,)


def test_the_latest_word_of_each_rater_counts() -> None:
    given = [record(at=2, rating=5), record(at=1, rating=1), record(rater="bob", rating=2)]
    judgement = Judgements(given).of(RUN, "image-1.png")
    assert judgement.numbers == [2, 5]
    assert judgement.mean == 3.5
    assert not judgement.kept


def test_what_is_taken_back_does_not_count() -> None:
    first, second = record(at=1, rating=5), record(at=2, rating=1)
    undo = record("undo", at=3, of=second.id)
    assert Judgements([undo, second, first]).of(RUN, "image-1.png").mean == 5
    assert Judgements([first, second, undo, record("undo", at=4, of=undo.id)]).of(RUN, "image-1.png").mean == 1
    assert Judgements([first, record("undo", at=3, rater="bob", of=first.id)]).of(RUN, "image-1.png").mean == 5
    judged = pair()
    assert Judgements([judged]).pairs == [judged]
    assert Judgements([judged, record("undo", at=1, of=judged.id)]).pairs == []


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ([{"star": True}], True),
        ([{"rating": 4}], True),
        ([{"rating": 5}, {"rating": 2}], False),
        ([{"star": True, "rating": 1}], True),
        ([{"star": True}, {"reject": True}], False),
        ([{"tags": ["hands"]}], False),
        ([], False),
    ],
)
def test_a_file_is_kept_if_it_is_liked_and_nobody_rejects_it(given: list[dict[str, Any]], kept: bool) -> None:
    records = [record(rater=f"rater {number}", **facts) for number, facts in enumerate(given)]
    assert Judgements(records).of(RUN, "image-1.png").kept is kept


def test_what_is_said_of_a_run_is_about_its_main_file() -> None:
    judgements = Judgements([record(file="", star=True, at=1), record(file="b.png", rating=2)])
    assert [each.starred for each in judgements.of_run(RUN, ["a.png", "b.png"])] == [True, False]
    later = Judgements([record(file="", star=True, at=1), record(file="a.png", reject=True, at=2)])
    assert later.of(RUN, "a.png", main=True).rejected
    assert not later.of(RUN, "a.png", main=True).starred


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"rating": 6}, "rating: Input should be less than or equal to 5"),
        ({"rater": " "}, "rater: "),
        ({"rater": "a\nb"}, "rater: "),
        ({"at": "yesterday"}, "at: "),
        ({"at": "2026-11-23T09:30:00"}, "at: Input should have timezone info"),
        ({"note": "x" * 20_001}, "note: at most 20,000 characters"),
        ({"star": True, "reject": True}, "never both"),
        ({"kind": "song"}, "song"),
    ],
)
def test_a_wrong_record_is_refused_with_its_reason(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        checked_record(line() | wrong)


def test_a_directory_that_was_given_another_name_keeps_its_judgements(tmp_path: Path) -> None:
    rated, chosen, others = record(rating=5), pair(), pair(right={"run": "other/1/ef56ab78", "file": "a.png"})
    RatingsFile(tmp_path).append([rated, chosen, others])
    keys = [RUN.replace("09-30-00-x7k2", "kept"), OTHER.replace("09-30-00-x7k2", "kept")]
    found = read_ratings({tmp_path: keys}).records
    assert [each.run for each in found if isinstance(each, Rating)] == keys[:1]
    pairs = [(each.left.run, each.right.run) for each in found if isinstance(each, Pair)]
    assert pairs == [(keys[0], keys[1]), (RUN, "other/1/ef56ab78")]
    assert RatingsFile(tmp_path, keys).append([rated]) == []


def test_a_long_chain_of_undos_goes_where_what_it_ends_in_goes(tmp_path: Path) -> None:
    log = RatingLog()
    log.watch({RUN: [tmp_path]}, {tmp_path: [RUN]})
    chain = [record("undo", id=f"u{number}", of=f"u{number + 1}") for number in range(1500)]
    around = [record("undo", id="a", of="b"), record("undo", id="b", of="a"), record("undo", id="c", of="c")]
    lost = [record("undo", id="d", of="e"), record("undo", id="e", of="gone")]
    assert log.merge([*chain, record(id="u1500"), *around, *lost]) == Merged(taken=1501, known=0, strange=5)
    assert log.merge([record("undo", id="late", of="u7")]) == Merged(taken=1, known=0, strange=0)
    assert len((tmp_path / NAME).read_text().splitlines()) == 1502
