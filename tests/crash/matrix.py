"""The crash matrix: a run is killed at one moment (or two), gone on with, and held against the server's account."""

from __future__ import annotations

import json
import os
import random
import urllib.request
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from oracle import Books
from witness import Moment, Witness
from zygotes import KILLED, End, Zygotes

from runner.emulator.settings import EmulatorSettings
from runner.ledger.ledger import Ledger, LedgerError

DONE, FAILED, REFUSED, UNFINISHED = 0, 1, 2, 4
ROUNDS = 4
"""So many times a killed run is resumed at most; one that is still unfinished then stays so."""
FULL = os.environ.get("CRASH_MATRIX") == "full"
"""Whether every moment is tried instead of a fixed sample."""
PARALLEL = 2
LATENCY = 0.04
"""Seconds that a job takes: long enough to be polled."""
KEY = "sk-throw-away"
SOURCE = "SOURCE"
"""Stands for a finished video's id in a scenario's arguments."""

Kill = int | Moment | None
"""The number of a moment of the process's own, a moment that the server sees, or none."""


@dataclass(frozen=True)
class Scenario:
    """A command line.

    Attributes:
        runs: how many runs it has.
        in_flight: how many paid requests can be on their way at once, and so uncertain after a kill.
        found_again: whether the server lists what it made, so that an answer that was lost can be found again.
        dialect: whose server it is, as the emulator names it.
        provider: the choice of it, without its address.
    """

    name: str
    arguments: tuple[str, ...]
    runs: int = 1
    in_flight: int = 1
    found_again: bool = True
    dialect: str = "plain"
    provider: tuple[str, ...] = ("provider=openai",)

    @property
    def directory(self) -> str:
        """Where it writes, below its home."""
        return "sweep" if self.runs > 1 else "run"


_BATCH = ("-m", "request.prompt=a harbour,a forest", "request.quality=low", "batch=true")
_TWO_AT_A_TIME = "provider.max_concurrent_requests=2"
_IMAGE = ("model=gpt-image-2", "request=image", "request.size=1024x1024")
_XAI_IMAGE = ("model=grok-imagine-image-2.0", "request=image", "request.resolution=1K")
SCENARIOS = (
    Scenario("video", ("request=draft",)),
    Scenario(
        "sweep",
        ("-m", "request=draft", "request.prompt=a harbour,a forest", "replica=0,1", _TWO_AT_A_TIME),
        runs=4,
        in_flight=2,
    ),
    Scenario("images", (*_IMAGE, "request.n=2"), found_again=False),
    Scenario("remix", ("request=draft", f"request.video={SOURCE}")),
    Scenario("sketches", (*_IMAGE, "request.partial_images=2"), found_again=False),
    Scenario(
        "batch",
        (*_BATCH, *_IMAGE),
        runs=2,
        in_flight=2,
        found_again=False,
    ),
    Scenario(
        "xai batch",
        (*_BATCH, *_XAI_IMAGE),
        runs=2,
        in_flight=2,
        found_again=False,
        dialect="xai",
        provider=("provider=xai", "provider.batches=true"),
    ),
)


@dataclass
class Story:
    """What became of one case.

    Attributes:
        reached: each run's status in the ledger when the process was killed.
        uncertain: runs that stayed uncertain.
        cut: runs of which only a part of the answer's images was on disk when the process died.
        wrong: what broke the promise; empty if nothing did.
    """

    name: str
    kills: int = 0
    reached: list[str] = field(default_factory=list)
    uncertain: int = 0
    cut: int = 0
    jobs: int = 0
    usd: float = 0
    wrong: list[str] = field(default_factory=list)


