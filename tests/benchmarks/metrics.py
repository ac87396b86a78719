"""What metrics cost: CPU for all that are built in, as a share of the length of a 720p video.

    python tests/benchmarks/metrics.py [--seconds 8] [--repeats 5]

Measured in an environment of its own, as the packages of the extra `metrics` would slow the start that others measure.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

from measurement import REPO
from peer import Peer, UnavailableError
from table import goal, heading, spread

_PACKAGES = ("numpy", "imagehash")


def main() -> int:
    """Measure here where the packages are, else in the other environment; 1 where they cannot be had."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=int(os.environ.get("BENCH_REPEATS", "5")))
    options = parser.parse_args()
    if all(find_spec(package) for package in _PACKAGES):
        _measure(options.seconds, options.repeats)
        return 0
    try:
        python = Peer("runner-metrics", (f"{REPO}[metrics]",)).python()
    except UnavailableError as error:
        print(f"metrics: {error}", file=sys.stderr)
        return 1
    return subprocess.run([python, __file__, *sys.argv[1:]], check=False).returncode


def _measure(seconds: int, repeats: int) -> None:
    from runner.emulator.job import Clip
    from runner.emulator.video import render
    from runner.metrics.catalog import BUILT_IN, find
    from runner.metrics.measuring import measured
    from runner.metrics.metric import Subject

    heading(f"metrics of a video of {seconds} s, 1280x720 at 24 frames a second, with sound")
    with tempfile.TemporaryDirectory(prefix="runner-bench-") as folder:
        path = render(Clip("A red fox in the snow", "sora-2", 1280, 720, seconds), Path(folder), "video")
        asked = Subject(path, "video/mp4", "A red fox", 1280, 720, seconds, 24, siblings=(path,))
        groups = {
            "decoding alone": ["duration_error"],
            "sharpness and motion": ["sharpness", "motion"],
            "all": [name for name, each in BUILT_IN.items() if each.extra == "metrics"],
        }
        for name, metrics in groups.items():
            found = {metric: find(metric) for metric in metrics}
            measured(asked, found)  # imports
            shares = [_share(asked, found, seconds) for _ in range(repeats)]
            print(f"{name}: {spread(shares, 3)} of its length in CPU", flush=True)
    goal("all built-in metrics", sorted(shares)[len(shares) // 2], 0.25, " of real time")


def _share(asked, metrics, seconds: int) -> float:
    from runner.metrics.likeness import perceptual_hash
    from runner.metrics.measuring import measured

    perceptual_hash.cache_clear()
    began = time.process_time()
    measured(asked, metrics)
    return (time.process_time() - began) / seconds


if __name__ == "__main__":
    sys.exit(main())
