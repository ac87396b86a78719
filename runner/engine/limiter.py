"""Find and keep an endpoint's limits: how many at a time, how long to pause, when to stop."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import AsyncIterator, Callable, Hashable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Protocol

from runner.config.provider import ProviderConfig
from runner.errors import RateLimitError

from .clock import Backoff, Clock


class AdaptiveLimiter:
    """Give out places, `most` of them at first, in the order they were asked for."""

    def __init__(self, most: int, stop_event: StopEvent | None = None) -> None:
        """Make places; a `stop_event`, if given, ends the wait for one."""
        self._most = most
        self._size = float(most)
        self._held: set[Hashable] = set()
        self._waiting: deque[tuple[Hashable, asyncio.Future[None]]] = deque()
        self._stop_event = stop_event
        if stop_event is not None:
            stop_event.on_set(self._dismiss)

    @property
    def limit(self) -> int:
        """Return how many places there are at present, at least 1."""
        return int(self._size)

    @property
    def held(self) -> int:
        """Return how many places are taken; more than `limit` after it fell or others joined."""
        return len(self._held)

    async def enter(self, holder: Hashable) -> None:
        """Wait for a free place and take it for `holder`; raises `StoppedError` if submitting ends before."""
        if self._stop_event is not None:
            self._stop_event.check()
        if not self._waiting and self.held < self.limit:
            self._held.add(holder)
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((holder, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # the place was given in the same moment
                self.leave(holder)
            raise

    def join(self, holder: Hashable) -> None:
        """Count `holder`, which is at the provider already."""
        self._held.add(holder)

    def leave(self, holder: Hashable) -> None:
        """Give back the place of `holder`, if it has one."""
        self._held.discard(holder)
        self._admit()

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Hold a place, once there is one."""
        holder = object()
        await self.enter(holder)
        try:
            yield
        finally:
            self.leave(holder)

    @contextmanager
    def joined(self, holder: Hashable) -> Iterator[None]:
        """Count `holder` meanwhile."""
        self.join(holder)
        try:
            yield
        finally:
            self.leave(holder)

    def shrink(self) -> None:
        """Halve what is really held, after a refusal."""
        self._resize(min(self._size, self.held) / 2)

    def grow(self, places: float | None = None) -> None:
        """Add `places` after a success; None is one for every round of as many as there are."""
        self._resize(self._size + (1 / self._size if places is None else places))

    def _resize(self, size: float) -> None:
        self._size = max(1.0, min(float(self._most), size))
        self._admit()

    def _admit(self) -> None:
        while self._waiting and self.held < self.limit:
            holder, turn = self._waiting.popleft()
            if not turn.done():
                self._held.add(holder)
                turn.set_result(None)

    def _dismiss(self) -> None:
        for _, turn in self._waiting:
            if not turn.done():
                turn.set_exception(StoppedError)
        self._waiting.clear()


class JobPlaces(AdaptiveLimiter):
    """Limit the jobs at a provider that may have a limit of its own, which only its refusals tell.

    A refusal for too many jobs leaves as many places as the provider has accepted jobs, and after the first one more,
    as it may have been by chance. Refused again, the limit is taken for known: one place beyond is tried after every
    round of acceptances, more rarely while that is refused. Once it is accepted, each acceptance adds a place, as in
    TCP's slow start.
    """

    def __init__(self, most: int, stop_event: StopEvent | None = None) -> None:
        super().__init__(most, stop_event)
        self._known: int | None = None
        """How many jobs the provider runs at most, as far as its refusals tell."""
        self._refused = 0
        self._accepted = 0

    def crowded(self, wave: int, *, first: bool) -> None:
        """Keep only what the provider has accepted, after its refusal of a holder that has not left yet.

        `wave` counts those of refusals without an acceptance between them, from 1; `first` is said once in each.
        """
        if self._known is None and wave == 1:
            self._resize(min(self._size, self.held))
            return
        self._known = max(1, self.held - 1)
        self._refused += first
        self._accepted = 0
        self._resize(min(self._size, self._known))

    def grow(self, places: float | None = None) -> None:
        """Add places after a job was accepted: `places` or one, but beyond a known limit rarely."""
        if self._known is not None and self.held > self._known:
            self._known, self._refused = None, 0
        if self._known is None:
            super().grow(1 if places is None else places)
            return
        self._accepted += 1
        if self._accepted >= self._known * 2 ** min(self._refused - 1, _RAREST):
            self._accepted = 0
            self._resize(self._known + 1)


