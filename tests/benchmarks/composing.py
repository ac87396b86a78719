"""What a run costs from the command line until its config is validated and its `.hydra/` folder is written.

    python tests/benchmarks/composing.py [--runs 1000] [--hydra-runs 40] [--repeats 5]

Runner is started as a user starts it, against a server that never answers, and ended when the last run's folder is
there; its start-up is included. Hydra's own row is `hydra.main` with an empty task, its basic sweeper and launcher, on
the same config groups; it is so slow that fewer runs are made.
"""

from __future__ import annotations

import argparse
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from measurement import REPO, CommandError, cpu_seconds, environment, measure
from peer import SCRIPTS
from table import goal, heading, spread

_LONGEST = 300.0
_LOOK_SECONDS = 0.002
_SWEPT = ("model=sora-2,sora-2-pro", "request.duration_seconds=4,8")


def main() -> None:
    """Measure both in turn and print what a run costs."""
    options = _arguments()
    heading(f"composing: {options.runs} runs by runner, {options.hydra_runs} by Hydra's basic launcher")
    own, started, peer = [], [], []
    # Deleted at the end alone, as `empty` says.
    with tempfile.TemporaryDirectory(prefix="runner-bench-") as place:
        for _ in range(options.repeats):
            own.append(_by_runner(options.runs, tempfile.mkdtemp(dir=place)))
            started.append(_by_runner(4, tempfile.mkdtemp(dir=place)))
            peer.append(_by_hydra(options.hydra_runs, tempfile.mkdtemp(dir=place)))
    for name, found in (("runner -m", own), ("Hydra's basic launcher", peer)):
        wall, cpu = (spread([1000 * each[kind] for each in found]) for kind in (0, 1))
        print(f"{name:30} ms a run, start-up included: wall {wall:>20}  CPU {cpu:>20}   n={len(found)}")
    marginal = [(a[0] * options.runs - b[0] * 4) / (options.runs - 4) * 1000 for a, b in zip(own, started, strict=True)]
    print(f"{'runner -m':30} ms a further run:               wall {spread(marginal):>20}")
    goal("composing a run", statistics.median(1000 * wall for wall, _ in own), 6, " ms")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000, help="of runner's sweep, a multiple of four")
    parser.add_argument("--hydra-runs", type=int, default=40, help="of Hydra's, a multiple of four")
    parser.add_argument("--repeats", type=int, default=int(os.environ.get("BENCH_REPEATS", "5")))
    return parser.parse_args()


def _by_runner(runs: int, folder: str) -> tuple[float, float]:
    """Wall and CPU seconds a run."""
    with _silent_server() as base_url:
        command = [
            *(sys.executable, "-m", "runner", "-m", "provider=openai", f"provider.base_url={base_url}"),
            *("provider.retired_models=off", f"provider.max_concurrent_jobs={runs}", "budget.confirm_above_usd=null"),
            *(*_SWEPT, f"replica=range({runs // 4})", f"hydra.sweep.dir={folder}"),
        ]
        last = [Path(folder) / str(number) / ".hydra" / "overrides.yaml" for number in range(runs)]
        os.sync()
        start = time.perf_counter()
        with subprocess.Popen(command, env=environment(), cwd=REPO, stderr=subprocess.DEVNULL) as process:
            try:
                _await_all(last, process)
                return (time.perf_counter() - start) / runs, cpu_seconds(process.pid) / runs
            finally:
                process.kill()


def _await_all(files: list[Path], process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + _LONGEST
    # Backwards, so that hardly anything is looked for twice.
    for file in reversed(files):
        while not (file.exists() and file.stat().st_size):
            if process.poll() is not None or time.monotonic() > end:
                raise CommandError(f"runner ended with {process.returncode} before {file.parent} was written")
            time.sleep(_LOOK_SECONDS)


def _by_hydra(runs: int, folder: str) -> tuple[float, float]:
    figures = measure([
        *(sys.executable, SCRIPTS / "hydra_basic.py", "-m", "hydra/sweeper=basic", "hydra/launcher=basic"),
        *(*_SWEPT, f"replica=range({runs // 4})", f"hydra.sweep.dir={folder}"),
    ])  # fmt: skip
    return figures.wall / runs, figures.cpu / runs


@contextmanager
def _silent_server() -> Iterator[str]:
    """A port that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=256) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/v1"


if __name__ == "__main__":
    main()
