"""One place that requests go to, and how hard it may be pressed: shared by all its runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from contextlib import asynccontextmanager
from typing import TypeVar

from runner.config import ProviderConfig
from runner.errors import (
    ConfigError,
    HTTPConnectionError,
    RateLimitError,
    RunnerError,
    ServerError,
    UncertainError,
    UnexpectedAnswerError,
)
from runner.providers.base import PAGE, ImageBatch, Job, JobPage, Provider

from .capacity import Capacity, Share
from .clock import Clock
from .durations import Durations
from .halt import Halt
from .pause import Pause
from .rollcall import RollCall

A = TypeVar("A")
Q = TypeVar("Q")

_log = logging.getLogger("runner")

_CLOSING_SECONDS = 5.0

_POLL_SECONDS = 30.0
"""How long the answer to one poll may take: a stalled one must not outlast the job's deadline."""


class Endpoint:
    """A provider's one client with its limits.

    Attributes:
        halt: said when nothing more may be submitted here.
        places: those for jobs at the provider, held from a paid request until its job has ended.
        submissions: the pause that a 429 on a paid request imposes on paid requests.
        reads: the pause that a 429 on any other request imposes on everything. The two differ because "too many
            running jobs" must not keep finished videos from being collected.
        rollcall: what hears of many jobs at once.
        durations: how long jobs here took.
        answered: whether this endpoint ever behaved like the API it should be.
        troubled: whether polls fail at present; said once for all runs.
        stopped_by: the error for which submitting ended here.
    """

    def __init__(self, provider: Provider, config: ProviderConfig, clock: Clock) -> None:
        self.provider = provider
        self.config = config
        self.clock = clock
        self.halt = Halt()
        requests = config.max_concurrent_requests
        self.places = Capacity(config.max_concurrent_jobs, self.halt)
        self._paid = Capacity(requests, self.halt)
        self._requests = Capacity(requests)
        self._transfers = Share(self._requests)
        self.submissions = Pause(clock, self.places, self._paid)
        self.reads = Pause(clock, self._requests)
        self.rollcall = RollCall(clock, config.poll_interval, self._page, self.retrieve)
        self.durations = Durations()
        self.answered = False
        self.troubled = False
        self.stopped_by: RunnerError | None = None
        self._turn = asyncio.Lock()
        self._next_submission = float("-inf")

    @asynccontextmanager
    async def submission(self, run: Hashable) -> AsyncIterator[None]:
        """Wait for the turn to send one paid request: places, pauses, pace; raises `Halted`.

        The run keeps its place among the jobs, for as long as its job is at the provider, unless this is left with an
        error.
        """
        try:
            async with self._turn:
                await self._take_turn(run)
            self._pace()
            yield
        except BaseException:
            self.places.leave(run)
            raise
        finally:
            self._paid.leave(run)
            self._requests.leave(run)

    @asynccontextmanager
    async def transfer(self) -> AsyncIterator[None]:
        """Wait until a download may begin."""
        while (wait := self.reads.left) > 0:
            await self.clock.sleep(wait)
        async with self._transfers.place(), self._requests.place():
            yield

    async def retrieve(self, job_id: str) -> Job:
        """Ask for a job's state, as one of the bounded requests.

        Raises `RateLimitError` unasked if a pause began while this waited for its turn.
        """
        job = await self._asked(self.provider.retrieve, job_id, f"answer about job {job_id}")
        self.troubled = False
        return job

    async def jobs(self, after: str | None = None) -> JobPage:
        """List a page of the jobs here, newest first, as one of the bounded requests, once no pause is left."""
        while (wait := self.reads.left) > 0:
            await self.clock.sleep(wait)
        return await self._page(after)

    async def _page(self, after: str | None) -> JobPage:
        return await self._asked(self.provider.jobs, after, "list of jobs")

    async def _asked(self, ask: Callable[[Q], Awaitable[A]], subject: Q, wanted: str) -> A:
        async with self._requests.place():
            if self.reads.left > 0:
                raise RateLimitError("the endpoint asked everyone to wait", retry_after=self.reads.left)
            sent_at = self.clock.elapsed()
            try:
                async with asyncio.timeout(min(_POLL_SECONDS, self.config.timeout)):
                    answer = await ask(subject)
            except TimeoutError as error:
                raise ServerError(f"no {wanted} within {_POLL_SECONDS:.0f} s") from error
            except RateLimitError as error:
                self.reads.refused(error, sent_at)
                raise
        self.reads.accepted(sent_at)
        self.answered = True
        return answer

    def accepted(self, answer: Job | ImageBatch, run: Hashable, sent_at: float) -> None:
        """Hear the answer to a paid request of `run`, which was sent at `sent_at` (`Clock.elapsed`)."""
        self.answered = True
        self.submissions.accepted(sent_at)
        if answer.submit_after is not None:
            self.submissions.extend(answer.submit_after)
        if isinstance(answer, ImageBatch):
            # A job goes on at the provider; of images nothing stays there.
            self.places.leave(run)

    def stop(self, error: RunnerError) -> bool:
        """End submitting here; whether this is the first to say so."""
        if self.halt.said:
            return False
        self.stopped_by = error
        self.halt.say()
        return True

    def concerns_all(self, error: RunnerError) -> bool:
        """Whether every other run here would meet this error too."""
        early = HTTPConnectionError | UnexpectedAnswerError | ConfigError
        page = isinstance(error, UncertainError) and error.code == PAGE
        return error.shared or (not self.answered and (page or isinstance(error, early)))

    async def _take_turn(self, run: Hashable) -> None:
        """Take all that a paid request needs, at a moment when one may be sent."""
        needed = (self.places, self._paid, self._requests)
        while True:
            while (wait := self._submission_wait()) > 0:
                await self.halt.sleep(wait, self.clock)
            for capacity in needed:
                await capacity.enter(run)
            # A 429 or the end of submitting may have come in between. Who waits for its end holds nothing.
            if not self.halt.said and self._submission_wait() <= 0:
                return
            for capacity in needed:
                capacity.leave(run)

    def _submission_wait(self) -> float:
        self.halt.check()
        until_next = self._next_submission - self.clock.elapsed()
        return max(until_next, self.submissions.left, self.reads.left)

    def _pace(self) -> None:
        if self.config.requests_per_minute is not None:
            self._next_submission = self.clock.elapsed() + 60 / self.config.requests_per_minute


def stop_note(error: RunnerError) -> str:
    """What to say once when `error` ends submitting."""
    return f"nothing more is submitted, as every other run there would meet this too: {error}"


async def close_client(provider: Provider) -> None:
    """Close a provider's connections; what does not close in time is left to the end of the process."""
    try:
        await asyncio.wait_for(provider.close(), _CLOSING_SECONDS)
    except (TimeoutError, RunnerError, OSError) as error:
        _log.warning("the client of %s did not close: %s", provider.endpoint, error)
