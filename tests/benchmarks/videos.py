"""400 videos through runner and through what a user might pick instead, in turn, against one server.

    python tests/benchmarks/videos.py [--count 400] [--repeats 5] [--only NAME …]

Every row makes the same videos of the same server and writes them to disk. Runner's rows include its start, the
composed and validated configs, `.hydra/` folders, the ledger, hashes, verification by decoding, and thumbnails; the
others' only what their script does. Where files are checked, the bare SDK's script has them hashed, decoded and made
small by runner's own code: what is left is what the rest costs. Hydra with joblib is measured once: it takes a minute.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

from measurement import CommandError, Figures, empty, measure
from peer import JOBLIB, LITELLM, SCRIPTS, TARASH, Peer, UnavailableError
from service import Service, serving
from table import goal, heading, print_figures, ratio

Command = list[str | Path]

BARE = "bare SDK, 8 requests at a time"
CHECKING = "bare SDK, 8 requests at a time, files checked"
UNBOUNDED = "bare SDK, unbounded gather"
GATEWAY = "tarash-gateway 0.1.0"
OWN = "runner -m"
WITHOUT = "runner -m, request.thumbnail=false"
_PROCESSES = 32
"""Joblib's: each waits for one video at a time and takes 60 MB."""


@dataclass(frozen=True)
class Row:
    """One competitor: how it is called, and how often at most."""

    command: Callable[[Service, int, Path], Command]
    most: int = 1000


def bare(at_a_time: int, *more: str) -> Callable[[Service, int, Path], Command]:
    """A gather over the bare SDK; 0: unbounded."""
    return lambda service, count, directory: [
        *(sys.executable, SCRIPTS / "bare_sdk.py", service.base_url, str(count), directory, str(at_a_time), *more)
    ]


def through(peer: Peer, script: str, *more: str) -> Callable[[Service, int, Path], Command]:
    """A script in a peer's own environment; raises `UnavailableError`."""
    return lambda service, count, directory: [
        *(peer.python(), SCRIPTS / script, service.base_url, str(count), directory, *more)
    ]


def joblib(service: Service, count: int, directory: Path) -> Command:
    """`hydra.main` with Hydra's joblib launcher."""
    return [
        *(JOBLIB.python(), SCRIPTS / "hydra_joblib.py", "-m", f"hydra.launcher.n_jobs={_PROCESSES}"),
        *(f"base_url={service.base_url}", f"replica=range({count})", f"hydra.sweep.dir={directory}"),
    ]


def sweep(*more: str) -> Callable[[Service, int, Path], Command]:
    """A sweep by runner; all its jobs may be at the provider at once, as with the others."""
    return lambda service, count, directory: [
        *(sys.executable, "-m", "runner", "-m", "provider=openai", f"provider.base_url={service.base_url}"),
        *("provider.retired_models=off", "provider.poll_interval=1", f"provider.max_concurrent_jobs={count}"),
        *("budget.confirm_above_usd=null", f"replica=range({count})", f"hydra.sweep.dir={directory}", *more),
    ]


ROWS = {
    BARE: Row(bare(8)),
    CHECKING: Row(bare(8, "checked")),
    UNBOUNDED: Row(bare(0)),
    "LiteLLM, 8 requests at a time": Row(through(LITELLM, "litellm_gather.py", "8")),
    GATEWAY: Row(through(TARASH, "tarash_gather.py")),
    f"Hydra + joblib, {_PROCESSES} processes": Row(joblib, most=1),
    OWN: Row(sweep()),
    WITHOUT: Row(sweep("request.thumbnail=false")),
}

_MOST_CPU = {OWN: 1.35, WITHOUT: 1.15}
"""Of what the bare SDK takes."""


def main() -> None:
    """Measure everything in turn, then print the table and the goals."""
    options = _arguments()
    heading(f"{options.count} videos, {options.latency:g} s latency, {options.video_bytes / 1e6:g} MB each")
    with serving(latency=options.latency, video_bytes=options.video_bytes) as service:
        transfer = _transfer(service, options.count)
        before = service.cpu()
        found = _in_turn(service, options)
        served = (service.cpu() - before) / max(1, sum(map(len, found.values())))
    print(f"floor: {options.latency:g} s latency + {transfer:.1f} s for {options.count} transfers over one connection")
    print_figures(found)
    goal("CPU of the server for each of them", served, 1.5, " s")
    _goals(found)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=400, help="videos")
    parser.add_argument("--latency", type=float, default=3.0, help="seconds a video takes")
    parser.add_argument("--video-bytes", type=int, default=2_000_000)
    parser.add_argument("--repeats", type=int, default=int(os.environ.get("BENCH_REPEATS", "5")))
    parser.add_argument("--only", nargs="*", default=[""], help="rows whose names contain one of these")
    return parser.parse_args()


def _in_turn(service: Service, options: argparse.Namespace) -> Mapping[str, list[Figures]]:
    rows = {name: row for name, row in ROWS.items() if any(part.lower() in name.lower() for part in options.only)}
    found: dict[str, list[Figures]] = {}
    # The first turn, with one video each, fills caches and is thrown away.
    for turn, count in enumerate([1, *[options.count] * options.repeats]):
        for name, row in [*rows.items()]:
            if turn > row.most:
                continue
            try:
                figures = _measured(service, row, count, service.place / f"{turn}-{list(ROWS).index(name)}")
            except (UnavailableError, CommandError) as error:
                print(f"{name}: skipped: {error}", flush=True)
                del rows[name]
                continue
            if turn:
                print(f"  {turn}. {name}: {figures.wall:.1f} s", file=sys.stderr, flush=True)
                found.setdefault(name, []).append(figures)
    return found


def _measured(service: Service, row: Row, count: int, directory: Path) -> Figures:
    try:
        figures = measure(row.command(service, count, directory), service.requests)
        _check(directory, count)
    finally:
        empty(directory)
    return figures


def _check(directory: Path, count: int) -> None:
    """Raise `CommandError` unless every video is there."""
    videos = [*directory.rglob("*.mp4")]
    smallest = min((path.stat().st_size for path in videos), default=0)
    if len(videos) != count or smallest < 1000:
        raise CommandError(f"made {len(videos)} videos instead of {count}, the smallest of {smallest} bytes")


def _transfer(service: Service, count: int) -> float:
    """Seconds that `count` downloads take over one connection, by the plainest client there is."""
    job = service.finished()
    with closing(HTTPConnection(service.host)) as connection:
        start = time.perf_counter()
        for _ in range(count):
            connection.request("GET", f"/v1/videos/{job}/content", headers=dict(service.headers))
            answer = connection.getresponse()
            while answer.read(1 << 18):
                continue
        return time.perf_counter() - start


def _goals(found: Mapping[str, Sequence[Figures]]) -> None:
    for own in found.keys() & {OWN, WITHOUT}:
        walls = [each.wall for each in found[own]]
        for peer, most in ((BARE, 1.0), (CHECKING, 1.0), (GATEWAY, 0.35)):
            if peer in found:
                goal(f"wall of {own} / {peer}", ratio(walls, [each.wall for each in found[peer]]), most)
        for peer, most in ((BARE, _MOST_CPU[own]), (CHECKING, 1.1)):
            if peer in found:
                cpus = [[each.cpu for each in found[name]] for name in (own, peer)]
                goal(f"CPU of {own} / {peer}", ratio(*cpus), most)
        goal(f"peak memory of {own}", statistics.median(each.peak_mb for each in found[own]), 150, " MB")


if __name__ == "__main__":
    main()
