"""How long to wait before something is tried again."""

from __future__ import annotations

from dataclasses import dataclass

from .clock import Clock


@dataclass(frozen=True, slots=True)
class Backoff:
    """Doubling waits of at most `cap` seconds.

    `floor` is the part of each wait that is certain; with 0 the jitter is full, which spreads a crowd best.
    """

    base: float
    cap: float
    floor: float = 0

    def seconds(self, failures: int, clock: Clock) -> float:
        """The wait after so many failures in a row, the first being 1."""
        longest = min(self.cap, self.base * 2.0 ** min(failures - 1, 30))
        return longest * (self.floor + (1 - self.floor) * clock.random())
