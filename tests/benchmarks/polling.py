"""What waiting for many jobs costs: the engine beside one GET per job per interval, in turn, in one run.

Each side is a process of its own that waits for its own jobs at an emulator in another process. The jobs are put into
the emulator's memory beforehand, so that nothing but the waiting is measured; a job's download would start when it is
heard to be completed. Requests are counted by the emulator; CPU is the client process's own.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from table import goal, heading, ratio, spread

from runner.config.model import VideoModel
from runner.config.provider import OpenAIConfig
from runner.config.request import VideoRequest
from runner.config.run import RunConfig
from runner.config.shipped import option
from runner.emulator.job import EmulatedJob
from runner.emulator.process import EmulatorProcess
from runner.emulator.settings import EmulatorSettings
from runner.emulator.state import State
from runner.engine.clock import Clock
from runner.engine.endpoint import Endpoint
from runner.engine.poll import poll
from runner.engine.recorder import BudgetTracker, RunRecorder
from runner.engine.run import Run
from runner.engine.store import RecordWriter, ResultFiles, Threads
from runner.providers.base import Job, JobStatus, Provider
from runner.providers.registry import create

ENGINE = "the engine"
SINGLY = "one GET per job per interval"
WARMING = 2


@dataclass(frozen=True)
class Figures:
    requests: int
    cpu: float
    median: float
    """Of the delays between a job's completion and its download's start, in intervals."""
    p95: float


def main() -> None:
    options = arguments()
    if options.side is not None:
        base_url, side, interval = options.side
        waiting = asyncio.run(wait_for_all(base_url, side, float(interval), json.load(sys.stdin)))
        sys.stdout.write(json.dumps(waiting))
        return
    heading(
        f"{options.count} jobs of {options.shortest:g}-{options.longest:g} s, asked for every {options.interval:g} s"
    )
    taken: dict[str, list[Figures]] = {SINGLY: [], ENGINE: []}
    for turn in range(options.repeats):
        for side, figures in taken.items():
            figures.append(measure(side, options, random.Random(turn)))
    if not report(taken):
        sys.exit(1)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="jobs in flight")
    parser.add_argument("--interval", type=float, default=4.0, help="provider.poll_interval, seconds")
    parser.add_argument("--shortest", type=float, default=40.0, help="seconds that the first job takes")
    parser.add_argument("--longest", type=float, default=60.0, help="seconds that the last job takes")
    parser.add_argument("--repeats", type=int, default=int(os.environ.get("BENCH_REPEATS", "5")))
    parser.add_argument("--side", nargs=3, help=argparse.SUPPRESS)
    return parser.parse_args()


def measure(side: str, options: argparse.Namespace, dice: random.Random) -> Figures:
    """Let one side wait for jobs of random durations."""
    with tempfile.TemporaryDirectory() as folder:
        settings = EmulatorSettings(state_file=Path(folder) / "state.sqlite3")
        seconds = [dice.uniform(options.shortest, options.longest) for _ in range(options.count)]
        with EmulatorProcess(settings) as emulator:
            ends = fill(settings, seconds)
            command = [sys.executable, __file__, "--side", emulator.base_url, side, str(options.interval)]
            environment = {**os.environ, "OPENAI_API_KEY": "sk-benchmark"}
            told = subprocess.run(
                command, input=json.dumps(ends), stdout=subprocess.PIPE, text=True, check=True, env=environment
            )
            requests = sum(emulator.ledger()["requests"].values()) - WARMING  # type: ignore[attr-defined]  # of JSON
    heard = json.loads(told.stdout)
    delays = sorted((at - ends[job_id]) / options.interval for job_id, at in heard["heard"].items())
    return Figures(requests, heard["cpu"], statistics.median(delays), delays[int(0.95 * len(delays))])


def fill(settings: EmulatorSettings, seconds: list[float]) -> dict[str, float]:
    """Put jobs into the emulator's memory that begin now; the Unix time at which each is completed."""
    state = State(settings.state_file)
    now = time.time() + 3  # the client's start takes about so long
    for number, latency in enumerate(seconds):
        state.add(
            EmulatedJob(f"video_{number:04}", now, latency, 86400, "create", "sora-2", "A boat", 4, "1280x720", 0.4)
        )
    state.close()
    return {f"video_{number:04}": now + latency for number, latency in enumerate(seconds)}


