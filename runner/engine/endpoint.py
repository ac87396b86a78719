"""One place that requests go to, and how hard it may be pressed: shared by all its runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

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
from runner.providers.base import PAGE, Job, Provider

from .clock import Clock
from .halt import Halt
from .pause import Pause

_log = logging.getLogger("runner")

_CLOSING_SECONDS = 5.0

_POLL_SECONDS = 30.0
"""How long the answer to one poll may take: a stalled one must not outlast the job's deadline."""


class Endpoint:
    """A provider's one client with its limits.

    Attributes:
        halt: said when nothing more may be submitted here.
        submissions: the pause that a 429 on a paid request imposes on paid requests.
        reads: the pause that a 429 on any other request imposes on everything. The two differ because "too many
            running jobs" must not keep finished videos from being collected.
        answered: whether this endpoint ever behaved like the API it should be.
        troubled: whether polls fail at present; said once for all runs.
        stopped_by: the error for which submitting ended here.
    """

    def __init__(self, provider: Provider, config: ProviderConfig, clock: Clock) -> None:
        self.provider = provider
        self.config = config
        self.clock = clock
        self.halt = Halt()
        self.submissions = Pause(clock)
        self.reads = Pause(clock)
        self.answered = False
        self.troubled = False
        self.stopped_by: RunnerError | None = None
        requests = config.max_concurrent_requests
        self._requests = asyncio.Semaphore(requests)
        # Downloads last long; a quarter of the requests stays free for polls and submissions.
        self._transfers = asyncio.Semaphore(max(1, requests - max(1, requests // 4)))
        self._turn = asyncio.Lock()
        self._next_submission = float("-inf")

    @asynccontextmanager
    async def submission(self) -> AsyncIterator[None]:
        """Wait for the turn to send one paid request: pauses, pace, a free request; raises `Halted`."""
        async with self._turn:
            await self._submission_slot()
        try:
            self._pace()
            yield
        finally:
            self._requests.release()

    @asynccontextmanager
    async def transfer(self) -> AsyncIterator[None]:
        """Wait until a download may begin."""
        while (wait := self.reads.left) > 0:
            await self.clock.sleep(wait)
        async with self._transfers, self._requests:
            yield

    async def retrieve(self, job_id: str) -> Job:
        """Ask for a job's state, as one of the bounded requests; the place where polls can be shared.

        Raises `RateLimitError` unasked if a pause began while this waited for its turn.
        """
        async with self._requests:
            if self.reads.left > 0:
                raise RateLimitError("the endpoint asked everyone to wait", retry_after=self.reads.left)
            sent_at = self.clock.elapsed()
            try:
                async with asyncio.timeout(min(_POLL_SECONDS, self.config.timeout)):
                    job = await self.provider.retrieve(job_id)
            except TimeoutError as error:
                raise ServerError(f"no answer about job {job_id} within {_POLL_SECONDS:.0f} s") from error
            except RateLimitError as error:
                self.reads.refused(error, sent_at)
                raise
        self.reads.accepted(sent_at)
        self.answered = True
        self.troubled = False
        return job

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

    async def _submission_slot(self) -> None:
        """Take one of the requests at a moment when a paid one may be sent."""
        while True:
            while (wait := self._submission_wait()) > 0:
                await self.halt.sleep(wait, self.clock)
            await self._requests.acquire()
            # A 429 or the end of submitting may have come while others held the requests.
            if not self.halt.said and self._submission_wait() <= 0:
                return
            self._requests.release()

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