class Case:
    """One scenario with an emulator and a folder of its own; `kills` befall its processes one after the other."""

    def __init__(self, scenario: Scenario, kills: Sequence[Kill], folder: Path, media: Path, zygotes: Zygotes) -> None:
        self._scenario, self._kills, self._zygotes = scenario, list(kills), zygotes
        self._home = folder / "home"
        self._home.mkdir(parents=True)
        self.directory = self._home / scenario.directory
        self._witness = Witness(
            EmulatorSettings(
                state_file=folder / "emulator.sqlite3", media_dir=media, latency=LATENCY, dialect=scenario.dialect
            )
        )
        self._source: str | None = None
        self._consent = False
        self.story = Story(f"{scenario.name} killed at {', then '.join(map(str, kills)) or 'no moment'}")
        self.ends: list[End] = []

    def play(self) -> Story:
        """Run, be killed, resume, and be judged."""
        with self._witness:
            self._source = self._finished_video() if SOURCE in " ".join(self._scenario.arguments) else None
            self._first()
            self._resume()
            self._judge()
        return self.story

    def _first(self) -> None:
        end = self._process(self._command())
        self.story.reached = _statuses(self.directory)
        if end.code not in (KILLED, DONE):
            self._blame(f"the first process ended with {end.code}", end)

    def _resume(self) -> None:
        for _ in range(ROUNDS + len(self._kills)):
            end = self._process(["resume", self._scenario.directory])
            if end.code == REFUSED and not _statuses(self.directory) and not self._books().created:
                # Killed before anything was planned: there is nothing to resume, and the command may be given again.
                end = self._process(self._command())
            if end.code == DONE:
                return
            if end.code == UNFINISHED and set(_statuses(self.directory)) <= {"verified", "uncertain"}:
                self._settle()
                return
            if end.code == FAILED and _cut(self._books()):
                self._keep_what_came()
                return
            if end.code not in (KILLED, UNFINISHED):
                break
        self._blame(f"resuming ended with {end.code}", end)

    def _settle(self) -> None:
        """Uncertain runs are left alone until there is consent; with it, everything ends well."""
        before = self._books()
        self.story.uncertain = before.statuses["uncertain"]
        if self.story.uncertain > self._scenario.in_flight:
            self._wrong(f"{self.story.uncertain} runs are uncertain, of {self._scenario.in_flight} requests in flight")
        if self._scenario.found_again and before.statuses["uncertain"] and set(before.created) - set(before.claims):
            self._wrong("a job that the server lists was not found again")
        self._check(before)
        self._consent = True
        end = self._process(["resume", self._scenario.directory, "--resubmit-uncertain"])
        if end.code != DONE:
            self._blame(f"--resubmit-uncertain ended with {end.code}", end)

    def _keep_what_came(self) -> None:
        """What is whole of a cut answer is kept, the rest is said to be lost, and none of it is paid for again."""
        cut = _cut(self._books())
        self.story.cut = len(cut)
        if self.story.cut > self._scenario.in_flight:
            self._wrong(f"{self.story.cut} answers were cut, of {self._scenario.in_flight} requests in flight")
        for result in cut:
            kept = sum(artifact["path"].startswith("image-") for artifact in result["artifacts"])
            if not 0 < kept < result["config"]["request"]["n"]:
                self._wrong(f"{kept} images are kept of an answer that is said to be cut")
            if f"{kept} of" not in result["error"]["message"] or "lost" not in result["error"]["message"]:
                self._wrong(f"what is lost is not said: {result['error']['message']}")
        end = self._process(["resume", self._scenario.directory, "--retry-failed"])
        if end.code != FAILED:
            self._blame(f"--retry-failed ended with {end.code}", end)

    def _judge(self) -> None:
        books = self._books()
        self._check(books)
        if books.statuses != Counter(verified=self._scenario.runs - self.story.cut, failed=self.story.cut):
            self._wrong(f"the runs ended as {dict(books.statuses)}")
        if self._scenario.found_again and len(books.created) != self._scenario.runs:
            self._wrong(f"{self._scenario.runs} runs cost {len(books.created)} jobs")
        if len(books.server["image_requests"]) > self._scenario.runs + self.story.uncertain:
            self._wrong(f"{len(books.server['image_requests'])} image requests were paid")
        self.story.jobs, self.story.usd = len(books.created) + len(books.server["image_requests"]), books.usd
        end = self._process(["resume", self._scenario.directory])
        if end.code != (FAILED if self.story.cut else DONE) or self._books().server["usd"] != books.server["usd"]:
            self._blame("resuming what is finished did something", end)

    def _process(self, arguments: Sequence[str]) -> End:
        kill = self._kills.pop(0) if self._kills else None
        self._witness.arm(kill if isinstance(kill, Moment) else None)

        end = self._zygotes.run(
            arguments,
            home=self._home,
            environment={"OPENAI_API_KEY": KEY, "XAI_API_KEY": KEY},
            kill_at=kill if isinstance(kill, int) else None,
            started=self._witness.watch,
        )
        self.story.kills += end.code == KILLED
        self.ends.append(end)
        return end

    def _command(self) -> list[str]:
        return [
            *(argument.replace(SOURCE, self._source or "") for argument in self._scenario.arguments),
            *self._scenario.provider,
            *(f"provider.base_url={self._witness.base_url}", "provider.retired_models=off"),
            *("provider.poll_interval=0.02", "provider.max_poll_attempts=2000"),
            *("hydra.run.dir=run", "hydra.sweep.dir=sweep"),
        ]

    def _books(self) -> Books:
        strangers = frozenset({self._source} if self._source else ())
        return Books(self.directory, self._witness.ledger(), strangers, self._consent)

    def _check(self, books: Books) -> None:
        for violation in books.violations():
            self._wrong(violation)

    def _blame(self, what: str, end: End) -> None:
        self._wrong(f"{what} after {end.trail[-1:] or 'nothing'}:\n{end.output[-2000:]}")

    def _wrong(self, what: str) -> None:
        last = [end.trail[-1] for end in self.ends if end.code == KILLED and end.trail]
        self.story.wrong.append(f"{self.story.name} {last} in {self.directory}: {what}")

    def _finished_video(self) -> str:
        body = json.dumps({"prompt": "a harbour", "model": "sora-2", "seconds": "4", "size": "1280x720"}).encode()
        headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
        request = urllib.request.Request(f"{self._witness.base_url}/videos", body, headers)
        with urllib.request.urlopen(request) as answer:
            return str(json.load(answer)["id"])


