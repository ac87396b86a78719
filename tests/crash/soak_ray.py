"""`make soak-ray`: sweeps on Ray clusters, whose workers, nodes and commands are killed at random, resumed and counted.

For each number of nodes, workers, raylets, commands and coordinators are killed so many times each while sweeps under
faults go on; a sweep that has ended makes room for another. At the end every run is verified or says why not, and the
server's account holds no job that is nobody's and none that was paid twice. Exits with 1, and says where to look, if
that is not so.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]

from oracle import Books  # noqa: E402 - the paths come first

from runner.emulator.faults import FaultRule  # noqa: E402
from runner.emulator.settings import EmulatorSettings  # noqa: E402
from tests.distributed.ray_nodes import Nodes, command, inside, kill, processes, start, why_not  # noqa: E402
from tests.emulator_thread import EmulatorThread  # noqa: E402

PROBABILITY = 0.05
FAULTS: tuple[tuple[str, dict[str, Any]], ...] = (  # Any: a rule as in a fault file
    ("create", {"fault": "rate_limit", "retry_after": 1}),
    ("create", {"fault": "drop_before_commit"}),
    ("create", {"fault": "drop_after_commit"}),
    ("create", {"fault": "status", "status": 503}),
    ("create", {"fault": "internal"}),
    ("retrieve", {"fault": "status", "status": 500}),
    ("retrieve", {"fault": "drop_before_commit"}),
    ("content", {"fault": "truncated"}),
    ("content", {"fault": "content_not_ready"}),
)
KINDS = ("worker", "node", "command", "coordinator")
MOST_PROCESSES = 400
LATENCY = 5.0


class Soak:
    """The lives of sweeps on a cluster of so many nodes."""

    def __init__(self, folder: Path, media: Path, *, nodes: int, kills: int, runs: int, seed: int) -> None:
        self._folder = folder
        self._count = nodes
        self._runs = runs
        self._chance = random.Random(seed)
        self._due = [kind for kind in KINDS for _ in range(kills)]
        self._chance.shuffle(self._due)
        self._killed: Counter[str] = Counter()
        self._statuses: Counter[str] = Counter()
        self._violations: list[str] = []
        self._processes = self._sweeps = self._jobs = 0
        self._media = media
        self._cluster: Nodes | None = None

    def run(self) -> bool:
        """Live them to the end, and print what was proved."""
        begun = time.monotonic()
        while True:
            self._sweep()
            if not self._due or self._processes > MOST_PROCESSES:
                break
        if self._cluster is not None:
            self._cluster.close()
        lost = [each for each in self._violations if "claimed by no run" in each]
        twice = [each for each in self._violations if "paid" in each and "were paid" in each]
        print(
            f"soak-ray: {self._count} node{'s' * (self._count > 1)}, {self._sweeps} sweeps of {self._runs}, "
            f"{self._processes} commands, {time.monotonic() - begun:.0f} s; killed {_listed(self._killed)}; "
            f"runs {_listed(self._statuses)}; {self._jobs} jobs; paid twice {len(twice)}, lost {len(lost)}",
            flush=True,
        )
        print("\n".join(f"VIOLATION: {each}" for each in self._violations), end="\n" * bool(self._violations))
        return not self._violations and not self._due

    def _sweep(self) -> None:
        """Bring one sweep to its end."""
        self._sweeps += 1
        place = self._folder / f"{self._count}-{self._sweeps}"
        place.mkdir(parents=True)
        rules = [
            FaultRule.model_validate({**fault, "match": {"operation": operation}, "probability": PROBABILITY})
            for operation, fault in FAULTS
        ]
        settings = EmulatorSettings(
            state_file=place / "emulator.sqlite3",
            media_dir=self._media,
            shared_clips=True,
            latency=LATENCY,
            seed=self._chance.randrange(10**6),
        )
        with EmulatorThread(settings, rules=rules) as server:
            arguments = self._typed(server.base_url)
            still = 0
            for _ in range(MOST_PROCESSES):
                code, killed = self._live(arguments, place)
                begun = (place / "out/ledger.sqlite3").is_file()
                arguments = (
                    ["resume", "out", f"ray.num_workers={self._count}", "progress=plain"] if begun else arguments
                )
                still = still + 1 if not killed and code is not None else 0
                if code == 0 or still == 2:
                    break
            self._check(place, server)

    def _typed(self, base_url: str) -> list[str]:
        prompts = ",".join(f"harbour {number}" for number in range(self._runs))
        return [
            *("-m", "request=draft", f"request.prompt={prompts}", "provider=openai", f"provider.base_url={base_url}"),
            *("provider.retired_models=off", "provider.poll_interval=0.5", "provider.max_concurrent_jobs=24"),
            *("hydra.sweep.dir=out", "progress=plain", "yes=true"),
            *("hydra/launcher=runner_ray", f"ray.num_workers={self._count}"),
        ]

    def _live(self, arguments: list[str], place: Path) -> tuple[int | None, bool]:
        """Run one command, and kill what is due; its exit code, and whether anything was killed."""
        self._processes += 1
        cluster = self._started()
        with (place / "output").open("a") as output:
            process = command(arguments, place, cluster.address, stdout=output)
        killed = False
        while process.poll() is None:
            if self._due and processes("ray::RayWorker.run"):
                self._wait(process, self._chance.uniform(0.5, 4))
                if process.poll() is None and self._kill(self._due[-1], process.pid):
                    self._killed[self._due.pop()] += 1
                    killed = True
            self._wait(process, 0.3)
        text = (place / "output").read_text()
        if "Traceback" in text or "internal error" in text:
            self._violations.append(f"{place}/output has a traceback")
        self._mend(cluster)
        return process.returncode, killed

    def _started(self) -> Nodes:
        """Return the cluster, started if there is none."""
        if self._cluster is None:
            self._cluster = start(self._count)
        return self._cluster

    def _mend(self, cluster: Nodes) -> None:
        """Add the nodes that were killed; without any, there is no cluster any more."""
        if not _raylets():
            cluster.close()
            self._cluster = None
        elif (missing := self._count - len(_raylets())) > 0:
            for _ in range(missing):
                with suppress(Exception):  # as above: the next command finds fewer nodes
                    cluster.add()

    @staticmethod
    def _wait(process: Any, seconds: float) -> None:  # Any: a Popen
        until = time.monotonic() + seconds
        while process.poll() is None and time.monotonic() < until:
            time.sleep(0.05)

    def _kill(self, kind: str, command_pid: int) -> bool:
        found = {
            "worker": lambda: processes("ray::RayWorker.run"),
            # The first raylet is the head's, without which there is no cluster: it is killed where it is the only one.
            "node": lambda: _raylets()[-1:],
            "command": lambda: [psutil.Process(command_pid)],
            "coordinator": lambda: processes("ray::Coordinator"),
        }[kind]()
        if not found:
            return False
        kill(self._chance.choice(found))
        return True

    def _check(self, place: Path, server: EmulatorThread) -> None:
        books = Books(place / "out", server.ledger())
        self._violations += [f"{place}: {each}" for each in books.violations()]
        if len(books.results) != self._runs:
            self._violations.append(f"{place}: {len(books.results)} of {self._runs} runs are on record")
        self._statuses += books.statuses
        self._jobs += len(books.created)


def _raylets() -> list[psutil.Process]:
    found = [process for process in psutil.process_iter() if _name(process) == "raylet"]
    return sorted(found, key=lambda process: process.create_time())


def _name(process: psutil.Process) -> str:
    try:
        return process.name() if process.status() != psutil.STATUS_ZOMBIE else ""
    except psutil.Error:
        return ""


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.most_common()) or "none"


def main() -> int:
    """Print the figures; 1 if the promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--kills", type=int, default=20, help="of each kind of process")
    parser.add_argument("--nodes", type=int, nargs="+", default=[1, 2, 4])
    options = parser.parse_args()
    if "SOAK_RAY" not in os.environ:
        if (reason := why_not()) is not None:
            print(f"nothing was tried: {reason}")
            return 1
        os.environ["SOAK_RAY"] = tempfile.mkdtemp(prefix="soak-ray-")
        done = inside(Path(__file__), *sys.argv[1:], captured=False)
        if done.returncode == 0:
            shutil.rmtree(os.environ["SOAK_RAY"])
        else:
            print(f"look at {os.environ['SOAK_RAY']}")
        return done.returncode
    folder = Path(os.environ["SOAK_RAY"])
    held = [
        Soak(
            folder, folder / "media", nodes=nodes, kills=options.kills, runs=options.runs, seed=options.seed + nodes
        ).run()
        for nodes in options.nodes
    ]
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
