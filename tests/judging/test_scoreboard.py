"""Who is preferred, by simulated raters whose preferences are known, and by a file that the page's own fit shares."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import pytest

from runner.judging.judgements import Judgements, preferences
from runner.judging.ratings_file import AnyRecord, checked_record, read_ratings
from runner.judging.scoreboard import JudgedRun, Scoreboard, scoreboard, strengths

DATA = Path(__file__).parents[1] / "data" / "scoreboard"
"""Records with what follows from them; tests of the page read them, too."""

PLANTED = (1.0, 0.4, -0.2, -1.2)
FILE = "video.mp4"


def chance(one: float, other: float) -> float:
    return 1 / (1 + math.exp(other - one))


def games(seed: int, each: int) -> list[tuple[int, int, float]]:
    """What a rater with the planted preferences chooses, of every two `each` times."""
    luck = random.Random(seed)
    return [
        (one, other, float(luck.random() < chance(PLANTED[one], PLANTED[other])))
        for one, other in combinations(range(len(PLANTED)), 2)
        for _ in range(each)
    ]


def test_the_planted_order_is_recovered_and_intervals_cover_the_planted_strengths() -> None:
    ordered, covered = 0, [0] * len(PLANTED)
    for seed in range(100):
        found = strengths(len(PLANTED), games(seed, 50), seed=seed, samples=300)
        ordered += [each.value for each in found] == sorted((each.value for each in found), reverse=True)
        for place, each in enumerate(found):
            covered[place] += each.low <= PLANTED[place] <= each.high
    assert ordered >= 95
    assert min(covered) >= 90


def test_the_same_games_and_seed_give_the_same_intervals() -> None:
    given = games(0, 10)
    assert strengths(4, given, seed=3, samples=50) == strengths(4, given, seed=3, samples=50)
    assert strengths(4, given, seed=3, samples=50) != strengths(4, given, seed=4, samples=50)


def test_one_who_wins_always_is_strong_and_not_infinitely_so() -> None:
    first, second = strengths(2, [(0, 1, 1.0)] * 10)
    assert first.value == pytest.approx(math.log(10.5 / 0.5) / 2, abs=1e-6)
    assert first.value == pytest.approx(-second.value)


def test_a_tie_is_half_a_win_of_both() -> None:
    assert [each.value for each in strengths(2, [(0, 1, 0.5)] * 4)] == pytest.approx([0, 0])
    with_ties = strengths(2, [(0, 1, 1.0), (0, 1, 0.5), (0, 1, 0.5)])
    assert with_ties[0].value == pytest.approx(math.log(2.5 / 1.5) / 2, abs=1e-6)


@pytest.fixture(scope="module")
def shared() -> tuple[Scoreboard, dict]:
    expected = json.loads((DATA / "expected.json").read_text())
    runs = [JudgedRun(each["key"], each["thing"], each["prompt"], tuple(each["files"])) for each in expected["runs"]]
    return scoreboard(runs, Judgements(read_ratings({DATA: ()}).records)), expected


def test_what_the_page_shares_is_as_expected(shared: tuple[Scoreboard, dict]) -> None:
    board, expected = shared
    assert [row.thing for row in board.rows] == [*expected["things"]]
    for row in board.rows:
        wanted = expected["things"][row.thing]
        assert row.strength is not None
        assert row.strength.value == pytest.approx(wanted.pop("strength"), abs=1e-5)
        assert row.strength.low < row.strength.value < row.strength.high
        assert {name: getattr(row, name) for name in wanted} == wanted
    names = ("games", "both_bad", "within", "strange")
    assert {name: getattr(board, name) for name in names} == {name: expected[name] for name in names}
    assert (board.rating_alpha, board.pair_alpha) == pytest.approx((expected["rating_alpha"], expected["pair_alpha"]))
    assert {each.prompt: [*each.things] for each in board.winners} == expected["winners"]


MADE = {"version": 1, "at": "2026-11-23T09:30:00Z"}


def rating(run: str, *, rater: str = "ann", **facts: object) -> AnyRecord:
    made = {**MADE, "kind": "rating", "id": f"{run}-{rater}-{facts}"[:64], "rater": rater}
    return checked_record({**made, "run": run, "file": FILE, **facts})


def pairs(left: str, right: str, outcomes: Sequence[str]) -> list[AnyRecord]:
    sides = {"left": {"run": left, "file": FILE}, "right": {"run": right, "file": FILE}}
    made = {**MADE, "kind": "pair", **sides}
    return [
        checked_record({**made, "id": f"{left}-{right}-{n}", "rater": f"r{n}", "outcome": outcome})
        for n, outcome in enumerate(outcomes)
    ]


def runs(**things: str) -> list[JudgedRun]:
    return [JudgedRun(key, thing, "a fox", (FILE,), usd=0.5, seconds=10.0) for key, thing in things.items()]


def test_money_and_time_are_told_for_each_kept_file() -> None:
    own = [*runs(a="m", b="m", c="other"), JudgedRun("failed", "m", "a fox", (), usd=0.25, seconds=2.0)]
    first, second = scoreboard(own, Judgements([rating("a", star=True), rating("b", rating=2)])).rows
    assert (first.thing, first.files, first.kept) == ("m", 2, 1)
    assert (first.usd_per_kept, first.seconds_per_kept) == (1.25, 22.0)
    assert (second.kept, second.usd_per_kept, second.seconds_per_kept) == (0, None, None)


def test_things_that_were_never_compared_are_said_to_be() -> None:
    records = [*pairs("a", "b", ["left", "right"]), *pairs("c", "d", ["left", "left", "right"])]
    board = scoreboard(runs(a="A", b="B", c="C", d="D", e="E"), Judgements(records))
    assert [row.thing for row in board.rows if row.strength is None] == ["E"]
    assert all(math.isfinite(row.strength.value) for row in board.rows if row.strength)
    (remark,) = board.remarks
    assert remark.startswith("never compared with each other: A, B | C, D")


def test_who_won_all_is_said_to_have() -> None:
    board = scoreboard(runs(a="A", b="B"), Judgements(pairs("a", "b", ["left", "left"])))
    assert [remark.split(":")[0] for remark in board.remarks] == [
        "A won all of its 2 games",
        "B lost all of its 2 games",
    ]


def test_both_bad_is_told_and_nobody_s_game() -> None:
    board = scoreboard(runs(a="A", b="B"), Judgements(pairs("a", "b", ["both_bad", "left"])))
    assert [(row.wins, row.losses, row.both_bad) for row in board.rows] == [(1, 0, 1), (0, 1, 1)]
    assert (board.games, board.both_bad) == (1, 1)


def test_a_prompt_is_won_by_pairs_then_by_ratings_and_never_by_what_is_rejected() -> None:
    own = runs(a="A", b="B", c="C")
    won = pairs("a", "b", ["left", "left", "right"])
    rated = [rating("c", rating=5), rating("b", rating=1)]

    def things(*records: AnyRecord) -> tuple[str, ...]:
        (winner,) = scoreboard(own, Judgements(records)).winners
        return winner.things

    assert things() == ()
    assert things(*rated) == ("C",)
    assert things(*won, *rated) == ("A",)
    assert things(*won, *rated, rating("a", reject=True)) == ("C",)
    assert things(rating("a", star=True), rating("b", star=True)) == ("A", "B")


def test_most_votes_make_a_preference() -> None:
    records = [*pairs("a", "b", ["left", "right", "left", "tie"]), *pairs("c", "a", ["left", "right"])]
    texts = {(run, FILE): "a fox" for run in "abc"}
    (found,) = preferences(Judgements(records), texts)
    assert (found.prompt, found.chosen, found.rejected) == ("a fox", ("a", FILE), ("b", FILE))
    assert (found.chosen_votes, found.rejected_votes) == (2, 1)
    assert not [*preferences(Judgements(records), texts | {("b", FILE): "another prompt"})]
