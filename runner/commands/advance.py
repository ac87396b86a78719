"""Say now and then how far a command is that goes through many things."""

from __future__ import annotations

import time

from runner.display.output import say

_EVERY = 2.0
"""Seconds between two lines."""


class Advance:
    """Say every few seconds how many are done."""

    def __init__(self, what: str, before: str = "") -> None:
        """Take the plural of what is counted, and what stands before it on each line."""
        self._what = what
        self._before = before
        self._said = time.monotonic()

    def __call__(self, done: int, count: int) -> None:
        """Take how many are done, of how many."""
        if done < count and time.monotonic() - self._said > _EVERY:
            self._said = time.monotonic()
            say(f"{self._before}{done:,} of {count:,} {self._what}")
