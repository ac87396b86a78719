"""400 images, each 1.5 MB of base64 in its answer: memory is bounded by the requests in flight.

    python tests/benchmarks/images.py [--count 400] [--repeats 5]

The server answers each request with the same picture, so that drawing is no part of the figures.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from measurement import CommandError, Figures, empty, measure
from peer import SCRIPTS
from table import goal, heading, print_figures, ratio

BARE = "bare SDK, 8 requests at a time"
CHECKING = "bare SDK, 8 requests at a time, files checked"
UNBOUNDED = "bare SDK, unbounded gather"
OWN = "runner -m"
TWICE = "runner -m, 16 requests at a time"
ONE = "runner -m, one image"
_IN_FLIGHT = 8
_COPIES = 6
"""Times that an answer may be in memory: as received, as text, as JSON, decoded, and as pixels for its check."""


def main() -> None:
    """Measure everything in turn, then print the table and the goals."""
    options = _arguments()
    heading(f"{options.count} images of {options.megabytes:g} MB of base64")
    found: dict[str, list[Figures]] = {}
    with _serving(options.megabytes) as base_url, tempfile.TemporaryDirectory(prefix="runner-bench-") as folder:
        for _ in range(options.repeats):
            for name in (ONE, BARE, CHECKING, UNBOUNDED, OWN, TWICE):
                found.setdefault(name, []).append(_measured(name, base_url, options.count, folder))
    print_figures(found)
    base, peak = (statistics.median(each.peak_mb for each in found[name]) for name in (ONE, OWN))
    goal("memory above one image's", peak - base, _IN_FLIGHT * _COPIES * options.megabytes, " MB")
    for peer in (BARE, CHECKING):
        for what in ("wall", "cpu"):
            figures = [[getattr(each, what) for each in found[name]] for name in (OWN, peer)]
            print(f"  {what} of {OWN}, which also decodes every picture, / {peer}: {ratio(*figures):.2f}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--megabytes", type=float, default=1.5, help="of base64 an image")
    parser.add_argument("--repeats", type=int, default=int(os.environ.get("BENCH_REPEATS", "5")))
    return parser.parse_args()


def _measured(name: str, base_url: str, count: int, folder: str) -> Figures:
    directory = Path(tempfile.mkdtemp(dir=folder)) / "made"
    made = 1 if name == ONE else count
    at_a_time = {UNBOUNDED: 0, TWICE: 2 * _IN_FLIGHT}.get(name, _IN_FLIGHT)
    bare = [sys.executable, SCRIPTS / "bare_images.py", base_url, str(made), directory, str(at_a_time)]
    bare += ["checked"] * (name == CHECKING)
    own = [
        *(sys.executable, "-m", "runner", "-m", "provider=openai", f"provider.base_url={base_url}"),
        *("model=gpt-image-1", "request=image", "request.size=1024x1024", "provider.retired_models=off"),
        *(f"provider.max_concurrent_requests={at_a_time}", "budget.confirm_above_usd=null"),
        *(f"replica=range({made})", f"hydra.sweep.dir={directory}"),
    ]
    try:
        figures = measure(bare if name in (BARE, CHECKING, UNBOUNDED) else own)
        images = [path for path in directory.rglob("*.png") if path.stat().st_size > 1000]
    finally:
        empty(directory)
    if len(images) != made:
        raise CommandError(f"{name} made {len(images)} images instead of {made}")
    return figures


@contextmanager
def _serving(megabytes: float) -> Iterator[str]:
    command = [sys.executable, SCRIPTS.parent / "image_server.py", str(megabytes)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            yield server.stdout.readline().strip() if server.stdout else ""
        finally:
            server.terminate()


if __name__ == "__main__":
    main()
