"""What several workers on Ray cost beside one process, how far they get where the network is the limit, and how soon
others go on when one is killed.

    make bench-ray, or: python tests/benchmarks/ray_workers.py [--runs 2000] [--files 120] [--workers 1 2 4]

It runs in a network namespace of its own. CPU a run is what each run beyond the first fifty of each worker costs, of
all processes together, Ray's own included: with fifty, each is at work and has started what it needs. Up to 400 jobs
are in flight then, as four workers with a hundred each would have. Where the network is the limit, the server gives
each worker 20 MB/s.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

import psutil

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]

from service import Service, serving  # noqa: E402 - the paths come first
from table import goal, heading  # noqa: E402

from runner.ledger.ledger import Ledger  # noqa: E402
from tests.distributed.ray_nodes import inside, processes, why_not  # noqa: E402

FEW = 50
IN_FLIGHT = 400
RATE = 20_000_000
FILE = 8_000_000


class Cpu:
    """CPU seconds of all processes that are there meanwhile, but for the server and this one."""

    def __init__(self, but: set[int]) -> None:
        self._but = {os.getpid(), *but}
        self._seconds: dict[int, float] = {}
        self._names: dict[int, str] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(0.1):
            for process in psutil.process_iter():
                with suppress(psutil.Error):
                    if process.pid not in self._but:
                        # By the id alone: the time at which a process began moves with the machine's clock.
                        times = process.cpu_times()
                        self._seconds[process.pid] = times.user + times.system
                        self._names[process.pid] = _kind(process)

    @property
    def kinds(self) -> Counter[str]:
        """The seconds of each kind of process."""
        kinds: Counter[str] = Counter()
        for pid, seconds in self._seconds.items():
            kinds[self._names.get(pid, "one that ended at once")] += seconds
        return kinds


def _kind(process: psutil.Process) -> str:
    line = process.cmdline()
    if line and line[0].startswith("ray::"):
        return line[0].split(".")[0]
    return next((Path(word).stem for word in line if word.endswith(".py")), process.name()) + " -m runner" * (
        "runner" in line
    )


def typed(service: Service, place: str, runs: int, workers: int, jobs: int) -> list[str]:
    on_ray = [] if workers == 0 else ["hydra/launcher=runner_ray", f"ray.num_workers={workers}"]
    return [
        *("-m", f"replica=range({runs})", "provider=openai", f"provider.base_url={service.base_url}", "request=draft"),
        *("provider.retired_models=off", "provider.poll_interval=1", f"provider.max_concurrent_jobs={jobs}"),
        *(f"hydra.sweep.dir={service.place / place}", "progress=plain", "yes=true", "gallery=false", *on_ray),
    ]


def started(service: Service, place: str, runs: int, workers: int, jobs: int = 100) -> subprocess.Popen[bytes]:
    output = (service.place / f"{place}.out").open("wb")
    return subprocess.Popen(
        [sys.executable, "-m", "runner", *typed(service, place, runs, workers, jobs)],
        stdout=output,
        stderr=subprocess.STDOUT,
        cwd=service.place,
    )


def finished(process: subprocess.Popen[bytes], service: Service, place: str) -> float:
    """Seconds from the first request to the last checked file."""
    if process.wait():
        told = (service.place / f"{place}.out").read_text()
        raise SystemExit(f"{told[:1500]}\n…\n{told[-1500:]}")
    with Ledger(service.place / place, readonly=True) as ledger:
        times = [run.earlier.timestamps for run in ledger.runs() if run.earlier]
    first: dt.datetime = min(each["submitting"] for each in times)
    return (max(each["verified"] for each in times) - first).total_seconds()


def overhead(workers: Sequence[int], runs: int) -> None:
    heading(f"CPU a run, {runs:,} runs of 200 kB")
    alone = 0.0
    with serving(latency=3, video_bytes=200_000, seconds=4) as service:
        for count in (0, *workers):
            cost: dict[int, Counter[str]] = {}
            few = FEW * max(count, 1)
            for number in (few, runs):
                place = f"cpu-{count}-{number}"
                with Cpu({service.pid}) as cpu:
                    finished(started(service, place, number, count, IN_FLIGHT), service, place)
                cost[number] = cpu.kinds
            more = Counter({kind: (cost[runs][kind] - cost[few][kind]) / (runs - few) * 1000 for kind in cost[runs]})
            each, begin = more.total(), cost[few].total() - few * more.total() / 1000
            what = f"{count} workers" if count else "one process"
            print(f"{what}: {each:.1f} ms of CPU a run, {begin:.1f} s to start and end", flush=True)
            print(f"  {', '.join(f'{kind} {spent:.1f}' for kind, spent in more.most_common(6))}", flush=True)
            if count:
                goal(f"CPU a run with {what}, compared with one process", each / alone, 1.3, " times")
            else:
                alone = each


def speed(workers: Sequence[int], files: int) -> None:
    heading(f"{files} files of 8 MB, 20 MB/s for each worker")
    taken = {}
    with serving(latency=1, video_bytes=FILE, seconds=4, rate=RATE) as service:
        for count in workers:
            place = f"net-{count}"
            taken[count] = finished(started(service, place, files, count), service, place)
            more = f", {taken[workers[0]] / taken[count]:.2f} times as fast as {workers[0]}"
            print(f"{count} workers: {taken[count]:.1f} s{more * (count != workers[0])}", flush=True)


def recovery() -> None:
    heading("a killed worker")
    with serving(latency=60, video_bytes=200_000, seconds=4) as service:
        process = started(service, "killed", 40, 2)
        output = service.place / "killed.out"
        while output.read_text().count("generating") < 40 and process.poll() is None:
            time.sleep(0.1)
        killed = time.monotonic()
        processes("ray::RayWorker.run")[0].send_signal(signal.SIGKILL)
        while "has died" not in output.read_text() and process.poll() is None:
            time.sleep(0.02)
        print(f"others had its runs after {time.monotonic() - killed:.2f} s", flush=True)
        finished(process, service, "killed")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--files", type=int, default=120)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--only", choices=["overhead", "speed", "recovery"])
    options = parser.parse_args()
    if "RAY_BENCH" not in os.environ:
        if (reason := why_not()) is not None:
            print(f"Ray was not measured: {reason}")
            return 0
        with TemporaryDirectory(prefix="bench-ray-") as place:
            os.environ["RAY_BENCH"] = place
            return inside(Path(__file__), *sys.argv[1:], captured=False).returncode
    if options.only in (None, "speed"):
        speed(options.workers, options.files)
    if options.only in (None, "recovery"):
        recovery()
    if options.only in (None, "overhead"):
        overhead(options.workers, options.runs)
    return 0


if __name__ == "__main__":
    sys.exit(main())
