"""`make soak SEED=… RUNS=…`: a sweep under every fault at once, killed at random, resumed to its end, and counted.

Each fault befalls every tenth request that it can befall, so that a request meets none only once in a while. At the end
every run is verified or says honestly why not, and the server's account holds no job that is nobody's and none that was
paid twice. Exits with 1, and says where to look, if that is not so.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]

from oracle import Books  # noqa: E402 - the paths come first
from witness import Moment, Phase, Request, Witness  # noqa: E402
from zygotes import KILLED, End, Zygotes  # noqa: E402

from runner.emulator.faults import FaultRule  # noqa: E402
from runner.emulator.settings import EmulatorSettings  # noqa: E402

PROBABILITY = 0.1
KILLS = 5
REPLICAS = 4
STILL = 2
"""After so many resumes that change nothing, nothing more can be done."""
MOST_RESUMES = 150
CONSENTS = 2
"""So often what failed or stayed uncertain is paid for again, knowingly, once nothing else can be done."""
SPEED = 100.0
"""How fast time passes for the runner: its waits are those of real life."""
TIME_SCALE = 1000.0
"""The same for the emulator, whose jobs take minutes."""
RESUME = ["resume", "sweep"]
CONSENT = [*RESUME, "--retry-failed", "--resubmit-uncertain"]

_LOST: tuple[dict[str, Any], ...] = (  # Any: a rule as in a fault file
    {"fault": "drop_before_commit"},
    {"fault": "drop_after_commit"},
    {"fault": "stalled"},
    {"fault": "html"},
)
_TROUBLE: tuple[dict[str, Any], ...] = (  # Any: as above
    {"fault": "rate_limit"},
    {"fault": "rate_limit", "retry_after": 300},
    {"fault": "status", "status": 500},
    {"fault": "status", "status": 502},
    {"fault": "status", "status": 503, "retry_after": 10},
    {"fault": "slow", "seconds": 20},
    {"fault": "unauthorized"},
)
_COMMITTED: tuple[dict[str, Any], ...] = (  # Any: as above
    {"fault": "stalled", "commit": True},
    {"fault": "html", "status": 200, "commit": True},
    *({"fault": "status", "status": status, "commit": True} for status in (500, 502, 503)),
)
FAULTS: dict[str, tuple[dict[str, Any], ...]] = {  # Any: as above
    "create": (
        *(*_LOST, *_TROUBLE, *_COMMITTED),
        *({"fault": name} for name in ("stuck", "moderation", "internal", "content_filter")),
        {"fault": "unknown_status", "word": "NOT_START"},
        {"fault": "unknown_status", "word": "succeeded", "when": "done"},
    ),
    "retrieve": (*_LOST, *_TROUBLE, {"fault": "unknown_status", "word": "thinking"}),
    "list": (*_LOST, *_TROUBLE),
    "content": (
        *(*_LOST, *_TROUBLE),
        *({"fault": name} for name in ("content_not_ready", "truncated", "corrupt", "wrong_length", "expired")),
        {"fault": "slow_body", "seconds": 50},
    ),
}


def rules(probability: float = PROBABILITY) -> list[FaultRule]:
    """Every fault, for each operation that it can befall."""
    return [
        FaultRule.model_validate({**fault, "match": {"operation": operation}, "probability": probability})
        for operation, faults in FAULTS.items()
        for fault in faults
    ]


@dataclass
class Figures:
    """What the soak proved, or did not."""

    runs: int
    seed: int
    seconds: float = 0
    kills: int = 0
    processes: int = 0
    jobs: int = 0
    usd: float = 0
    retried: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    double_payments: int = 0
    losses: int = 0
    violations: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """The figures for people."""
        yield f"soak: {self.runs} runs, seed {self.seed}, {PROBABILITY:.0%} of every fault, {self.seconds:.0f} s"
        yield f"kills survived   {self.kills} (and {self.processes} processes in all)"
        yield f"faults injected  {self.faults.total()}: {_listed(self.faults)}"
        yield f"runs             {_listed(self.statuses)}"
        yield f"reasons          {_listed(self.reasons)}"
        yield f"jobs             {self.jobs}, ${self.usd:.2f}; {self.retried} after recorded failures or consent"
        yield f"double payments  {self.double_payments}"
        yield f"losses           {self.losses}"
        yield from (f"VIOLATION: {each}" for each in self.violations)


class Soak:
    """One sweep's life."""

    def __init__(self, folder: Path, *, runs: int, seed: int, media: Path | None = None) -> None:
        self._home = folder / "home"
        self._home.mkdir(parents=True)
        self._chance = random.Random(seed)
        self._figures = Figures(runs, seed)
        self._emulator = Witness(
            EmulatorSettings(
                state_file=folder / "emulator.sqlite3",
                media_dir=media,
                latency=30,
                time_scale=TIME_SCALE,
                shared_clips=True,
                seed=seed,
            ),
            rules=rules(),
        )

    def run(self) -> Figures:
        """Live it to the end."""
        begun = time.monotonic()
        with Zygotes(1) as self._zygotes, self._emulator:
            self._until_nothing_changes(self._command())
            self._check()
            for _ in range(CONSENTS):
                self._until_nothing_changes(CONSENT)
            books = self._check(consent=True)
        self._count(books)
        self._figures.seconds = time.monotonic() - begun
        return self._figures

    def _until_nothing_changes(self, arguments: list[str]) -> None:
        still, before = 0, self._statuses()
        for _ in range(MOST_RESUMES):
            end = self._process(arguments)
            # A command that is killed before it planned anything is given again.
            arguments = RESUME if self._statuses() else arguments
            still = 0 if self._statuses() != before or end.code == KILLED else still + 1
            before = self._statuses()
            if end.code == 0 or still == STILL:
                return
        self._figures.violations.append(f"{MOST_RESUMES} resumes did not bring the sweep to an end")

    def _process(self, arguments: list[str]) -> End:
        killing = self._figures.kills < KILLS
        kill_at = None
        if killing and not self._figures.kills:
            # Somewhere in planning, before anything is sent; the other kills befall what is on its way.
            kill_at = self._chance.randrange(20, 4 * self._figures.runs)
        self._emulator.arm(self._moment() if killing and kill_at is None else None)
        end = self._zygotes.run(
            arguments,
            home=self._home,
            environment={"OPENAI_API_KEY": "sk-throw-away"},
            kill_at=kill_at,
            speed=SPEED,
            started=self._emulator.watch,
        )
        self._figures.processes += 1
        self._figures.kills += end.code == KILLED
        if end.code not in (KILLED, 0, 1, 2, 4) or "Traceback" in end.output or "internal error" in end.output:
            self._figures.violations.append(f"{arguments} ended with {end.code}:\n{end.output[-3000:]}")
        return end

    def _moment(self) -> Moment:
        request: Request = self._chance.choice(("paid", "paid", "poll", "content"))
        phase: Phase = self._chance.choice(("asked", "read", "committed", "half", "answered"))
        return Moment(request, phase, self._chance.randint(1, 12))

    def _command(self) -> list[str]:
        prompts = ",".join(f"harbour {number}" for number in range(self._figures.runs // REPLICAS))
        return [
            *("-m", "request=draft", f"request.prompt={prompts}", f"replica=range({REPLICAS})"),
            *("provider=openai", f"provider.base_url={self._emulator.base_url}", "provider.retired_models=off"),
            # Longer than the waits that the server asks for, beyond which runs are left to the next resume.
            *("provider.timeout=25", "provider.poll_interval=3", "provider.deadline_seconds=600"),
            "provider.max_concurrent_requests=16",
            *("hydra.sweep.dir=sweep", "progress=plain", "yes=true"),
        ]

    def _books(self, *, consent: bool = False) -> Books:
        return Books(self._home / "sweep", self._emulator.ledger(), consent=consent)

    def _statuses(self) -> dict[str, str]:
        return {str(place): result["status"] for place, result in self._books().results.items()}

    def _check(self, *, consent: bool = False) -> Books:
        books = self._books(consent=consent)
        when = "with consent" if consent else "without consent"
        self._figures.violations += [f"{when}: {violation}" for violation in books.violations()]
        self._figures.double_payments += len(books.double_payments())
        self._figures.losses += len(books.losses())
        if len(books.results) != self._figures.runs:
            self._figures.violations.append(f"{len(books.results)} of {self._figures.runs} runs are on record")
        for place, result in books.results.items():
            if result["status"] not in ("verified", "planned") and result["error"] is None:
                self._figures.violations.append(f"{place} is {result['status']} and does not say why")
        return books

    def _count(self, books: Books) -> None:
        figures = self._figures
        figures.statuses = books.statuses
        figures.reasons = Counter(
            result["error"]["code"] or result["error"]["type"]
            for result in books.results.values()
            if result["error"] is not None
        )
        figures.jobs, figures.usd = len(books.created), books.usd
        figures.retried = len(books.created) - len({result["job_id"] for result in books.results.values()} - {None})
        figures.faults = Counter(books.server["faults"])


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.most_common()) or "none"


def main() -> int:
    """Print the figures; 1 if the promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("--runs", type=int, default=200, help=f"a multiple of {REPLICAS}")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="soak-"))
    figures = Soak(folder, runs=options.runs, seed=options.seed).run()
    print("\n".join(figures.lines()))
    if figures.violations:
        print(f"look at {folder}/home/sweep, {folder}/home.output and {folder}/emulator.sqlite3")
        return 1
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
