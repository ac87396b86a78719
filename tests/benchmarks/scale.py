"""Sweeps of 100, of 1,000 and of 10,000 runs, up to 2,000 jobs at the provider, short clips.

    python tests/benchmarks/scale.py [--runs 100 1000 10000] [--in-flight 2000] [--latency 20] [--repeats 5]

CPU a run is what each run beyond the first costs, which is measured in the same turn. The largest is measured once more
as a table of prompts, each another text of 320 letters. A turn takes ten minutes; the largest sweep is left out where
BENCH_REPEATS is 1.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from measurement import CommandError, Figures, empty, measure
from service import Service, serving
from table import goal, heading, print_figures, spread

_CLIP_BYTES = 200_000
"""A file's size: the disk is no part of the question."""

_FILES = 100
"""A bound for open files: runner's own, its few connections and its threads' files."""


def main() -> None:
    """Measure a sweep of each size and print what a run costs in it."""
    options = _arguments()
    heading(f"scale: up to {options.in_flight} jobs at once, {options.latency:g} s latency, 4 s clips")
    counts = (1, *options.runs)
    found: dict[int, list[Figures]] = {count: [] for count in counts}
    of_table: list[Figures] = []
    most = max(options.runs)
    with serving(latency=options.latency, video_bytes=_CLIP_BYTES, seconds=4) as service:
        for turn in range(options.repeats):
            for count, figures in found.items():
                directory = service.place / f"{turn}-{count}"
                figures.append(_sweep(service, count, options.in_flight, directory))
                print(f"  {turn + 1}. {count:,} runs: {figures[-1].wall:.1f} s", file=sys.stderr, flush=True)
            table = _table(service.place, most)
            of_table.append(_sweep(service, most, options.in_flight, service.place / f"{turn}-table", table))
            print(f"  {turn + 1}. {most:,} rows: {of_table[-1].wall:.1f} s", file=sys.stderr, flush=True)
    print_figures({f"{count:,} runs": figures for count, figures in found.items()} | {f"{most:,} rows": of_table})
    _goals(found.pop(1), found)
    goal(f"peak memory of a table of {most:,} rows", statistics.median(a.peak_mb for a in of_table), 400, " MB")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    quick = os.environ.get("BENCH_REPEATS") == "1"
    parser.add_argument("--runs", type=int, nargs="+", default=[100, 1000] if quick else [100, 1000, 10_000])
    parser.add_argument("--in-flight", type=int, default=2000)
    parser.add_argument("--latency", type=float, default=20.0)
    parser.add_argument("--repeats", type=int, default=int(os.environ.get("BENCH_REPEATS", "5")))
    return parser.parse_args()


def _table(place: Path, count: int) -> Path:
    """Write a table of prompts that look like templates and differ near their beginning."""
    path = place / f"{count}.csv"
    prompts = ((f"Shot {number}: a {{fox}} in the snow, " * 12)[:320] for number in range(count))
    path.write_text("prompt\n" + "".join(f'"{prompt}"\n' for prompt in prompts), encoding="utf-8")
    return path


def _sweep(service: Service, count: int, in_flight: int, directory: Path, table: Path | None = None) -> Figures:
    swept = f"replica=range({count})" if table is None else f"prompts={table}"
    command = [
        *(sys.executable, "-m", "runner", "-m", "provider=openai", f"provider.base_url={service.base_url}"),
        *("provider.retired_models=off", "provider.poll_interval=5", f"provider.max_concurrent_jobs={in_flight}"),
        *("budget.confirm_above_usd=null", "request.duration_seconds=4", swept),
        f"hydra.sweep.dir={directory}",
    ]
    try:
        figures = measure(command, service.requests)
        made = sum(1 for _ in directory.rglob("video.mp4"))
    finally:
        empty(directory)
    if made != count:
        raise CommandError(f"{made} videos instead of {count}")
    return figures


def _goals(ones: Sequence[Figures], found: Mapping[int, Sequence[Figures]]) -> None:
    each = {
        count: [1000 * (figures.cpu - one.cpu) / (count - 1) for one, figures in zip(ones, turns, strict=True)]
        for count, turns in found.items()
    }
    for count, turns in found.items():
        files, lines = (max(values) for values in zip(*((a.files, a.written.count("\n")) for a in turns), strict=True))
        print(f"{count:>7,} runs: {spread(each[count])} ms of CPU a run, {files} files open at most, {lines} lines")
    usual = {count: statistics.median(values) for count, values in each.items()}
    middle = statistics.median(usual.values())
    goal("peak memory of the largest", statistics.median(a.peak_mb for a in found[max(found)]), 400, " MB")
    goal("CPU a run, farthest from the median", max(abs(ms / middle - 1) for ms in usual.values()) * 100, 20, " %")
    goal("open files", max(figures.files for turns in found.values() for figures in turns), _FILES)


if __name__ == "__main__":
    main()
