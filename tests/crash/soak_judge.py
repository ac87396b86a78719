"""`make soak-judge SEEDS=… FIRST=…`: a judge under every fault at once, killed at random, asked again, and counted.

At the end the server's account holds no question twice, each answer that it was paid for is known here or said to be
lost, and what its user then asks for again by name is all answered. Exits with 1, and says where to look, if that is
not so.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1])]

from runner.app import run  # noqa: E402 - the paths come first
from runner.artifacts.run_status import RunStatus  # noqa: E402
from runner.emulator.faults import FaultRule  # noqa: E402
from runner.emulator.settings import EmulatorSettings  # noqa: E402
from runner.model_judge.vote import votes_of  # noqa: E402
from tests.emulator_thread import EmulatorThread  # noqa: E402
from tests.forking import Forked  # noqa: E402

VOTES = 5
FILES = 4
KILLS = 6
LONGEST = 4.0
"""Seconds after which a process is killed, at most."""

PROBABILITY = 0.12
FAULTS = (
    *(
        {"fault": name}
        for name in ("drop_before_commit", "drop_after_commit", "refusal", "prose", "fenced", "cut_answer")
    ),
    *({"fault": "rate_limit"}, {"fault": "rate_limit", "retry_after": 20}, {"fault": "slow", "seconds": 40}),
    *({"fault": "status", "status": status, "commit": commit} for status in (500, 502) for commit in (False, True)),
    {"fault": "html", "status": 200, "commit": True},
    {"fault": "content_filter"},
)
KNOWN = (RunStatus.VERIFIED, RunStatus.FAILED)


class Soak:
    """Judge one sweep again and again."""

    def __init__(self, place: Path, sweep: Path, seed: int) -> None:
        self.place = place
        self.random = random.Random(seed)
        shutil.copytree(sweep, place / "out")
        rules = [FaultRule.model_validate({**each, "probability": PROBABILITY}) for each in FAULTS]
        settings = EmulatorSettings(state_file=place / "state.sqlite3", time_scale=100.0, seed=seed)
        self.server = EmulatorThread(settings, rules=rules)
        self.kills = 0
        self.wrong: list[str] = []

    def run(self) -> Counter[str]:
        """Return how the votes stood before anything was asked for again by name; what is wrong is in `wrong`."""
        with self.server:
            for _ in range(KILLS):
                self.ask(kill=True)
            for _ in range(10):
                if self.ask() in (0, 4):
                    break
            votes = [*votes_of(self.place / "out").values()]
            self.count(votes)
            for _ in range(40):
                if self.ask("--retry-failed", "--resubmit-uncertain") == 0 and self.answered == FILES * VOTES:
                    break
            self.expect(self.answered == FILES * VOTES, f"only {self.answered} are answered in the end")
        return Counter(vote.status.value for vote in votes)

    @property
    def answered(self) -> int:
        return [vote.status for vote in votes_of(self.place / "out").values()].count(RunStatus.VERIFIED)

    def count(self, votes: list) -> None:
        paid = Counter(str(row["sha256"]) for row in self.server.ledger()["chat_requests"])
        twice = sum(each > 1 for each in paid.values())
        self.expect(twice == 0, f"{twice} questions were paid twice")
        known = sum(vote.status in KNOWN and vote.text is not None for vote in votes)
        lost = sum(vote.status.lost for vote in votes)
        self.expect(
            known <= len(paid) <= known + lost, f"{len(paid)} paid, {known} answers known, {lost} said to be lost"
        )
        self.expect(len(votes) == FILES * VOTES, f"{len(votes)} votes of {FILES * VOTES}")

    def ask(self, *flags: str, kill: bool = False) -> int:
        words = ["score", "out", "metrics=[judge]", f"judge.votes={VOTES}", "judge.seed=0", *flags]
        address = ["provider=openai", f"provider.base_url={self.server.base_url}", "provider.timeout=5"]
        environment = {**os.environ, "OPENAI_API_KEY": "an-emulated-key"}
        with (self.place / "said.txt").open("ab") as said:
            process = Forked("runner", [*words, *address], env=environment, cwd=self.place, stdout=said, stderr=said)
        try:
            return process.wait(self.random.uniform(0.2, LONGEST) if kill else 300)
        except subprocess.TimeoutExpired:
            process.kill()
            self.kills += 1
            return process.wait(60)

    def expect(self, holds: bool, otherwise: str) -> None:
        if not holds:
            self.wrong.append(f"{otherwise} (see {self.place})")


def made(place: Path) -> Path:
    """Make the sweep that is judged."""
    os.chdir(place)
    settings = EmulatorSettings(state_file=place / "made.sqlite3")
    with EmulatorThread(settings) as server:
        os.environ["OPENAI_API_KEY"] = "an-emulated-key"
        asked = ["request=image", "model=gpt-image-2", "request.size=1024x1024", "request.quality=low"]
        sweep = ["request.prompt=a fox,a whale,an owl,a fern", "hydra.sweep.dir=out", "progress=off"]
        assert run(["-m", *asked, *sweep, "provider=openai", f"provider.base_url={server.base_url}"]) == 0
    return place / "out"


def main() -> int:
    """Judge with several seeds, and print what came of each; returns 1 if anything was paid twice or forgotten."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first", type=int, default=0)
    parsed = parser.parse_args()
    place = Path(tempfile.mkdtemp(prefix="soak-judge-"))
    sweep, wrong = made(place), []
    for seed in range(parsed.first, parsed.first + parsed.seeds):
        soak = Soak(place / str(seed), sweep, seed)
        ended = ", ".join(f"{count} {status}" for status, count in sorted(soak.run().items()))
        print(
            f"seed {seed}: {soak.kills} kills; {ended}; {'wrong' if soak.wrong else 'none paid twice, none forgotten'}",
            flush=True,
        )
        wrong += soak.wrong
    print(*wrong, sep="\n")
    if not wrong:
        shutil.rmtree(place)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
