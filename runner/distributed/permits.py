"""Keep one endpoint's limits for all workers: how many jobs, how many requests a minute, how long to pause."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable

from runner.engine.clock import Clock
from runner.engine.limiter import AdaptiveLimiter, JobPlaces, StopEvent, SubmissionPause
from runner.errors import RateLimitError

from .messages import Answer, Limits

_ANY = 1_000_000
"""Requests at a time: each worker has a limit of its own."""


class EndpointPermits:
    """Give out turns to send a paid request, in the order in which they were asked for."""

    def __init__(self, limits: Limits, clock: Clock) -> None:
        self._limits = limits
        self._clock = clock
        self.stop_event = StopEvent()
        self._places = JobPlaces(limits.jobs, self.stop_event)
        self._pause = SubmissionPause(clock, self._places, AdaptiveLimiter(_ANY))
        self._reads_until = float("-inf")
        self._next = float("-inf")
        self._turn = asyncio.Lock()

    def join(self, holder: Hashable) -> None:
        """Count a run whose job is at the provider already, or whose request leaves without a turn."""
        self._places.join(holder)

    def leave(self, holder: Hashable) -> None:
        """Give back the place of `holder`, if it has one."""
        self._places.leave(holder)

    async def take(self, holder: Hashable) -> None:
        """Wait until one paid request may be sent, and take its place; raises `StoppedError`."""
        async with self._turn:
            while True:
                self.stop_event.check()
                if (wait := self._wait()) > 0:
                    await self.stop_event.sleep(wait, self._clock)
                    continue
                await self._places.enter(holder)
                if not self.stop_event.is_set and self._wait() <= 0:
                    break
                self._places.leave(holder)
            if self._limits.per_minute is not None:
                self._next = self._clock.elapsed() + 60 / self._limits.per_minute

    def _wait(self) -> float:
        return max(self._next, self._pause.until, self._reads_until) - self._clock.elapsed()

    def hear(self, answer: Answer) -> float:
        """Take an answer into account; the seconds of the pause that it brings all workers, 0 for none."""
        sent_at = self._clock.elapsed() - answer.ago
        if not isinstance(answer.error, RateLimitError):
            self._pause.accepted(sent_at)
            self._pause.extend(answer.submit_after or 0)
            return answer.submit_after or 0.0
        if answer.paid:
            self._pause.refused(answer.error, sent_at)
            return self._pause.left
        seconds = answer.error.retry_after or 0.0
        self._reads_until = max(self._reads_until, self._clock.elapsed() + seconds)
        return seconds
