"""The wait that one 429 imposes on everyone."""

from __future__ import annotations

from runner.errors import RateLimitError

from .backoff import Backoff
from .clock import Clock

_BACKOFF = Backoff(base=1, cap=60)


class Pause:
    """Shared by all runs on an endpoint: as long as the server says, else doubling with full jitter."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until = float("-inf")
        self._refused_at = float("-inf")
        self._refusals = 0

    @property
    def left(self) -> float:
        """Seconds still to wait, 0 if none."""
        return max(0.0, self._until - self._clock.elapsed())

    def refused(self, error: RateLimitError, sent_at: float) -> None:
        """Take a 429 into account, for a request that was sent at `sent_at` (`Clock.elapsed`)."""
        now = self._clock.elapsed()
        if sent_at > self._refused_at:
            # Requests sent together are refused together: that is one refusal, not eight.
            self._refusals += 1
            self._refused_at = now
            if error.retry_after is None:
                self._until = max(self._until, now + _BACKOFF.seconds(self._refusals, self._clock))
        if error.retry_after is not None:
            self._until = max(self._until, now + error.retry_after)

    def accepted(self, sent_at: float) -> None:
        """Forget the refusals, after a request that was sent later than the last of them was served."""
        if sent_at > self._refused_at:
            self._refusals = 0
