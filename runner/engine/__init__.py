"""Runs in, results out: scheduling, limits and the way of each run from planned to verified."""

from .execution import execute, run_all
from .outcome import Outcome
from .run import Event, Observer, Run
from .session import Session

__all__ = ["Event", "Observer", "Outcome", "Run", "Session", "execute", "run_all"]
