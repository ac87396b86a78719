"""How much sooner a sweep is done with two servers that make 20 videos at a time each than with one of them.

    python tests/benchmarks/pool.py [--count 160] [--latency 30] [--jobs 20] [--video-bytes 200000]

Each server refuses a job more than it makes at a time. What is compared is the time from the first request to the last
checked file: to start a command takes as long with one server as with two.
"""

from __future__ import annotations

import argparse
import datetime as dt
import sys

from measurement import CommandError, measure
from service import Service, serving
from table import heading, least

from runner.artifacts.result_file import read_result


def main() -> int:
    """Measure one server and two, one after the other."""
    options = _arguments()
    heading(f"{options.count} videos of {options.latency:g} s each, {options.jobs} at a time for each server")
    chosen = {"latency": options.latency, "video_bytes": options.video_bytes, "jobs": options.jobs}
    with serving(**chosen) as first, serving(**chosen) as second:
        one = _seconds(options, [first])
        two = _seconds(options, [first, second])
    least("two servers, beside one", one / two, 1.9, " × as fast")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=160, help="videos")
    parser.add_argument("--latency", type=float, default=30.0, help="seconds a video takes")
    parser.add_argument("--jobs", type=int, default=20, help="videos that a server makes at the same time")
    parser.add_argument("--video-bytes", type=int, default=200_000)
    return parser.parse_args()


def _seconds(options: argparse.Namespace, servers: list[Service]) -> float:
    """Return the seconds from the first request to the last checked file, and say how the videos were spread."""
    directory = servers[0].place / f"{len(servers)}"
    urls = ",".join(server.base_url for server in servers)
    figures = measure([
        *(sys.executable, "-m", "runner", "-m", "provider=openai", f"provider.base_urls=[{urls}]"),
        *("provider.retired_models=off", "provider.poll_interval=1", f"provider.max_concurrent_jobs={options.jobs}"),
        *("budget.confirm_above_usd=null", f"replica=range({options.count})", f"hydra.sweep.dir={directory}"),
    ])  # fmt: skip
    results = [read_result(directory / str(number)) for number in range(options.count)]
    begun: dt.datetime = min(each.timestamps["submitting"] for each in results)
    seconds = (max(each.timestamps["verified"] for each in results) - begun).total_seconds()
    counts = [sum(each.endpoint == server.base_url for each in results) for server in servers]
    if sum(counts) != options.count:
        raise CommandError(f"{counts} of {options.count} videos were made")
    print(
        f"  {len(servers)}: {seconds:.1f} s, {' and '.join(map(str, counts))} videos; {figures.cpu:.1f} s of CPU",
        flush=True,
    )
    return seconds


if __name__ == "__main__":
    sys.exit(main())
