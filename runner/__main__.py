"""Run `python -m runner` and the console script `runner`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and exit with its code."""
    from runner.app import run  # after the interpreter has found us: `--help` must stay quick
    from runner.display.output import open_streams

    open_streams()
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
