"""A 1 GB video: memory above that of a small one, and throughput beside a bare SDK stream with sha256.

    python tests/benchmarks/big_file.py [--gigabytes 1] [--repeats 5]

Throughput is the file's size over what it takes longer than a small one, for each of them. Runner's file is flushed to
the disk before it gets its name; the bare script is measured without and with that.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
from pathlib import Path

from measurement import Figures, measure
from peer import SCRIPTS
from service import Service, serving
from table import goal, heading, print_figures, ratio, spread

OWN = "runner"
BARE = "bare SDK stream with sha256"
FLUSHED = "bare SDK stream with sha256 and fsync"
_SMALL = 500_000
"""Bytes of the small video."""


def main() -> None:
    """Measure small and big files in turn and print the difference."""
    options = _arguments()
    size = int(options.gigabytes * 1e9)
    heading(f"one video of {options.gigabytes:g} GB")
    small: dict[str, list[Figures]] = {OWN: [], BARE: [], FLUSHED: []}
    big: dict[str, list[Figures]] = {name: [] for name in small}
    with serving(latency=0, video_bytes=_SMALL) as light, serving(latency=0, video_bytes=size) as heavy:
        for _ in range(options.repeats):
            for name, figures in small.items():
                figures.append(_one(light, name))
                big[name].append(_one(heavy, name))
    print_figures({f"{name}: {kind}": rows[name] for name in small for kind, rows in (("small", small), ("big", big))})
    speed = {
        name: [size / 1e6 / (b.wall - a.wall) for a, b in zip(small[name], big[name], strict=True)] for name in big
    }
    for name, values in speed.items():
        print(f"{name}: {spread(values, 0)} MB/s")
    above = [b.peak_mb - a.peak_mb for a, b in zip(small[OWN], big[OWN], strict=True)]
    goal("memory above the base", statistics.median(above), 20, " MB")
    for peer in (BARE, FLUSHED):
        goal(f"time a byte of runner / {peer}", ratio(speed[peer], speed[OWN]), 1 / 0.8)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=1.0)
    parser.add_argument("--repeats", type=int, default=int(os.environ.get("BENCH_REPEATS", "5")))
    return parser.parse_args()


def _one(service: Service, name: str) -> Figures:
    directory = service.place / "made"
    bare: list[str | Path] = [sys.executable, SCRIPTS / "bare_stream.py", service.base_url, directory]
    own: list[str | Path] = [
        *(sys.executable, "-m", "runner", "provider=openai", f"provider.base_url={service.base_url}"),
        *("provider.retired_models=off", "provider.poll_interval=0.1", f"hydra.run.dir={directory}"),
    ]
    commands = {OWN: own, BARE: bare, FLUSHED: [*bare, "fsync"]}
    try:
        return measure(commands[name], service.requests)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