async def wait_for_all(base_url: str, side: str, interval: float, ends: dict[str, float]) -> dict[str, Any]:
    """Wait for every job; when each was heard to be completed, and the CPU seconds that took."""
    config = run_config(base_url, interval, len(ends))
    provider = create(config.provider)
    folder = Path(tempfile.gettempdir())  # nothing is written there: polls are not
    wait = by_engine(provider, config, folder) if side == ENGINE else singly(provider, interval)
    heard: dict[str, float] = {}

    async def one(job_id: str) -> None:
        await wait(job_id)
        heard[job_id] = time.time()

    await provider.jobs()  # whatever the first request loads
    await provider.retrieve(next(iter(ends)))
    began = time.process_time()
    await asyncio.gather(*(one(job_id) for job_id in ends))
    cpu = time.process_time() - began
    await provider.close()
    return {"heard": heard, "cpu": cpu}


Wait = Callable[[str], Awaitable[object]]


def singly(provider: Provider, interval: float) -> Wait:
    """Ask for each job at the interval, 8 requests at a time; jobs begin at moments spread over the first interval."""
    requests = asyncio.Semaphore(8)

    async def wait(job_id: str) -> None:
        await asyncio.sleep(random.random() * interval)
        while True:
            await asyncio.sleep(interval)
            async with requests:
                if (await provider.retrieve(job_id)).status.terminal:
                    return

    return wait


def by_engine(provider: Provider, config: RunConfig, folder: Path) -> Wait:
    """Wait for each job as a sweep's runs do, with their records and events."""
    clock = Clock()
    endpoint, budget_tracker = Endpoint(provider, config.provider, clock), BudgetTracker()
    record_writer = RecordWriter(ResultFiles(), Threads())
    numbers = itertools.count()

    async def wait(job_id: str) -> Job:
        await asyncio.sleep(random.random() * config.provider.poll_interval)
        run = Run(next(numbers), config, folder)
        recorder = RunRecorder(run, lambda event: None, clock, record_writer, budget_tracker)
        return await poll(endpoint, recorder, Job(job_id, JobStatus.QUEUED, "queued", created_at=time.time()))

    return wait


def run_config(base_url: str, interval: float, count: int) -> RunConfig:
    """A run as any of the sweep."""
    provider = OpenAIConfig(kind="openai", base_url=base_url, poll_interval=interval, max_concurrent_jobs=count)
    model = VideoModel.model_validate(option("model", "sora-2"))
    request = VideoRequest(kind="video", prompt="A boat", duration_seconds=4, size="1280x720")
    return RunConfig(provider=provider, model=model, request=request)


def report(taken: Mapping[str, Sequence[Figures]]) -> bool:
    """Print each side's figures and what the engine needs of the other's; whether all goals are met."""
    columns = {"requests": "requests", "cpu": "CPU s", "median": "delay, median", "p95": "p95, intervals"}
    print(f"{'':32}" + "".join(f"{title:>24}" for title in columns.values()) + f"{'n':>4}")
    of = {side: {name: [getattr(one, name) for one in figures] for name in columns} for side, figures in taken.items()}
    for side, values in of.items():
        cells = "".join(f"{spread(column, 2):>24}" for column in values.values())
        print(f"{side:32}{cells}{len(taken[side]):>4}")
    own, singly = of[ENGINE], of[SINGLY]
    met = [
        goal(f"requests of {ENGINE} / {SINGLY}", ratio(own["requests"], singly["requests"]), 1 / 20),
        goal(f"CPU of {ENGINE} / {SINGLY}", ratio(own["cpu"], singly["cpu"]), 1 / 8),
        goal("from completed to its download, median", statistics.median(own["median"]), 0.6, " intervals"),
        goal("from completed to its download, p95", statistics.median(own["p95"]), 1.1, " intervals"),
    ]
    return all(met)


if __name__ == "__main__":
    main()
