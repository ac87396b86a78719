"""Run every run of a sweep: one queue for each endpoint, what one run's error stops, and how the sweep ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress

from runner.config import ProviderConfig
from runner.errors import BudgetError, DiskError, ModelNotFoundError, RunnerError
from runner.providers.base import Provider

from .capacity import Halted
from .clock import Clock
from .endpoint import Endpoint, Lane, close_client, lanes, stop_note
from .journal import Journal
from .likeness import Elsewhere, unanswered
from .payment import settled
from .purse import SWEEP, Purse
from .run import Observer, Outcome, Run
from .search import Claimed, Found, Search
from .store import Recorder, Store
from .threads import Threads
from .work import next_choice, work


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
        store: Store,
        claimed: Claimed,
        purse: Purse | None = None,
    ) -> None:
        """`claimed` tells what belongs to other runs than these."""
        self._lanes = lanes(runs)
        self._observer = observer
        self._fail_fast = fail_fast
        self._clock = clock
        self._create = create
        self._threads = Threads()
        self._workers: list[asyncio.Task[None]] = []
        self._recorder = Recorder(store, self._threads)
        self._claimed = claimed
        self._purse = purse or Purse()
        self._journals: list[Journal | None] = [None] * len(runs)
        self._lost = Search(self._threads)
        self._searching: asyncio.Task[list[Found]] | None = None
        self._outcome = Outcome(errors=[None] * len(runs))
        self._signals = 0
        self._halted = False

    async def run(self) -> Outcome:
        """Execute everything; returns when every run has ended or, after an interrupt, was put down safely."""
        try:
            for lane in self._lanes.values():
                await self._open(lane)
            await self._set_lost_apart()
            await self._recover()
            await self._work_off()
            await self._recover()
            await self._work_off()
            await self._put_down_the_rest()
        finally:
            await self._close()
        self._outcome.results = [journal.result for journal in self._journals if journal is not None]
        return self._outcome

    def interrupt(self, signal_number: int) -> None:
        """First: stop submitting and polling, but await answers that were paid for. Again: leave those, too."""
        self._signals += 1
        self._outcome.interrupted = self._outcome.interrupted or signal_number
        self._halt()
        for task in (*self._workers, *filter(None, [self._searching])):
            task.cancel()

    async def _open(self, lane: Lane) -> None:
        if self._signals:
            return
        self._connect(lane)
        await asyncio.sleep(0)  # a signal that came meanwhile is heard now

    def _connect(self, lane: Lane) -> None:
        try:
            # In this thread, though it blocks: a child server may be bound to the life of the thread that started it.
            lane.endpoint = Endpoint(self._create(lane.config), lane.config, self._clock)
        except RunnerError as error:
            self._outcome.stopped_by = self._outcome.stopped_by or error

    async def _work_off(self) -> None:
        if self._signals:
            return
        for lane in self._lanes.values():
            self._staff(lane)
        ended = -1
        while ended < len(self._workers):  # a run that falls back may have brought new ones
            ended = len(self._workers)
            await _ended(self._workers)
        for worker in self._workers:
            if not worker.cancelled() and (error := worker.exception()) is not None:
                raise error

    def _staff(self, lane: Lane) -> None:
        if lane.endpoint is None:
            return
        for _ in range(lane.vacancies):
            lane.workers += 1
            self._workers.append(asyncio.create_task(self._work(lane, lane.endpoint)))

    async def _work(self, lane: Lane, endpoint: Endpoint) -> None:
        try:
            while not self._leaving and (item := lane.take(existing=endpoint.halt.said)) is not None:
                await self._execute(*item, lane, endpoint)
        finally:
            lane.workers -= 1

    @property
    def _leaving(self) -> bool:
        """Whether even jobs that exist are left to the provider for now."""
        return self._signals > 0 or isinstance(self._outcome.stopped_by, DiskError)

    async def _execute(self, position: int, run: Run, lane: Lane, endpoint: Endpoint) -> None:
        journal = self._journal(position, run)
        note = None
        try:
            error = await work(endpoint, journal, self._threads)
        except Halted:
            error, note = None, "not submitted"
        if error is not None:
            self._outcome.errors[position] = error
            if (following := self._next_lane(journal, error)) is not None:
                await self._fall_back(position, journal, error, following)
                return
            note = self._consequence(lane, endpoint, journal, error)
            if self._lost.takes(journal, error):
                self._lost.add(position, journal, lane)
                return
        await settled(journal.end(note=note))

    def _journal(self, position: int, run: Run) -> Journal:
        journal = self._journals[position] = Journal(run, self._observer, self._clock, self._recorder, self._purse)
        return journal

    def _next_lane(self, journal: Journal, error: RunnerError) -> Lane | None:
        """Where a run that met `error` may go on, if anywhere."""
        following = next_choice(journal.run.config, journal.result.status, error)
        if following is None or self._halted:
            return None
        lane = self._lanes.get(following.provider)
        if lane is None:
            lane = self._lanes[following.provider] = Lane(following.provider)
            self._connect(lane)
        return None if lane.endpoint is None or lane.endpoint.halt.said else lane

    async def _fall_back(self, position: int, journal: Journal, error: RunnerError, lane: Lane) -> None:
        """Record the end of this choice, then queue the run for the next one."""
        run = await settled(journal.hand_on(journal.run.config.choice(1), error))
        self._outcome.errors[position] = None
        lane.add(position, run)
        self._staff(lane)

    async def _set_lost_apart(self) -> None:
        """Put aside the runs of which an earlier process left a request without its answer."""
        for lane in self._lanes.values():
            for position, run in lane.take_lost():
                self._lost.add(position, self._journal(position, run), lane)

    async def _recover(self) -> None:
        """Look for the jobs of lost requests, now that none is under way that could be taken for one of theirs."""
        if self._leaving or not self._lost:
            return
        search, self._lost = self._lost, Search(self._threads)
        self._searching = asyncio.create_task(search.carried_out(self._all_claimed()))
        try:
            everything = await self._searching
        except asyncio.CancelledError:
            if not self._signals:
                raise
            self._lost = search  # they stay as they are, to be looked for again
            return
        for found in everything:
            self._outcome.errors[found.position] = found.error
            if found.run is not None:
                found.lane.waiting.appendleft((found.position, found.run))

    def _all_claimed(self) -> Elsewhere:
        """What is other runs', and every job that belongs to one of these."""
        results = [journal.result for journal in self._journals if journal is not None]
        results += [run.earlier for lane in self._lanes.values() for _, run in lane.waiting if run.earlier is not None]
        done = [result for result in results if not result.status.lost and unanswered(result)]
        return self._claimed().also((job_id for result in results for job_id in result.job_ids), done)

    def _consequence(self, lane: Lane, endpoint: Endpoint, journal: Journal, error: RunnerError) -> str | None:
        """Stop what one run's error stops; what to say about it, if this is the first time."""
        if isinstance(error, DiskError):
            first = not isinstance(self._outcome.stopped_by, DiskError)
            self._outcome.stopped_by = self._outcome.stopped_by if not first else error
            self._halt()
            return f"nothing more is submitted: {error}" if first else None
        if isinstance(error, BudgetError):
            return self._short_of_money(error)
        if isinstance(error, ModelNotFoundError) and len(lane.models) > 1:
            model = journal.run.config.sent_model
            return f"nothing more is submitted with {model}: {error}" if endpoint.lacks_model(model) else None
        if endpoint.concerns_all(error):
            first = endpoint.stop(error)
            return stop_note(error) if first and len(self._journals) > 1 else None
        if self._fail_fast and journal.result.status.failed and self._outcome.stopped_by is None:
            self._outcome.stopped_by = error
            self._halt()
            return "nothing more is submitted, as fail_fast=true"
        return None

    def _short_of_money(self, error: BudgetError) -> str:
        if error.code != SWEEP:
            return f"this run is not submitted: {error}"
        if not isinstance(self._outcome.stopped_by, DiskError):
            self._outcome.stopped_by = error
        # Whoever has taken money before has it to spend.
        self._halt(gently=True)
        return f"nothing more is submitted: {error}"

    def _halt(self, *, gently: bool = False) -> None:
        self._halted = True
        for lane in self._lanes.values():
            if lane.endpoint is not None:
                lane.endpoint.halt.say(gently=gently)

    async def _put_down_the_rest(self) -> None:
        """Record the runs that never had their turn."""
        for lane in self._lanes.values():
            if lane.endpoint is not None:
                self._outcome.stopped_by = self._outcome.stopped_by or lane.endpoint.stopped_by
            while lane.waiting:
                position, run = lane.waiting.popleft()
                journal = self._journal(position, run)
                if lane.endpoint is not None:
                    with suppress(RunnerError):
                        journal.describe(lane.endpoint.provider)
                if self._signals > 1:
                    journal.tell(result=journal.result)
                else:
                    await journal.end(durable=False)
        for journal in self._lost.journals:
            await journal.end()

    async def _close(self) -> None:
        self._halt()
        for worker in self._workers:
            worker.cancel()
        await _ended(self._workers)
        for lane in self._lanes.values():
            if lane.endpoint is not None:
                await close_client(lane.endpoint.provider)
        self._threads.close()


async def _ended(tasks: list[asyncio.Task[None]]) -> list[asyncio.Task[None]]:
    if tasks:
        await asyncio.wait(tasks)
    return tasks
