"""One sweep of 100, of 1,000 and of 10,000 runs, up to 2,000 jobs at the provider, short clips.

    python tests/benchmarks/scale.py [--runs 100 1000 10000] [--in-flight 2000] [--latency 20]

CPU a run is what each run beyond the first costs. The largest sweep takes minutes: it is made once, and not at all
where BENCH_REPEATS is 1.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys

from measurement import CommandError, Figures, empty, measure
from service import Service, serving
from table import goal, heading, print_figures

_FILES = 100
"""A bound for open files: runner's own, its few connections and its threads' files."""


def main() -> None:
    """Measure a sweep of each size and print what a run costs in it."""
    options = _arguments()
    heading(f"scale: up to {options.in_flight} jobs at once, {options.latency:g} s latency, 4 s clips")
    with serving(latency=options.latency) as service:
        service.finished("4")
        one = _sweep(service, 1, options.in_flight)
        found = {count: _sweep(service, count, options.in_flight) for count in options.runs}
    print_figures({f"{count:,} runs": [figures] for count, figures in {1: one, **found}.items()})
    _goals(one, found)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    quick = os.environ.get("BENCH_REPEATS") == "1"
    parser.add_argument("--runs", type=int, nargs="+", default=[100, 1000] if quick else [100, 1000, 10_000])
    parser.add_argument("--in-flight", type=int, default=2000)
    parser.add_argument("--latency", type=float, default=20.0)
    return parser.parse_args()


def _sweep(service: Service, count: int, in_flight: int) -> Figures:
    directory = service.place / str(count)
    command = [
        *(sys.executable, "-m", "runner", "-m", "provider=openai", f"provider.base_url={service.base_url}"),
        *("provider.retired_models=off", "provider.poll_interval=5", f"provider.max_concurrent_jobs={in_flight}"),
        *("budget.confirm_above_usd=null", "request.duration_seconds=4", f"replica=range({count})"),
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


def _goals(one: Figures, found: dict[int, Figures]) -> None:
    each = {count: 1000 * (figures.cpu - one.cpu) / (count - 1) for count, figures in found.items()}
    for count, figures in found.items():
        lines = figures.written.count("\n")
        print(f"{count:>7,} runs: {each[count]:.1f} ms of CPU a run, {figures.files} files open at most, {lines} lines")
    largest, middle = found[max(found)], statistics.median(each.values())
    goal("peak memory of the largest", largest.peak_mb, 400, " MB")
    goal("CPU a run, farthest from the median", max(abs(ms / middle - 1) for ms in each.values()) * 100, 20, " %")
    goal("open files", max(figures.files for figures in found.values()), _FILES)


if __name__ == "__main__":
    main()