_RAREST = 2
"""Doublings of the acceptances after which a place beyond a known limit is tried."""


class PartialLimiter(AdaptiveLimiter):
    """Give out three quarters of another limiter's places, at least one, to what lasts long and must not take all."""

    def __init__(self, whole: AdaptiveLimiter) -> None:
        super().__init__(whole.limit)
        self._whole = whole

    @property
    def limit(self) -> int:
        """Return how many places there are at present, at least 1."""
        return max(1, self._whole.limit - max(1, self._whole.limit // 4))


_BACKOFF = Backoff(base=1, cap=60)


class Pause:
    """Pause all runs on an endpoint: for as long as the server says, else doubling with full jitter."""

    def __init__(self, clock: Clock, at_once: AdaptiveLimiter) -> None:
        """Take the limiter `at_once`, which each wave of 429s shrinks."""
        self._clock = clock
        self._at_once = at_once
        self.until = float("-inf")
        """The moment (`Clock.elapsed`) at which all may go on."""
        self._refused_at = float("-inf")
        self._refused_since: float | None = None
        self.refusals = 0
        """Waves of refusals since something was accepted."""
        self.error: RateLimitError | None = None
        """The last refusal."""
        self._told = ""

    @property
    def left(self) -> float:
        """Return seconds still to wait, 0 if none."""
        return max(0.0, self.until - self._clock.elapsed())

    @property
    def seconds(self) -> float:
        """Return seconds from the first refusal since something was accepted to the end of the wait, 0 if none."""
        return 0.0 if self._refused_since is None else max(self.until, self._refused_at) - self._refused_since

    def new_words(self) -> bool:
        """Return whether the last refusal's words, but for their numbers, are other than when this was asked last."""
        words = re.sub(r"\S*\d\S*", "", str(self.error))
        self._told, before = words, self._told
        return words != before

    def extend(self, seconds: float) -> None:
        """Let everyone wait for at least so long."""
        self.until = max(self.until, self._clock.elapsed() + seconds)

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
            if not error.retry_after:  # retry after 0 s is no advice
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
    """Pause paid requests, whose refusals are about jobs, about a rate, or do not tell."""

    def __init__(self, clock: Clock, places: JobPlaces, at_once: AdaptiveLimiter) -> None:
        """Take the limiters of jobs at the provider (`places`) and of requests under way (`at_once`)."""
        super().__init__(clock, at_once)
        self._places = places

    def _shrink(self, error: RateLimitError, *, wave: bool) -> None:
        if error.exhausted:
            # A rate limit: the number of running jobs is fine. With fewer requests at once, fewer are refused.
            if wave:
                self._at_once.shrink()
        elif error.crowded or self.refusals > 1:
            self._places.crowded(self.refusals, first=wave)

    def _grow(self) -> None:
        self._at_once.grow(1)
        self._places.grow()


class Permits(Protocol):
    """Share an endpoint's limits with the engines of other processes."""

    async def take(self, holder: Hashable) -> None:
        """Wait until a paid request may be sent by what all send together; raises `StoppedError`."""

    def join(self, holder: Hashable) -> None:
        """Hear that the job of `holder` is at the provider already."""

    def leave(self, holder: Hashable) -> None:
        """Give back the place of `holder`, if it has one or waits for one."""

    def refused(self, error: RateLimitError, sent_at: float, *, paid: bool) -> None:
        """Hear of a 429, for a request that was sent at `sent_at` (`Clock.elapsed`)."""

    def accepted(self, sent_at: float, submit_after: float | None) -> None:
        """Hear that a paid request was accepted, and after how many seconds the next may be sent."""


class StoppedError(Exception):
    """Raised when nothing may be submitted any more; the run stays planned."""


class StopEvent:
    """Tell that nothing more is submitted: set once, never cleared."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self.immediate = False
        """Whether even a request that was recorded as leaving must not leave."""
        self._listeners: list[Callable[[], None]] = []

    @property
    def is_set(self) -> bool:
        """Return whether submitting has ended."""
        return self._event.is_set()

    def set(self, *, drain: bool = False) -> None:
        """End submitting; with `drain`, what was recorded as leaving still leaves."""
        self.immediate = self.immediate or not drain
        self._event.set()
        for listener in self._listeners:
            listener()

    def on_set(self, listener: Callable[[], None]) -> None:
        """Call `listener` when submitting ends; it may be called more than once."""
        self._listeners.append(listener)

    def check(self) -> None:
        """Raise `StoppedError` if submitting has ended."""
        if self.is_set:
            raise StoppedError

    async def sleep(self, seconds: float, clock: Clock) -> None:
        """Wait, and raise `StoppedError` as soon as submitting has ended."""
        self.check()
        sleeper, listener = asyncio.create_task(clock.sleep(seconds)), asyncio.create_task(self._event.wait())
        try:
            await asyncio.wait({sleeper, listener}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeper.cancel()
            listener.cancel()
        self.check()


class EndpointLimits:
    """Hold all limits of one endpoint.

    Attributes:
        stop_event: set when nothing more may be submitted here.
        places: those for jobs at the provider, held from a paid request until its job has ended.
        requests: those for requests under way.
        transfers: those for downloads, which are part of the requests.
        submissions: the pause that a 429 on a paid request imposes on paid requests.
        reads: the pause that a 429 on any other request imposes on everything. The two differ because "too many
            running jobs" must not keep finished videos from being collected.
    """

    def __init__(self, config: ProviderConfig, clock: Clock) -> None:
        self._clock = clock
        self._per_minute = config.requests_per_minute
        self._next = float("-inf")
        self.stop_event = StopEvent()
        most = config.max_concurrent_requests
        self.places = JobPlaces(config.max_concurrent_jobs, self.stop_event)
        self._paid = AdaptiveLimiter(most, self.stop_event)
        self.requests = AdaptiveLimiter(most)
        self.transfers = PartialLimiter(self.requests)
        self.submissions = SubmissionPause(clock, self.places, self._paid)
        self.reads = Pause(clock, self.requests)

    @property
    def paused(self) -> float:
        """Return seconds that paid requests still pause, 0 if they do not."""
        return max(self.submissions.left, self.reads.left)

    @property
    def submission_wait(self) -> float:
        """Return seconds until a paid request may be sent, by its pauses and its pace; not above 0: now."""
        return max(self._next, self.submissions.until, self.reads.until) - self._clock.elapsed()

    async def take_turn(self, holder: Hashable) -> float:
        """Take all that a paid request needs, if one may be sent; else return the seconds until another try.

        Not above 0: it is taken. Raises `StoppedError` if submitting ends before.
        """
        if (wait := self.submission_wait) > 0:
            return wait
        needed = (self.places, self._paid, self.requests)
        for limiter in needed:
            await limiter.enter(holder)
        # A 429 or the end of submitting may have come meanwhile. A run that waits for its end holds no place.
        if self.stop_event.is_set or (wait := self.submission_wait) > 0:
            for limiter in needed:
                limiter.leave(holder)
            self.stop_event.check()
        elif self._per_minute is not None:
            self._next = self._clock.elapsed() + 60 / self._per_minute
        return wait

    def end_turn(self, holder: Hashable) -> None:
        """Give back what a paid request needs until it is answered: all but the place of its job."""
        self._paid.leave(holder)
        self.requests.leave(holder)
