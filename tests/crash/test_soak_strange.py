"""Small sweeps against servers of odd manners, killed, damaged and resumed; and that their judge is a just one."""

from __future__ import annotations

import copy
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from soak_strange import Life, chosen
from strange_manners import ASPECTS, MANNERS, Paid, choose
from strange_oracle import Verdict, judge


@dataclass
class Sweep:
    """A sweep's directory and what its server was paid for."""

    directory: Path
    account: list[Paid]

    def verdict(self, *killed: int) -> Verdict:
        return judge(self.directory, self.account, killed)

    def record(self, number: int, **changes: object) -> None:
        """Change what a run says of itself."""
        path = self.directory / str(number) / "result.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    def lose(self, number: int, status: str) -> Paid:
        """Take a video away, and let its run say something else."""
        (self.directory / str(number) / "video.mp4").unlink()
        self.record(number, status=status, artifacts=[])
        return next(paid for paid in self.account if (paid.kind, paid.prompt) == ("video", f"harbour {number}"))


@pytest.fixture(scope="module")
def ended(tmp_path_factory, zygotes) -> Sweep:
    """Six runs, all of which ended well."""
    life = Life(1, 6, chosen("none", "none", "none", kills=False), tmp_path_factory.mktemp("soak"), zygotes)
    outcome = life.live()
    assert outcome.violations == []
    assert (outcome.verdict.on_disk, outcome.verdict.unsettled) == (6, [])
    return Sweep(life.sweep, life.server.account)


@pytest.fixture
def sweep(ended, tmp_path) -> Sweep:
    """The same, to be changed."""
    shutil.copytree(ended.directory, tmp_path / "sweep")
    return Sweep(tmp_path / "sweep", copy.deepcopy(ended.account))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_nothing_is_paid_twice_or_lost_whatever_is_killed_and_damaged(tmp_path, zygotes, seed):
    outcome = Life(seed, 12, chosen("all", "all", "all"), tmp_path, zygotes).live()
    print(outcome.line())
    assert outcome.violations == []


def test_the_judge_sees_what_was_paid_twice(sweep):
    sweep.account.append(sweep.account[0])
    assert "was paid 2 times" in sweep.verdict().twice[0]


def test_the_judge_sees_a_file_that_is_gone(sweep):
    path = sweep.directory / "0" / "video.mp4"
    path.unlink()
    verdict = sweep.verdict()
    assert len(verdict.lost) == 2  # the payment, and the record that still names it
    assert str(path) in verdict.lost[1]


def test_the_judge_sees_another_runs_file(sweep):
    one, other = (sweep.directory / str(number) / "video.mp4" for number in (0, 1))
    shutil.copy(other, one)
    sweep.record(0, artifacts=json.loads((other.parent / "result.json").read_text())["artifacts"])
    assert f"{one} is ('video', 'harbour 1'), not of 'harbour 0'" in " ".join(sweep.verdict().lost)


@pytest.mark.parametrize(
    ("status", "lost"),
    [("submitted", False), ("failed", True), ("expired", True), ("cancelled", True), ("uncertain", True)],
)
def test_a_finished_job_may_be_awaited_and_not_be_given_up(sweep, status, lost):
    sweep.lose(0, status)
    assert bool(sweep.verdict().lost) == lost
    assert bool(sweep.verdict().unsettled) != lost


@pytest.mark.parametrize(("kept_back", "killed"), [(True, ()), (False, (1,)), (False, ())])
def test_only_an_answer_that_never_came_may_leave_a_run_uncertain(sweep, kept_back, killed):
    sweep.lose(0, "uncertain").lost = kept_back
    verdict = sweep.verdict(*killed)
    assert (verdict.uncertain == 1) == (kept_back or bool(killed)) == (verdict.lost == [])


def test_an_answer_that_is_kept_unread_is_not_lost(sweep):
    paid = sweep.lose(0, "uncertain")
    (sweep.directory / "0" / "answer.json").write_text(json.dumps({"job": {"number": paid.id}}))
    assert (sweep.verdict().lost, len(sweep.verdict().unsettled)) == ([], 1)


def test_every_manner_is_legal(tmp_path):
    """What the server sends are files that players open, and answers that a client can take."""
    for aspect in ("video", "picture"):
        for name, (make, _) in MANNERS[aspect].items():
            path = tmp_path / name
            path.write_bytes(make(b"0123456789abcdef-0"))
            assert b"0123456789abcdef-0" in path.read_bytes()
    assert {aspect for aspects in ASPECTS.values() for aspect in aspects} == set(MANNERS)


def test_the_same_seed_draws_the_same_manners():
    pool = {aspect: list(known) for aspect, known in MANNERS.items()}
    assert choose("1 video a", pool) == choose("1 video a", pool)
    assert len({str(choose(f"{seed} video a", pool)) for seed in range(20)}) > 10
