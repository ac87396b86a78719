"""`python -m runner` and the console script `runner`."""

from __future__ import annotations

import gc
import sys


def main() -> None:
    """Run the command line and exit with its code."""
    # Imports and composing allocate what stays; collecting at every 700 objects would be a tenth of start-up.
    gc.set_threshold(10_000, 20, 50)
    from runner.app import run  # after the interpreter has found us: `--help` must stay quick

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
