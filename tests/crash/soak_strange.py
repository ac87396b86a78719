"""`make soak-strange SEEDS=… RUNS=… FIRST=…`: small sweeps against servers of odd manners, killed, damaged and resumed.

Each seed is a sweep of its own, half of it videos, half images, with a server of some odd manners and some faults. The
process is killed at random; between two processes files are damaged, never both records of a run at once. Then the
server's account decides: nothing was paid twice, and what was paid is on disk, or its run says truly where it is.
Exits with 1 if that is not so, and keeps the directories of those seeds.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]

from damage import DAMAGES, Damage, is_json  # noqa: E402 - the paths come first
from strange_manners import MANNERS, SELDOM  # noqa: E402
from strange_oracle import Verdict, judge  # noqa: E402
from strange_server import FAULTS, KEY, StrangeServer  # noqa: E402
from witness import Moment, Phase, Request  # noqa: E402
from zygotes import KILLED, End, Zygotes  # noqa: E402

ROUNDS = 4
"""So many processes are killed or followed by damage; then the server is calm, and what is left is brought home."""
KILLED_MOSTLY = 0.8
"""How probable it is that a process is to be killed."""
CALM = 8
"""Resumes in which that must be done."""
STILL = 2
CONSENTING = 0.3
"""How probable it is that what is uncertain in the end is knowingly paid for again."""
SPEED = 30.0
"""How fast time passes for the runner."""
TIMEOUT = 120.0
"""Seconds, real ones, after which a process waits for ever."""
ODD = 5
"""Odd manners that one server has at most."""
PARALLEL = 2
RESUME = ("resume", "sweep")
EXPERIMENTS = {
    "videos": "# @package _global_\ndefaults: [{override /model: wan2.2-t2v}, {override /request: video}]\n"
    "request: {size: 64x64, duration_seconds: 1}\n",
    "images": "# @package _global_\ndefaults: [{override /model: qwen-image}, {override /request: image}]\n"
    "request: {size: 64x64, n: COUNT}\n",
}


@dataclass(frozen=True)
class Choice:
    """What seeds may draw from: names of manners (by aspect), of faults and of damages."""

    manners: dict[str, list[str]]
    faults: list[str]
    damages: list[str]
    kills: bool = True


@dataclass
class Outcome:
    """What one seed proved, or did not."""

    seed: int
    verdict: Verdict
    kills: int = 0
    processes: int = 0
    damages: list[str] = field(default_factory=list)
    befallen: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    stuck: str = ""
    """What the last process said if it refused to go on."""

    @property
    def violations(self) -> list[str]:
        verdict = self.verdict
        return [
            *(f"PAID TWICE: {each}" for each in verdict.twice),
            *(f"LOST: {each}" for each in verdict.lost),
            *self.wrong,
            *([f"REFUSED: {self.stuck}"] if self.stuck else ()),
        ]

    def line(self) -> str:
        """The seed in one line."""
        verdict = self.verdict
        return (
            f"seed {self.seed}: {verdict.runs} runs, {verdict.paid} paid, {verdict.finished} finished, "
            f"{verdict.on_disk} on disk, {verdict.uncertain} uncertain, {len(verdict.unsettled)} unsettled; "
            f"{self.kills} kills, {self.befallen.total()} faults, damage {', '.join(self.damages) or 'none'}; "
            f"{len(verdict.twice)} paid twice, {len(verdict.lost)} lost"
            + f", {len(self.wrong)} wrong"
            * bool(self.wrong)
        )


class Life:
    """One seed's sweep, from its first process to the verdict."""

    def __init__(self, seed: int, runs: int, choice: Choice, folder: Path, zygotes: Zygotes) -> None:
        self._seed, self._runs, self._choice, self._zygotes = seed, runs, choice, zygotes
        self._chance = random.Random(seed)
        self._home = folder / "home"
        self.sweep = self._home / "sweep"
        self._damage = Damage(self.sweep, folder / "copy", self._chance)
        self._killed: set[int] = set()
        self._mark_field = self._chance.choice(("null", "user", "metadata"))
        self._outcome = Outcome(seed, Verdict())
        self.server = StrangeServer(seed, pool=self._pool(), faults=self._faults(), seldom=SELDOM)

    def live(self) -> Outcome:
        """Be executed, killed, damaged and resumed; then be judged."""
        self._write_experiments()
        with self.server:
            self._resume(self._command())
            for _ in range(ROUNDS - 1 if self._choice.kills or self._choice.damages else 0):
                self._damage_something()
                self._resume(list(RESUME))
            self.server.faults = ()
            self._settle()
            self._outcome.verdict = self.verdict()
            if self._chance.random() < CONSENTING:
                self._consent()
        self._outcome.befallen = self.server.befallen
        self._outcome.wrong += [f"THE SERVER FAILED: {error}" for error in self.server.errors]
        # Of what was never begun, a ledger alone may have known.
        known = not any(name.startswith(("ledger", "wal")) for name in self._outcome.damages)
        if known and self._outcome.verdict.runs != self._runs:
            self._outcome.wrong.append(f"{self._outcome.verdict.runs} of {self._runs} runs are on record")
        return self._outcome

    def verdict(self) -> Verdict:
        """What the server's account says of the directory as it is now."""
        return judge(self.sweep, self.server.account, self._killed)

    def _pool(self) -> dict[str, list[str]]:
        odd = [(aspect, name) for aspect, names in self._choice.manners.items() for name in names]
        chosen = self._chance.sample(odd, min(ODD, len(odd)))
        return {aspect: [name for other, name in chosen if other == aspect] for aspect, _ in chosen}

    def _faults(self) -> list[str]:
        faults = self._choice.faults
        return self._chance.sample(faults, self._chance.randint(0, min(6, len(faults))))

    def _write_experiments(self) -> None:
        folder = self._home / "conf" / "experiment"
        folder.mkdir(parents=True)
        count = str(self._chance.choice((1, 1, 2)))
        for name, text in EXPERIMENTS.items():
            (folder / f"{name}.yaml").write_text(text.replace("COUNT", count))

    def _command(self) -> list[str]:
        prompts = ",".join(f"harbour {number}" for number in range(self._runs // len(EXPERIMENTS)))
        return [
            *("-m", "--config-dir", "conf", "+experiment=videos,images", f"request.prompt={prompts}"),
            *("provider=compatible", f"provider.base_url={self.server.base_url}", "provider.timeout=3000"),
            *("provider.api_key_env=SOAK_KEY", f"provider.mark_field={self._mark_field}"),
            *("provider.poll_interval=2", "provider.max_poll_attempts=30", "gallery=false"),
            *("hydra.sweep.dir=sweep", "progress=plain", "yes=true"),
        ]

    def _resume(self, arguments: list[str]) -> End:
        """Execute a process that may be killed; where it refuses, do what it says."""
        end = self._as_told(self._process(arguments, kill=self._kills()), kill=self._kills())
        if end.code in (0, 1, 3, 4):
            self._damage.mended()
        return end

    def _kills(self) -> bool:
        return self._choice.kills and self._chance.random() < KILLED_MOSTLY

    def _as_told(self, end: End, *, kill: bool = False) -> End:
        if end.code == 2 and "--rebuild" in end.output:
            return self._process([*RESUME, "--rebuild"], kill=kill)
        nothing = "holds no sweep and no run" in end.output and not self._results()
        if end.code == 2 and (nothing or "give the same command again" in end.output):
            return self._process(self._command(), kill=kill)
        return end

    def _settle(self) -> None:
        """Resume without faults, kills and damage until nothing changes any more."""
        still, before = 0, self._state()
        for _ in range(CALM):
            end = self._as_told(self._process(list(RESUME), kill=False))
            still = still + 1 if self._state() == before else 0
            before = self._state()
            self._outcome.stuck = end.output[-1500:] if end.code == 2 else ""
            if end.code == 0 or still == STILL:
                return

    def _consent(self) -> None:
        """Have what is uncertain paid for again, once: nothing else may be, but what was planned and never sent."""
        payable = {_work(result) for result in self._results() if result["status"] in ("uncertain", "planned")}
        before = len(self.server.account)
        self._process([*RESUME, "--resubmit-uncertain"], kill=False)
        for work, count in Counter((paid.kind, paid.prompt) for paid in self.server.account[before:]).items():
            if work not in payable or count > 1:
                self._outcome.wrong.append(f"PAID WITHOUT CONSENT: {work}, {count} times")

    def _damage_something(self) -> None:
        names = self._choice.damages
        if names and self._chance.random() < 0.6:
            name = self._chance.choice(names)
            if self._damage.do(name):
                self._outcome.damages.append(name)
        self._damage.copy()

    def _state(self) -> list[tuple[str, int]]:
        """How far the runs are: a record that only counts polls has not changed."""
        return [(result["status"], len(result["artifacts"])) for result in self._results()]

    def _results(self) -> list[dict[str, Any]]:  # Any: JSON values
        return [json.loads(path.read_bytes()) for path in sorted(self.sweep.rglob("result.json")) if is_json(path)]

    def _process(self, arguments: list[str], *, kill: bool) -> End:
        self.server.process += 1
        by_server = kill and self._chance.random() < 0.5
        self.server.arm(self._moment() if by_server else None)
        watchdog = _Watchdog()

        def begun(pid: int) -> None:
            self.server.watch(pid)
            watchdog.watch(pid)

        end = self._zygotes.run(
            arguments,
            home=self._home,
            environment={"SOAK_KEY": KEY},
            kill_at=self._chance.randrange(20, 12 * self._runs) if kill and not by_server else None,
            speed=SPEED,
            started=begun,
        )
        self.server.farewell()
        self._outcome.processes += 1
        if end.code == KILLED:
            self._killed.add(self.server.process)
        self._outcome.kills += end.code == KILLED and not watchdog.stop()
        watchdog.stop()
        if watchdog.bit:
            self._outcome.wrong.append(f"HUNG: {arguments[0]} did not end within {TIMEOUT:.0f} s")
        elif end.code not in (KILLED, 0, 1, 2, 3, 4) or "Traceback" in end.output or "internal error" in end.output:
            self._outcome.wrong.append(
                f"CRASHED: {' '.join(arguments[:2])} ended with {end.code}: {_worst(end.output)}"
            )
        return end

    def _moment(self) -> Moment:
        request: Request = self._chance.choice(("paid", "paid", "poll", "content"))
        phase: Phase = self._chance.choice(("asked", "read", "committed", "half", "answered"))
        return Moment(request, phase, self._chance.randint(1, self._runs // 2))


def _work(result: dict[str, Any]) -> tuple[str, str]:  # Any: JSON values
    request = result["config"]["request"]
    return request["kind"], request["prompt"]


def _worst(output: str) -> str:
    """What is most telling of what a process said."""
    lines = output.splitlines()
    errors = [line for line in lines if "internal error" in line] or lines[-15:]
    return "\n".join(dict.fromkeys(errors))[:2000]


class _Watchdog:
    """Kills a process that does not end."""

    def __init__(self) -> None:
        self.bit = False
        self._timer: threading.Timer | None = None

    def watch(self, pid: int) -> None:
        self._timer = threading.Timer(TIMEOUT, self._bite, [pid])
        self._timer.daemon = True
        self._timer.start()

    def stop(self) -> bool:
        """Whether it had to kill."""
        if self._timer is not None:
            self._timer.cancel()
        return self.bit

    def _bite(self, pid: int) -> None:
        self.bit = True
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def soak(
    seeds: Sequence[int], runs: int, choice: Choice, folder: Path, tell: Callable[[Outcome], object]
) -> list[Outcome]:
    """Live all seeds, `PARALLEL` at a time; the directories of those without a violation are removed."""

    def one(seed: int) -> Outcome:
        place = folder / f"seed-{seed}"
        outcome = Life(seed, runs, choice, place, zygotes).live()
        tell(outcome)
        if not outcome.violations:
            shutil.rmtree(place)
        return outcome

    with Zygotes(PARALLEL) as zygotes, ThreadPoolExecutor(PARALLEL) as pool:
        return list(pool.map(one, seeds))


def totals(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """The figures of all seeds for people."""
    verdicts = [outcome.verdict for outcome in outcomes]
    yield (
        f"{len(outcomes)} seeds, {sum(each.runs for each in verdicts)} runs, "
        f"{sum(each.processes for each in outcomes)} processes, {sum(each.kills for each in outcomes)} kills, "
        f"{sum((each.befallen for each in outcomes), Counter()).total()} faults, "
        f"{sum(len(each.damages) for each in outcomes)} times damaged"
    )
    statuses = sum((each.statuses for each in verdicts), Counter[str]())
    yield "runs ended as " + ", ".join(f"{name} {count}" for name, count in statuses.most_common())
    met = sum((each.met for each in verdicts), Counter[str]())
    yield f"odd manners met: {len(met)} of {sum(len(known) - 1 for known in MANNERS.values())}, {met.total()} times"
    yield (
        f"paid {sum(each.paid for each in verdicts)}, finished {sum(each.finished for each in verdicts)}, "
        f"on disk {sum(each.on_disk for each in verdicts)}, uncertain {sum(each.uncertain for each in verdicts)}, "
        f"unsettled {sum(len(each.unsettled) for each in verdicts)}, "
        f"reasons not told {sum(len(each.untold) for each in verdicts)}, "
        f"refused to go on {sum(bool(each.stuck) for each in outcomes)}"
    )
    yield f"paid twice: {sum(len(each.twice) for each in verdicts)}"
    yield f"lost: {sum(len(each.lost) for each in verdicts)}"
    yield f"other violations: {sum(len(each.wrong) for each in outcomes)}"


def chosen(manners: str, faults: str, damages: str, *, kills: bool = True) -> Choice:
    """What a command line names: all, none, or names between commas."""
    odd = {aspect: list(known)[1:] for aspect, known in MANNERS.items()}
    names = {name for known in odd.values() for name in known}
    wanted = _named(manners, names)
    befalling = _named(faults, {name for known in FAULTS.values() for name in known})
    return Choice(
        {aspect: [name for name in known if name in wanted] for aspect, known in odd.items()},
        sorted(befalling),
        sorted(_named(damages, set(DAMAGES))),
        kills,
    )


def _named(text: str, known: set[str]) -> set[str]:
    if text in ("all", "none"):
        return known if text == "all" else set()
    names = set(text.split(","))
    if names - known:
        sys.exit(f"unknown: {', '.join(sorted(names - known))}; known are {', '.join(sorted(known))}")
    return names


def main() -> int:
    """Print the figures; 1 if the promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=300)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--runs", type=int, default=20, help="an even number")
    parser.add_argument("--manners", default="all", help="all, none, or names between commas")
    parser.add_argument("--faults", default="all", help="the same")
    parser.add_argument("--damage", default="all", help="the same")
    parser.add_argument("--no-kills", action="store_true")
    parser.add_argument("--verbose", action="store_true", help="name what is unsettled, too")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="soak-strange-"))
    choice = chosen(options.manners, options.faults, options.damage, kills=not options.no_kills)

    def tell(outcome: Outcome) -> None:
        more = [f"unsettled: {each}" for each in outcome.verdict.unsettled]
        more += [f"untold: {each}" for each in outcome.verdict.untold]
        lines = [*outcome.violations, *(more if options.verbose else ())]
        print("\n  ".join([outcome.line(), *lines]), flush=True)

    begun = time.monotonic()
    seeds = range(options.first, options.first + options.seeds)
    outcomes = soak(seeds, options.runs, choice, folder, tell)
    print("\n".join(totals(outcomes)))
    print(f"{time.monotonic() - begun:.0f} s")
    if any(outcome.violations for outcome in outcomes):
        failing = [outcome.seed for outcome in outcomes if outcome.violations]
        print(f"violations with the seeds {', '.join(map(str, failing))}; look below {folder}")
        return 1
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