class Matrix:
    """Plays cases, two at a time, each in a folder of its own."""

    def __init__(self, folder: Path, media: Path, zygotes: Zygotes) -> None:
        self._folder, self._media, self._zygotes = folder, media, zygotes
        self._count = 0

    def moments(self, scenario: Scenario, before: Sequence[Kill] = ()) -> int:
        """How many moments of its own a process has: the first, or the one that follows the kills `before`."""
        return len(self.trail(scenario, before))

    def trail(self, scenario: Scenario, before: Sequence[Kill] = ()) -> Sequence[str]:
        """What a process does at each of its moments."""
        case = self._case(scenario, before)
        story = case.play()
        assert not story.wrong, "\n".join(story.wrong)
        return case.ends[len(before)].trail

    def play(self, scenario: Scenario, kills: Sequence[Sequence[Kill]]) -> list[Story]:
        """One case for each sequence of kills."""
        cases = [self._case(scenario, each) for each in kills]
        with ThreadPoolExecutor(PARALLEL) as pool:
            return list(pool.map(Case.play, cases))

    def _case(self, scenario: Scenario, kills: Sequence[Kill]) -> Case:
        self._count += 1
        return Case(scenario, kills, self._folder / f"{scenario.name}-{self._count}", self._media, self._zygotes)


def sample(count: int, size: int | None, seed: int) -> list[int]:
    """`size` of the numbers 1 to `count`, spread evenly and chosen by `seed`; all of them if `size` is None."""
    if size is None or size >= count:
        return list(range(1, count + 1))
    chance = random.Random(seed)
    step = count / size
    return [1 + int(step * (number + chance.random())) for number in range(size)]


def summary(stories: Sequence[Story]) -> str:
    """The figures of many cases in one line."""
    reached = Counter(status for story in stories for status in story.reached)
    return (
        f"{len(stories)} cases, {sum(story.kills for story in stories)} kills survived, "
        f"{sum(story.jobs for story in stories)} paid requests, ${sum(story.usd for story in stories):.2f}, "
        f"{sum(story.uncertain for story in stories)} uncertain runs, "
        f"{sum(len(story.wrong) for story in stories)} violations; runs were killed as {dict(reached)}"
    )


def _statuses(directory: Path) -> list[str]:
    try:
        with Ledger(directory, readonly=True) as ledger:
            return [run.status.value for run in ledger.runs()]
    except LedgerError:
        return []


def _cut(books: Books) -> list[dict[str, Any]]:
    """The results of runs of whose answer a part is lost."""
    errors = ((result, result["error"]) for result in books.results.values() if result["status"] == "failed")
    return [result for result, error in errors if error and error["type"] == "IncompleteAnswerError"]
