"""Which run goes next, what a run's end means for the others, and when all is over."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress

from runner.artifacts.result import Result
from runner.config import ProviderConfig, VideoRequest
from runner.errors import DiskError, RunnerError
from runner.providers.base import Provider

from .clock import Clock
from .ending import ending
from .endpoint import Endpoint, stop_note
from .halt import Halted
from .image import make_images
from .journal import Journal
from .lane import Lane, lanes
from .outcome import Outcome
from .payment import settled
from .run import Observer, Run
from .threads import Threads
from .video import make_video

_log = logging.getLogger("runner")

_CLOSING_SECONDS = 5.0
"""A client whose connections do not close by then is left to the end of the process."""


class Scheduler:
    """Executes runs: a few workers per endpoint take them one after the other.

    A run that waits is an entry in a queue and no task: ten thousand are as quick to start as ten.
    """

    def __init__(
        self,
        runs: Sequence[Run],
        *,
        observer: Observer,
        fail_fast: bool,
        clock: Clock,
        create: Callable[[ProviderConfig], Provider],
    ) -> None:
        self._lanes = lanes(runs)
        self._observer = observer
        self._fail_fast = fail_fast
        self._clock = clock
        self._create = create
        self._threads = Threads()
        self._workers: list[asyncio.Task[None]] = []
        self._results: list[Result | None] = [None] * len(runs)
        self._outcome = Outcome(errors=[None] * len(runs))
        self._signals = 0

    async def run(self) -> Outcome:
        """Execute everything; returns when every run has ended or, after an interrupt, was put down safely."""
        try:
            for lane in self._lanes:
                await self._open(lane)
            await self._work_off()
            await self._put_down_the_rest()
        finally:
            await self._close()
        self._outcome.results = [result for result in self._results if result is not None]
        return self._outcome

    def interrupt(self, signal_number: int) -> None:
        """First: stop submitting and polling, but await answers that were paid for. Again: leave those, too."""
        self._signals += 1
        self._outcome.interrupted = self._outcome.interrupted or signal_number
        self._halt()
        for worker in self._workers:
            worker.cancel()

    async def _open(self, lane: Lane) -> None:
        if self._signals:
            return
        try:
            # In this thread, though it blocks: a child server may be bound to the life of the thread that started it.
            lane.endpoint = Endpoint(self._create(lane.config), lane.config, self._clock)
        except RunnerError as error:
            self._outcome.stopped_by = self._outcome.stopped_by or error
        await asyncio.sleep(0)  # a signal that came meanwhile is heard now

    async def _work_off(self) -> None:
        if self._signals:
            return
        self._workers = [
            asyncio.create_task(self._work(lane, lane.endpoint))
            for lane in self._lanes
            if lane.endpoint is not None
            for _ in range(lane.workers)
        ]
        for worker in await _ended(self._workers):
            if not worker.cancelled() and (error := worker.exception()) is not None:
                raise error

    async def _work(self, lane: Lane, endpoint: Endpoint) -> None:
        while lane.waiting and not endpoint.halt.said:
            position, run = lane.waiting.popleft()
            await self._execute(position, run, endpoint)

    async def _execute(self, position: int, run: Run, endpoint: Endpoint) -> None:
        journal = Journal(run, self._observer, self._clock, self._threads)
        self._results[position] = journal.result
        note = None
        try:
            journal.describe(endpoint.provider)
            make = make_video if isinstance(run.config.request, VideoRequest) else make_images
            await make(endpoint, journal, self._threads)
        except Halted:
            note = "not submitted"
        except asyncio.CancelledError:
            journal.put_down("interrupted")
            raise
        except Exception as error:  # noqa: BLE001 - a bug met by one run must not stop its siblings
            status, reason = ending(error, journal.result.status)
            journal.fail(status, reason)
            self._outcome.errors[position] = reason
            note = self._consequence(endpoint, journal, reason)
        await settled(journal.end(note=note))

    def _consequence(self, endpoint: Endpoint, journal: Journal, error: RunnerError) -> str | None:
        """Stop what one run's error stops; what to say about it, if this is the first time."""
        if isinstance(error, DiskError):
            first = not isinstance(self._outcome.stopped_by, DiskError)
            self._outcome.stopped_by = self._outcome.stopped_by if not first else error
            self._halt()
            return f"nothing more is submitted: {error}" if first else None
        if endpoint.concerns_all(error):
            return stop_note(error) if endpoint.stop(error) else None
        if self._fail_fast and journal.result.status.failed and self._outcome.stopped_by is None:
            self._outcome.stopped_by = error
            self._halt()
            return "nothing more is submitted, as fail_fast=true"
        return None

    def _halt(self) -> None:
        for lane in self._lanes:
            if lane.endpoint is not None:
                lane.endpoint.halt.say()

    async def _put_down_the_rest(self) -> None:
        """Record the runs that never had their turn."""
        for lane in self._lanes:
            if lane.endpoint is not None:
                self._outcome.stopped_by = self._outcome.stopped_by or lane.endpoint.stopped_by
            while lane.waiting:
                position, run = lane.waiting.popleft()
                journal = Journal(run, self._observer, self._clock, self._threads)
                self._results[position] = journal.result
                if lane.endpoint is not None:
                    with suppress(RunnerError):
                        journal.describe(lane.endpoint.provider)
                if self._signals > 1:
                    journal.tell(result=journal.result)
                else:
                    await journal.end(durable=False)

    async def _close(self) -> None:
        self._halt()
        for worker in self._workers:
            worker.cancel()
        await _ended(self._workers)
        for lane in self._lanes:
            if lane.endpoint is not None:
                await _close_client(lane.endpoint.provider)
        self._threads.close()


async def _ended(tasks: list[asyncio.Task[None]]) -> list[asyncio.Task[None]]:
    if tasks:
        await asyncio.wait(tasks)
    return tasks


async def _close_client(provider: Provider) -> None:
    try:
        await asyncio.wait_for(provider.close(), _CLOSING_SECONDS)
    except (TimeoutError, RunnerError, OSError) as error:
        _log.warning("the client of %s did not close: %s", provider.endpoint, error)
