"""What a 429 imposes on everyone: a wait, and fewer at once."""

from __future__ import annotations

from runner.errors import RateLimitError

from .backoff import Backoff
from .capacity import Capacity
from .clock import Clock

_BACKOFF = Backoff(base=1, cap=60)


class Pause:
    """Shared by all runs on an endpoint: as long as the server says, else doubling with full jitter."""

    def __init__(self, clock: Clock, at_once: Capacity, in_time: Capacity | None = None) -> None:
        """A 429 shrinks `at_once`; one that speaks of requests per time shrinks `in_time` in its place, if given."""
        self._clock = clock
        self._at_once = at_once
        self._in_time = in_time
        self._until = float("-inf")
        self._refused_at = float("-inf")
        self._refusals = 0

    @property
    def left(self) -> float:
        """Seconds still to wait, 0 if none."""
        return max(0.0, self._until - self._clock.elapsed())

    def extend(self, seconds: float) -> None:
        """Let everyone wait for at least so long."""
        self._until = max(self._until, self._clock.elapsed() + seconds)

    def refused(self, error: RateLimitError, sent_at: float) -> None:
        """Take a 429 into account, for a request that was sent at `sent_at` (`Clock.elapsed`)."""
        if sent_at > self._refused_at:
            # Requests sent together are refused together: that is one refusal, not eight.
            self._refusals += 1
            self._refused_at = self._clock.elapsed()
            (self._in_time if self._in_time and error.exhausted else self._at_once).shrink()
            if not error.retry_after:  # no second to wait is no advice
                self.extend(_BACKOFF.seconds(self._refusals, self._clock))
        self.extend(error.retry_after or 0)

    def accepted(self, sent_at: float) -> None:
        """Forget the refusals, after a request that was sent later than the last of them was served."""
        if sent_at <= self._refused_at:
            return
        self._refusals = 0
        self._at_once.grow()
        if self._in_time is not None:
            self._in_time.grow()
