"""How long to wait before something is tried again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tenacity import RetryCallState, Retrying, wait_exponential

from .clock import Clock

_NONE = Retrying()
"""To which retrying a wait belongs, as tenacity asks, where it belongs to none."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """Doubling waits of at most `cap` seconds, with the clock's dice for the jitter.

    `floor` is the part of each wait that is certain; with 0 the jitter is full, which spreads a crowd best.
    """

    base: float
    cap: float
    floor: float = 0

    def wait(self, clock: Clock) -> Callable[[RetryCallState], float]:
        """The wait after each attempt, as tenacity takes it."""
        longest = wait_exponential(multiplier=self.base, max=self.cap)
        return lambda state: longest(state) * (self.floor + (1 - self.floor) * clock.random())

    def seconds(self, failures: int, clock: Clock) -> float:
        """The wait after so many failures in a row, the first being 1, of something that is no single call."""
        state = RetryCallState(_NONE, None, (), {})
        state.attempt_number = failures
        return self.wait(clock)(state)
