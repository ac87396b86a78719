"""`python -m runner` and the console script `runner`."""

from __future__ import annotations

import gc
import sys


def main() -> None:
    """Run the command line and exit with its code."""
    # Imports and composing allocate what stays: looking for garbage in it would be a tenth of start-up.
    gc.disable()
    from runner.app import run  # after the interpreter has found us: `--help` must stay quick

    try:
        sys.exit(run(sys.argv[1:]))
    finally:
        gc.freeze()  # the interpreter would look through everything twice before it ends


if __name__ == "__main__":
    main()
