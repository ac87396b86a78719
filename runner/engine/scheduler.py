"""Run every run of a sweep: its choices in turn, one queue for each endpoint, what an error stops, and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any, TypedDict, Unpack

from runner.artifacts.run_status import RunStatus
from runner.config.provider import ProviderConfig, servers_of
from runner.config.request import VideoRequest
from runner.errors import BudgetError, DiskError, ModelNotFoundError, RunnerError
from runner.providers.base import Provider

from .batch_record import BatchStore
from .clock import Clock
from .endpoint import Endpoint, EndpointQueue, close_client, stop_note
from .image import finish_images, make_images
from .limiter import Permits, StoppedError
from .matching import OtherRuns, unanswered
from .payment import settled
from .pool import PoolQueue, may_go_elsewhere
from .reattachment import Case, Claimed, Found, may_be_found, search, unkept
from .recorder import SWEEP, BudgetTracker, RunRecorder
from .run import Observer, Outcome, Run, final_status, next_choice
from .store import RecordStore, RecordWriter, ResultFiles, Threads
from .video import make_video, resume_video


async def work(endpoint: Endpoint, recorder: RunRecorder) -> RunnerError | None:
    """Do what the run asks for, or what is left of it; why it did not succeed, which the recorder knows too, or None.

    Raises `StoppedError` if it was not submitted. A cancelled run is suspended before the cancellation continues.
    """
    try:
        if not recorder.result.status.paid:
            endpoint.check_model(recorder.run.config.sent_model)
        await _proceed(endpoint, recorder)
    except StoppedError:
        raise
    except asyncio.CancelledError:
        recorder.suspend("interrupted")
        raise
    except Exception as error:  # noqa: BLE001 - a bug met by one run must not stop its siblings
        status, reason = final_status(error, recorder.result.status)
        recorder.fail(status, reason)
        return reason
    finally:
        endpoint.leave(recorder)
    return None


async def _proceed(endpoint: Endpoint, recorder: RunRecorder) -> None:
    recorder.open_soon()
    result, video = recorder.result, isinstance(recorder.run.config.request, VideoRequest)
    if (result.job_id is not None or not video) and result.status.paid:
        result.error = None
        await recorder.open()
        if result.job_id is not None:
            await resume_video(endpoint, recorder, result.job_id)
        else:
            await finish_images(endpoint, recorder)
        return
    if result.status is not RunStatus.PLANNED:
        await recorder.start_again()
    recorder.describe(endpoint.provider)
    await (make_video if video else make_images)(endpoint, recorder)


class Services(TypedDict, total=False):
    """Name what a `Scheduler` uses in place of its defaults; None is a default, too."""

    fail_fast: bool
    """Whether the first failure stops submitting; by default only what every sibling would meet does."""
    store: RecordStore | None
    """Keeps the runs' records; by default each run's `result.json`."""
    claimed: Claimed
    """Tells what is other runs'; by default nothing."""
    budget_tracker: BudgetTracker | None
    """What the runs may spend together; by default without a limit."""
    clock: Clock | None
    create: Callable[[ProviderConfig], Provider] | None
    """Makes a provider of its config."""
    batches: BatchStore
    """Keeps the batches of runs that go out in some."""
    more: AsyncIterator[Run]
    """Gives more runs, which come while others are executed; its end is awaited."""
    permits: Callable[[ProviderConfig], Permits]
    """Gives what an endpoint's limits are shared by with other processes."""
    searches: bool
    """Whether jobs of lost requests are looked for; else such runs end as uncertain, and their caller does it."""


def _create_provider(config: ProviderConfig) -> Provider:
    from runner.providers.registry import create  # imported only by those who send, as the SDK takes long

    return create(config)


