"""`make bench`: every benchmark, one table after the other; each script also runs alone (`--help`).

BENCH_REPEATS (5) is how often each thing is measured; 1 gives a quick look.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from measurement import REPO

HERE = Path(__file__).resolve().parent
SCRIPTS = (
    "startup",
    "composing",
    "videos",
    "polling",
    "images",
    "batch",
    "big_file",
    "ledger",
    "archive",
    "reading",
    "metrics",
    "upload",
    "pool",
    "scale",
)


def main() -> int:
    """Run them all; 1 if one of them could not measure."""
    path = os.pathsep.join([str(REPO), *filter(None, [os.environ.get("PYTHONPATH")])])
    codes = {
        name: subprocess.run(
            [sys.executable, HERE / f"{name}.py"], env={**os.environ, "PYTHONPATH": path}, check=False
        ).returncode
        for name in SCRIPTS
    }
    failed = [name for name, code in codes.items() if code]
    if failed:
        print(f"could not measure: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
