"""1,000 images in one batch, each 0.5 MB of base64 in its line: memory is bounded by a line, not by the file.

    python tests/benchmarks/batch.py [--count 1000] [--megabytes 0.5] [--repeats 5]

The server's batches are done at once, and each line has the same picture.
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

BARE = "openai, json.loads of the whole file"
OWN = "runner -m batch=true"
ONE = "runner -m batch=true, one image"
_BEYOND = 60
"""MB above one line that the whole may take."""


def main() -> None:
    """Measure everything in turn, then print the table and the goals."""
    options = _arguments()
    heading(f"{options.count} images of {options.megabytes:g} MB of base64 in a batch")
    found: dict[str, list[Figures]] = {}
    with _serving(options.megabytes) as base_url, tempfile.TemporaryDirectory(prefix="runner-bench-") as folder:
        for _ in range(options.repeats):
            for name in (ONE, BARE, OWN):
                found.setdefault(name, []).append(_measured(name, base_url, options.count, folder))
    print_figures(found)
    base, peak = (statistics.median(each.peak_mb for each in found[name]) for name in (ONE, OWN))
    goal("memory above one image's", peak - base, options.megabytes + _BEYOND, " MB")
    walls = [[each.wall for each in found[name]] for name in (OWN, BARE)]
    print(f"  wall of {OWN}, which also decodes every picture, / {BARE}: {ratio(*walls):.2f}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--megabytes", type=float, default=0.5, help="of base64 an image")
    parser.add_argument("--repeats", type=int, default=int(os.environ.get("BENCH_REPEATS", "5")))
    return parser.parse_args()


def _measured(name: str, base_url: str, count: int, folder: str) -> Figures:
    directory = Path(tempfile.mkdtemp(dir=folder)) / "made"
    made = 1 if name == ONE else count
    bare = [sys.executable, SCRIPTS / "bare_batch.py", base_url, str(made), directory]
    own = [
        *(sys.executable, "-m", "runner", "-m", "provider=openai", f"provider.base_url={base_url}"),
        *("model=gpt-image-1-mini", "request=image", "request.size=1024x1024", "provider.retired_models=off"),
        *("batch=true", "provider.poll_interval=0.25", "budget.confirm_above_usd=null"),
        *(f"replica=range({made})", f"hydra.sweep.dir={directory}"),
    ]
    try:
        figures = measure(bare if name == BARE else own)
        images = [path for path in directory.rglob("*.png") if path.stat().st_size > 1000]
    finally:
        empty(directory)
    if len(images) != made:
        raise CommandError(f"{name} made {len(images)} images instead of {made}")
    return figures


@contextmanager
def _serving(megabytes: float) -> Iterator[str]:
    script = Path(__file__).with_name("batch_server.py")
    with subprocess.Popen([sys.executable, script, str(megabytes)], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield server.stdout.readline().strip()
        finally:
            server.kill()


if __name__ == "__main__":
    main()
