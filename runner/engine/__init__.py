"""Execute runs: scheduling, limits and the way of each run from planned to verified."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lazy import names_from

if TYPE_CHECKING:
    from .execution import execute, run_all
    from .run import Event, Observer, Outcome, Run
    from .session import Session

__all__ = ["Event", "Observer", "Outcome", "Run", "Session", "execute", "run_all"]

# What a run is must be known to all; how it is done only where something is.
__getattr__ = names_from(
    __name__,
    {
        "execution": ("execute", "run_all"),
        "run": ("Event", "Observer", "Outcome", "Run"),
        "session": ("Session",),
    },
)
