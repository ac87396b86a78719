"""`make bench`: a sweep by runner beside hand-written bare-SDK scripts, in turn, against one emulator process.

Wall seconds, CPU seconds and peak memory are the operating system's figures for the whole finished process;
requests are counted by the emulator.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from runner.emulator import EmulatorProcess, EmulatorSettings

HERE = Path(__file__).parent
REPO = HERE.parent.parent


DOWNLOAD = "bare SDK gather, downloads only"
CHECKED = "bare SDK gather, same work"
OWN = "runner -m"


@dataclass(frozen=True)
class Figures:
    wall: float
    cpu: float
    peak_mb: float
    requests: int


def main() -> None:
    options = arguments()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        settings = EmulatorSettings(
            state_file=place / "state.sqlite3", latency=options.latency, video_bytes=options.video_bytes
        )
        with EmulatorProcess(settings) as emulator:
            base_url = emulator.wait_ready()
            measure(bare(base_url, 1, place / "warm"), base_url)
            peers: dict[str, list[Figures]] = {name: [] for name in (DOWNLOAD, CHECKED, OWN)}
            for turn in range(options.runs):
                for number, name in enumerate(peers):
                    directory = place / f"{number}-{turn}"
                    peers[name].append(measure(COMMANDS[name](base_url, options.count, directory), base_url))
                    count_videos(directory, options.count)
    report(options, peers)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100, help="videos")
    parser.add_argument("--latency", type=float, default=3.0, help="seconds a video takes")
    parser.add_argument("--video-bytes", type=int, default=2_000_000)
    parser.add_argument("--runs", type=int, default=3, help="measurements of each")
    return parser.parse_args()


def bare(base_url: str, count: int, directory: Path) -> list[str]:
    return [sys.executable, str(HERE / "bare_sdk.py"), base_url, str(count), str(directory)]


def checked(base_url: str, count: int, directory: Path) -> list[str]:
    return [*bare(base_url, count, directory), "check"]


def sweep(base_url: str, count: int, directory: Path) -> list[str]:
    return [
        *(sys.executable, "-m", "runner", "-m", "provider=openai", f"provider.base_url={base_url}"),
        *("provider.retired_models=off", "provider.poll_interval=1", f"replica=range({count})"),
        f"hydra.sweep.dir={directory}",
    ]


COMMANDS = {DOWNLOAD: bare, CHECKED: checked, OWN: sweep}


def measure(command: list[str], base_url: str) -> Figures:
    environment = {**os.environ, "OPENAI_API_KEY": "bench", "PYTHONPATH": str(REPO)}
    before, start = requests(base_url), time.perf_counter()
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        errors = process.stderr.read() if process.stderr else b""
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - start
    if process.returncode:
        sys.exit(f"{command} ended with {process.returncode}:\n{errors.decode()[-2000:]}")
    cpu = usage.ru_utime + usage.ru_stime
    return Figures(wall, cpu, usage.ru_maxrss / 1024, requests(base_url) - before)


def requests(base_url: str) -> int:
    with urllib.request.urlopen(base_url.removesuffix("/v1") + "/_emulator/ledger") as answer:
        ledger = json.load(answer)
    counts = ledger["requests"]
    return sum(counts.values()) if isinstance(counts, dict) else int(counts)


def count_videos(directory: Path, count: int) -> None:
    found = len(list(directory.rglob("*.mp4")))
    if found != count:
        sys.exit(f"{directory.name} made {found} videos instead of {count}")


def report(options: argparse.Namespace, peers: dict[str, list[Figures]]) -> None:
    print(
        f"{options.count} videos, {options.latency:g} s latency, {options.video_bytes / 1e6:g} MB each; "
        f"median of {options.runs} (min to max); {os.cpu_count()} cores, Python {platform.python_version()}"
    )
    print(f"{'':34}{'wall s':>20}{'CPU s':>20}{'peak MB':>20}{'requests':>12}")
    for name, figures in peers.items():
        row = [spread([getattr(f, column) for f in figures]) for column in ("wall", "cpu", "peak_mb")]
        print(f"{name:34}{row[0]:>20}{row[1]:>20}{row[2]:>20}{statistics.median(f.requests for f in figures):>12g}")
    for peer in (DOWNLOAD, CHECKED):
        ratios = [ratio(peers[peer], peers[OWN], column) for column in ("wall", "cpu", "peak_mb")]
        print(f"runner / {peer}: wall {ratios[0]:.2f}, CPU {ratios[1]:.2f}, memory {ratios[2]:.2f}")


def ratio(peer: list[Figures], own: list[Figures], column: str) -> float:
    return statistics.median(getattr(b, column) / getattr(a, column) for a, b in zip(peer, own, strict=True))


def spread(values: list[float]) -> str:
    return f"{statistics.median(values):.1f} ({min(values):.1f}-{max(values):.1f})"


if __name__ == "__main__":
    main()
