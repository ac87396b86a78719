"""What a 429 imposes on everyone: a wait, and where it speaks of running jobs or repeats itself, fewer at once."""

from __future__ import annotations

import re

from runner.errors import RateLimitError

from .backoff import Backoff
from .capacity import Capacity, JobPlaces
from .clock import Clock

_BACKOFF = Backoff(base=1, cap=60)


class Pause:
    """Shared by all runs on an endpoint: as long as the server says, else doubling with full jitter."""

    def __init__(self, clock: Clock, at_once: Capacity) -> None:
        """Each wave of 429s shrinks `at_once`."""
        self._clock = clock
        self._at_once = at_once
        self._until = float("-inf")
        self._refused_at = float("-inf")
        self._refused_since: float | None = None
        self.refusals = 0
        """Waves of refusals since something was accepted."""
        self.error: RateLimitError | None = None
        """The last refusal."""
        self._told = ""

    @property
    def left(self) -> float:
        """Seconds still to wait, 0 if none."""
        return max(0.0, self._until - self._clock.elapsed())

    @property
    def seconds(self) -> float:
        """Seconds from the first refusal since something was accepted to the end of the wait, 0 if there is none."""
        return 0.0 if self._refused_since is None else max(self._until, self._refused_at) - self._refused_since

    def new_words(self) -> bool:
        """Return whether the last refusal's words, but for their numbers, are other than when this was asked last."""
        words = re.sub(r"\S*\d\S*", "", str(self.error))
        self._told, before = words, self._told
        return words != before

    def extend(self, seconds: float) -> None:
        """Let everyone wait for at least so long."""
        self._until = max(self._until, self._clock.elapsed() + seconds)

    def refused(self, error: RateLimitError, sent_at: float) -> None:
        """Take a 429 into account, for a request that was sent at `sent_at` (`Clock.elapsed`)."""
        self.error = error
        # Requests sent together are refused together: that is one refusal, not eight.
        wave = sent_at > self._refused_at
        if wave:
            self.refusals += 1
            self._refused_at = self._clock.elapsed()
            if self._refused_since is None:
                self._refused_since = self._refused_at
            if not error.retry_after:  # no second to wait is no advice
                self.extend(_BACKOFF.seconds(self.refusals, self._clock))
        self.extend(error.retry_after or 0)
        self._shrink(error, wave=wave)

    def accepted(self, sent_at: float) -> None:
        """Forget the refusals, after a request that was sent later than the last of them was served."""
        self._refused_since = None
        if sent_at <= self._refused_at:
            return
        self.refusals = 0
        self._grow()

    def _shrink(self, error: RateLimitError, *, wave: bool) -> None:  # noqa: ARG002 - subclasses ask what it says
        if wave:
            self._at_once.shrink()

    def _grow(self) -> None:
        self._at_once.grow()


class SubmissionPause(Pause):
    """The same for paid requests, whose refusals are about jobs, about a time, or do not tell."""

    def __init__(self, clock: Clock, places: JobPlaces, at_once: Capacity) -> None:
        """`places` are those of jobs at the provider; `at_once` those of requests that are under way."""
        super().__init__(clock, at_once)
        self._places = places

    def _shrink(self, error: RateLimitError, *, wave: bool) -> None:
        if error.exhausted:
            # Too much in a time: nothing is wrong with the jobs that run. Fewer requests at once waste fewer.
            if wave:
                self._at_once.shrink()
        elif error.crowded or self.refusals > 1:
            self._places.crowded(self.refusals, first=wave)

    def _grow(self) -> None:
        self._at_once.grow(1)
        self._places.grow()
