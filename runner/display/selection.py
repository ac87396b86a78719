"""Which display suits where the output goes."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from runner.config.run import Progress
from runner.engine.run import Event, Observer, Run

from .plain import PlainDisplay

_DUMB = ("dumb", "unknown")
"""Terminals whose cursor cannot be moved."""


@contextmanager
def observing(runs: Sequence[Run], mode: Progress = "auto") -> Iterator[Observer]:
    """Yield the observer that `mode` asks for; `auto` is live on a terminal and plain elsewhere, as in CI."""
    chosen = _choose(mode)
    if chosen == "off":
        yield _silent
    elif chosen == "plain":
        yield PlainDisplay(runs)
    else:
        from .live import LiveDisplay  # rich costs 60 ms that a pipe need not pay

        with LiveDisplay(runs) as display:
            yield display


def _choose(mode: Progress) -> Progress:
    """Return what is asked for, but nothing that redraws itself where nothing can be redrawn."""
    if mode in ("off", "plain"):
        return mode
    terminal = sys.stderr.isatty() and os.environ.get("TERM") not in _DUMB
    automatic = os.environ.get("CI", "") not in ("", "0", "false") and mode == "auto"
    return "live" if terminal and not automatic else "plain"


def _silent(_event: Event) -> None:
    """Say nothing."""
