"""Which display suits where the output goes."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from runner.config.run import Progress
from runner.engine.run import Event, Observer, Run

from .plain import PlainDisplay


@contextmanager
def observing(runs: Sequence[Run], mode: Progress = "auto") -> Iterator[Observer]:
    """Yield the observer that `mode` asks for; `auto` is live on a terminal and plain elsewhere."""
    chosen = _choose(mode)
    if chosen == "off":
        yield _silent
    elif chosen == "plain":
        yield PlainDisplay(len(runs))
    else:
        from .live import LiveDisplay  # rich costs 60 ms that a pipe need not pay

        with LiveDisplay(len(runs)) as display:
            yield display


def _choose(mode: Progress) -> Progress:
    if mode != "auto":
        return mode
    dumb = os.environ.get("TERM") == "dumb" or "CI" in os.environ
    return "live" if sys.stderr.isatty() and not dumb else "plain"


def _silent(_event: Event) -> None:
    """Say nothing."""