class Scheduler:
    """Execute runs: a few workers per endpoint take them one after the other.

    A run that waits is an entry in a queue and no task: ten thousand are as quick to start as ten.
    """

    def __init__(self, runs: Sequence[Run], observer: Observer, **services: Unpack[Services]) -> None:
        self._queues: dict[ProviderConfig, EndpointQueue] = {}
        self._clock = services.get("clock") or Clock()
        for position, run in enumerate(runs):
            self._queue(run.config.provider).add(position, run)
        self._observer = observer
        self._fail_fast = services.get("fail_fast", False)
        self._create = services.get("create") or _create_provider
        self._threads = Threads()
        self._workers: list[asyncio.Task[None]] = []
        self._record_writer = RecordWriter(services.get("store") or ResultFiles(), self._threads)
        self._claimed = services.get("claimed", OtherRuns)
        self._budget_tracker = services.get("budget_tracker") or BudgetTracker()
        self._recorders: list[RunRecorder | None] = [None] * len(runs)
        self._lost: list[Case] = []
        self._batch_store = services.get("batches")
        self._more = services.get("more")
        self._permits = services.get("permits")
        self._searches = services.get("searches", True)
        self._batched: list[tuple[EndpointQueue, list[tuple[int, Run]]]] = []
        self._searching: asyncio.Task[list[Found]] | None = None
        self._outcome = Outcome(errors=[None] * len(runs))
        self._signals = 0
        self._stopped = False
        self._taking: asyncio.Task[None] | None = None
        self.failed = False
        """Whether a fault keeps this from taking more runs: what is told from then on is not how runs ended."""

    async def run(self) -> Outcome:
        """Execute everything; returns when every run has ended or, after an interrupt, was suspended safely.

        A cancellation is an interrupt, too, and a second one a second: it is raised when all of that is done.
        """
        work, cancellation = asyncio.create_task(self._run()), None
        while not work.done():
            try:
                await asyncio.wait([work])
            except asyncio.CancelledError as error:
                cancellation = error
                self.interrupt()
        outcome = work.result()
        if cancellation is not None:
            raise cancellation
        return outcome

    async def _run(self) -> Outcome:
        try:
            for queue in self._queues.values():
                if not self._signals:
                    self._connect(queue)
                    await asyncio.sleep(0)  # a signal that came meanwhile is handled now
            self._set_batched_apart()
            await self._set_lost_apart()
            for _ in range(2):  # for what an earlier process has lost, then for what this one has
                await self._recover()
                await self._work_off()
            await self._suspend_the_rest()
        finally:
            await self._close()
        self._outcome.results = [recorder.result for recorder in self._recorders if recorder is not None]
        return self._outcome

    def interrupt(self, signal_number: int | None = None) -> None:
        """Stop submitting and polling, but await paid answers; on a second call, leave those, too.

        `signal_number` is the signal that asks for it, if one does.
        """
        self._signals += 1
        self._outcome.interrupted = self._outcome.interrupted or signal_number
        self._stop_submitting()
        for task in (*self._workers, *filter(None, [self._searching])):
            task.cancel()

    def _queue(self, provider: ProviderConfig) -> EndpointQueue:
        """Return where runs of a provider wait; those of a pool's servers come with the pool's."""
        queue = self._queues.get(provider)
        if queue is None and servers_of(provider):
            queue = self._queues[provider] = pool = PoolQueue(provider, self._clock)
            self._queues |= {server.queue.config: server.queue for server in pool.servers}
        elif queue is None:
            queue = self._queues[provider] = EndpointQueue(provider)
        return queue

    def _connect(self, queue: EndpointQueue) -> None:
        for server in queue.servers if isinstance(queue, PoolQueue) else ():
            self._connect(server.queue)
        if queue.endpoint is not None or isinstance(queue, PoolQueue):
            return
        try:
            # In this thread, though it blocks: a child server may be bound to the life of the thread that started it.
            permits = self._permits(queue.config) if self._permits is not None else None
            queue.endpoint = Endpoint(self._create(queue.config), queue.config, self._clock, permits)
        except RunnerError as error:
            self._outcome.stopped_by = self._outcome.stopped_by or error

    async def _work_off(self) -> None:
        if self._signals:
            return
        self._follow_batches()
        for queue in self._queues.values():
            self._staff(queue)
        if self._more is not None:
            more, self._more = self._more, None
            self._taking = self._start(self._take_more(more))
            await asyncio.wait([self._taking])
        ended = -1
        while ended < len(self._workers) and not self.failed:  # a run that falls back may have brought new ones
            ended = len(self._workers)
            await self._all_ended()
        for worker in self._workers:
            if worker.done() and not worker.cancelled() and (error := worker.exception()) is not None:
                raise error

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:  # Any: what a coroutine yields and is sent
        task = asyncio.create_task(work)
        task.add_done_callback(self._look_at)
        self._workers.append(task)
        return task

    def _look_at(self, task: asyncio.Task[None]) -> None:
        """Take no more runs once a fault has ended a task: who gives them may wait for the run that met it."""
        if self._taking is not None and not task.cancelled() and task.exception() is not None:
            self.failed = True
            self._taking.cancel()

    async def _take_more(self, more: AsyncIterator[Run]) -> None:
        async for run in more:
            position = len(self._recorders)
            self._recorders.append(None)
            self._outcome.errors.append(None)
            queue = self._queue(run.config.provider)
            self._connect(queue)
            queue.add(position, run)
            self._staff(queue)
            await self.suspend_stopped()

    def _set_batched_apart(self) -> None:
        """Put aside the runs that go out in batches: all of an endpoint's together, and what is lost of them."""
        for queue in self._queues.values() if self._batch_store is not None else ():
            if queue.endpoint is not None and (own := queue.take_batched()):
                self._batched.append((queue, own))

    def _follow_batches(self) -> None:
        batched, self._batched = self._batched, []
        for queue, own in batched:
            self._start(self._follow(queue, own))

    async def _follow(self, queue: EndpointQueue, own: Sequence[tuple[int, Run]]) -> None:
        """Bring runs through batches."""
        endpoint, store = queue.endpoint, self._batch_store
        if endpoint is None or store is None:
            return
        from .batch import BatchWork  # few runs go out in batches
        from .batch_submission import InBatch

        async def ended(case: InBatch, error: RunnerError | None, note: str | None) -> None:
            if error is not None:
                self._outcome.errors[case.position] = error
                # What a line of the results tells says nothing about the endpoint.
                if case.recorder.result.job_id is None or isinstance(error, DiskError) or self._fail_fast:
                    note = note or self._consequence(queue, endpoint, case.recorder, error)
            await settled(case.recorder.end(note=note))

        cases = [InBatch(position, self._recorder(position, run)) for position, run in own]
        await BatchWork(endpoint, store, ended).run(cases)

    def _staff(self, queue: EndpointQueue) -> None:
        if isinstance(queue, PoolQueue) and queue.waiting and not queue.spreading:
            self._start(queue.spread(self._staff))
        if queue.endpoint is None:
            return
        for _ in range(min(queue.config.max_concurrent_jobs - queue.workers, len(queue.waiting))):
            queue.workers += 1
            self._start(self._work(queue, queue.endpoint))

    async def _work(self, queue: EndpointQueue, endpoint: Endpoint) -> None:
        try:
            while not self._leaving and (item := queue.take(existing=endpoint.stop_event.is_set)) is not None:
                await self._execute(*item, queue, endpoint)
        finally:
            queue.workers -= 1
            if queue.pool is not None:
                queue.pool.changed()

    @property
    def _leaving(self) -> bool:
        """Return whether even jobs that exist are left to the provider for now."""
        return self._signals > 0 or isinstance(self._outcome.stopped_by, DiskError)

    async def _execute(self, position: int, run: Run, queue: EndpointQueue, endpoint: Endpoint) -> None:
        recorder = self._recorder(position, run)
        note = None
        if queue.pool is not None:
            recorder.go_to(run.config.at_server(queue.number), followed=len(queue.pool.servers) > 1)
        try:
            error = await work(endpoint, recorder)
        except StoppedError:
            error, note = None, "not submitted"
        if error is not None:
            if queue.pool is not None and not self._stopped and may_go_elsewhere(recorder, error):
                note = queue.pool.bear(queue, error)
                if queue.pool.usable:
                    full = await settled(unkept(recorder, recorder.start_again(note)))
                    if full is None:
                        queue.pool.add(position, run.resumed(recorder.result))
                        self._staff(queue.pool)
                        return
                    error = full
            self._outcome.errors[position] = error
            if (following := self._next_queue(recorder, error)) is not None:
                await self._fall_back(position, recorder, error, following)
                return
            note = self._consequence(queue, endpoint, recorder, error)
            if self._searches and may_be_found(recorder, error):
                self._lost.append(Case(position, recorder, queue))
                return
        await settled(recorder.end(note=note))

    def _recorder(self, position: int, run: Run) -> RunRecorder:
        recorder = self._recorders[position] = RunRecorder(
            run, self._observer, self._clock, self._record_writer, self._budget_tracker
        )
        return recorder

    def _next_queue(self, recorder: RunRecorder, error: RunnerError) -> EndpointQueue | None:
        """Return where a run that met `error` may go on, if anywhere.

        Where only money is missing it waits there: `resume` with a larger budget continues with its next choice.
        """
        following = next_choice(recorder.run.config, recorder.result.status, error)
        waits = isinstance(self._outcome.stopped_by, BudgetError)
        if following is None or (self._stopped and not waits):
            return None
        queue = self._queue(following.provider)
        self._connect(queue)
        return queue if queue.usable or (waits and queue.endpoint is not None) else None

    async def _fall_back(self, position: int, recorder: RunRecorder, error: RunnerError, queue: EndpointQueue) -> None:
        """Record the end of this choice, then queue the run for the next one."""
        run = await settled(recorder.hand_on(recorder.run.config.choice(1), error))
        self._outcome.errors[position] = None
        queue.add(position, run)
        self._staff(queue)

    async def _set_lost_apart(self) -> None:
        """Put aside the runs of which an earlier process left a request without its answer."""
        for queue in self._queues.values():
            for position, run in queue.take_lost():
                self._lost.append(Case(position, self._recorder(position, run), queue))

    async def _recover(self) -> None:
        """Look for the jobs of lost requests, now that none is under way that could be taken for one of theirs."""
        if self._leaving or not self._lost:
            return
        cases, self._lost = self._lost, []
        self._searching = asyncio.create_task(search(cases, self._all_claimed))
        try:
            everything = await self._searching
        except asyncio.CancelledError:
            if not self._signals:
                raise
            self._lost = cases  # they stay as they are, to be looked for again
            return
        for case, error in everything:
            self._outcome.errors[case.position] = error
            if error is None:
                case.queue.waiting.appendleft((case.position, case.recorder.resumed()))
            elif isinstance(error, DiskError):
                await settled(case.recorder.end(note=self._out_of_disk(error)))

    def _all_claimed(self) -> OtherRuns:
        """Return what is other runs', and every job that belongs to one of these."""
        results = [recorder.result for recorder in self._recorders if recorder is not None]
        results += [
            run.earlier for queue in self._queues.values() for _, run in queue.waiting if run.earlier is not None
        ]
        done = [result for result in results if not result.status.lost and unanswered(result)]
        return self._claimed().also((job_id for result in results for job_id in result.job_ids), done)

    def _consequence(
        self, queue: EndpointQueue, endpoint: Endpoint, recorder: RunRecorder, error: RunnerError
    ) -> str | None:
        """Stop what one run's error stops; what to say about it, if this is the first time."""
        if isinstance(error, DiskError):
            return self._out_of_disk(error)
        if isinstance(error, BudgetError):
            return self._short_of_money(error)
        if isinstance(error, ModelNotFoundError) and len(queue.models) > 1:
            model = recorder.run.config.sent_model
            return f"nothing more is submitted with {model}: {error}" if endpoint.lacks_model(model) else None
        if endpoint.concerns_all(error):
            if queue.pool is not None:
                said = queue.pool.rest(queue, error)
                if queue.pool.usable:
                    return said
            first = endpoint.stop(error)
            return stop_note(error) if first and len(self._recorders) > 1 else None
        if self._fail_fast and recorder.result.status.failed and self._outcome.stopped_by is None:
            self._outcome.stopped_by = error
            self._stop_submitting()
            return "nothing more is submitted, as fail_fast=true"
        return None

    def _out_of_disk(self, error: DiskError) -> str | None:
        first = not isinstance(self._outcome.stopped_by, DiskError)
        self._outcome.stopped_by = error if first else self._outcome.stopped_by
        self._stop_submitting()
        return f"nothing more is submitted: {error}" if first else None

    def _short_of_money(self, error: BudgetError) -> str:
        if error.code != SWEEP:
            return f"this run is not submitted: {error}"
        if not isinstance(self._outcome.stopped_by, DiskError):
            self._outcome.stopped_by = error
        # A run that reserved money before may still spend it.
        self._stop_submitting(drain=True)
        return f"nothing more is submitted: {error}"

    def stop(self, provider: ProviderConfig | None = None, *, drain: bool = False) -> None:
        """End submitting, or only at one endpoint, as another process met what stops it; `drain` as in `StopEvent`."""
        if provider is None:
            self._stop_submitting(drain=drain)
        elif (queue := self._queues.get(provider)) is not None and queue.endpoint is not None:
            queue.endpoint.stop_event.set()

    def pause(self, provider: ProviderConfig, seconds: float, *, paid: bool) -> None:
        """Let everyone wait who sends paid requests, or any, as another process was told to."""
        queue = self._queues.get(provider)
        if queue is not None and queue.endpoint is not None:
            limits = queue.endpoint.limits
            (limits.submissions if paid else limits.reads).extend(seconds)

    @property
    def stopped(self) -> dict[ProviderConfig | None, RunnerError]:
        """Return why nothing more is submitted at some endpoints, or (None) at any."""
        found: dict[ProviderConfig | None, RunnerError] = {
            queue.config: queue.endpoint.stopped_by
            for queue in self._queues.values()
            if queue.endpoint is not None and queue.endpoint.stopped_by is not None
        }
        return found | ({None: self._outcome.stopped_by} if self._outcome.stopped_by is not None else {})

    def _stop_submitting(self, *, drain: bool = False) -> None:
        self._stopped = True
        for queue in self._queues.values():
            if queue.endpoint is not None:
                queue.endpoint.stop_event.set(drain=drain)

    async def suspend_stopped(self) -> None:
        """Record the runs that wait where nothing more is submitted."""
        for queue in [*self._queues.values()]:  # more may come meanwhile
            if not queue.usable:
                await self._suspend(queue, [item for item in queue.waiting if not item[1].status.paid])

    async def _suspend_the_rest(self) -> None:
        """Record the runs that never had their turn."""
        for queue, own in self._batched:
            queue.waiting.extend(own)
        for queue in self._queues.values():
            if queue.endpoint is not None:
                self._outcome.stopped_by = self._outcome.stopped_by or queue.endpoint.stopped_by
            await self._suspend(queue, [*queue.waiting])
        for case in self._lost:
            await case.recorder.end()

    async def _suspend(self, queue: EndpointQueue, items: Sequence[tuple[int, Run]]) -> None:
        for position, run in items:
            try:
                queue.waiting.remove((position, run))
            except ValueError:  # another call does it, or it was taken while this waited for the disk
                continue
            recorder = self._recorder(position, run)
            if queue.endpoint is not None:
                with suppress(RunnerError):
                    recorder.describe(queue.endpoint.provider)
            if self._signals > 1:
                recorder.tell(result=recorder.result)
            else:
                await recorder.end(durable=False)

    async def _close(self) -> None:
        self._stop_submitting()
        for worker in self._workers:
            worker.cancel()
        await self._all_ended()
        for queue in self._queues.values():
            if queue.endpoint is not None:
                await close_client(queue.endpoint.provider)
        self._threads.close()

    async def _all_ended(self) -> None:
        if self._workers:
            await asyncio.wait(self._workers)
