"""Follow batches to their end: what earlier processes left, what is sent now; polled until all can be collected."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import suppress

from runner.artifacts.run_status import RunStatus
from runner.errors import (
    AuthenticationError,
    DiskError,
    JobNotFoundError,
    JobTimeoutError,
    ProviderError,
    RateLimitError,
    RunnerError,
    UncertainError,
)
from runner.providers.batch import Batch, BatchStatus

from .batch_lines import LineCollector
from .batch_record import BatchRecord, BatchSearch, BatchStore, Phase, find
from .batch_results import discard_all
from .batch_submission import LOST, BatchSubmission, InBatch
from .clock import Backoff
from .endpoint import Endpoint
from .image import finish_images, keep_images
from .kept_answer import images_of_kept, unread
from .run import final_status

ABSENT = 6
"""Polls in a row that do not find a batch before it is left for later."""

_LONGEST = 60.0
"""Seconds between two polls at most: a twentieth of the time gone by, up to this."""

_AGAIN = Backoff(base=1, cap=60, floor=0.5)

Ended = Callable[[InBatch, RunnerError | None, str | None], Awaitable[None]]
"""Is called when a run's record is complete, with its error and what else is to be said."""

Sent = tuple[BatchRecord, list[InBatch]]


class BatchWork:
    """Bring the runs of one endpoint through batches, also those that earlier processes have left in some."""

    def __init__(self, endpoint: Endpoint, store: BatchStore, ended: Ended) -> None:
        self._endpoint = endpoint
        self._store = store
        self._ended = ended
        self._api = endpoint.provider.batches()
        self._submission = BatchSubmission(endpoint, self._api, store, self._end)
        self._open: dict[int, InBatch] = {}
        self._followed: set[int] = set()

    async def run(self, cases: Sequence[InBatch]) -> None:
        """Bring all runs to their end; a cancellation suspends those that are left, and their batches go on."""
        self._open = {case.position: case for case in cases}
        try:
            await self._run([case for case in cases if not await self._understood(case)])
        except asyncio.CancelledError:
            for case in self._open.values():
                case.recorder.suspend("interrupted")
            raise
        except Exception as error:  # noqa: BLE001 - a bug must not leave runs without their end
            await self._end_all(cases, error)

    async def _run(self, cases: Sequence[InBatch]) -> None:
        known = await asyncio.to_thread(self._store.known)
        under_way: dict[str, list[InBatch]] = defaultdict(list)
        arrived, lost, fresh = list[InBatch](), list[InBatch](), list[InBatch]()
        for case in cases:
            run, result = case.recorder.run, case.recorder.result
            if result.status.paid and result.pending:
                arrived.append(case)
            elif result.job_id is not None and (result.status.paid or (result.status.lost and not run.resubmit)):
                under_way[result.job_id].append(case)
            else:
                (lost if result.status.lost else fresh).append(case)
        async with asyncio.TaskGroup() as group:
            for case in arrived:
                group.create_task(self._guarded([case], self._arrived(case)))
            records = {batch_id: _record_of(batch_id, some[0], known) for batch_id, some in under_way.items()}
            try:
                ours, unsent = await self._recovered(lost, known)
            except Exception as error:  # noqa: BLE001 - what is under way goes on
                ours, unsent = [], []
                await self._end_all(lost, error)
            for record, some in ours:
                # A process that was killed while it recorded the batch's id has left its runs in two states.
                records[str(record.id)] = record
                under_way[str(record.id)] += some
            for batch_id, some in under_way.items():
                group.create_task(self._follow(records[batch_id], some))
            try:
                async for record, some in self._submission.send([*fresh, *unsent]):
                    group.create_task(self._follow(record, some))
            except Exception as error:  # noqa: BLE001 - as above
                left = [case for case in (*fresh, *unsent) if case.position not in self._followed]
                await self._end_all(left, error)

    async def _arrived(self, case: InBatch) -> None:
        """Finish a run whose images were on disk when an earlier process ended."""
        await case.recorder.open()
        await finish_images(self._endpoint, case.recorder)
        await self._end(case)

    async def _recovered(
        self, lost: Sequence[InBatch], known: Mapping[str, BatchRecord]
    ) -> tuple[list[Sent], list[InBatch]]:
        """Return the batches that lost requests have made, with their runs, and the runs that may be sent anew."""
        groups: dict[str, list[InBatch]] = defaultdict(list)
        unsent: list[InBatch] = []
        for case in lost:
            groups[case.attempt.batch or ""].append(case)
        sought: dict[str, list[InBatch]] = {}
        ours: list[Sent] = []
        for mark, cases in groups.items():
            record = known.get(mark)
            if record is not None and record.unsent:
                unsent += await self._never_sent(mark, cases)
            elif record is not None and record.id is not None:
                # All that came of a batch that is over was read: it has nothing for who is to be sent again.
                left = [case for case in cases if not (record.ended and case.recorder.run.resubmit)]
                unsent += [case for case in cases if record.ended and case.recorder.run.resubmit]
                if left:
                    batch = Batch(record.id, BatchStatus.UNKNOWN, record.status)
                    ours.append((await self._submission.own(record, left, batch), left))
            else:
                sought[mark] = cases
        search = await self._sought(sought, known)
        for mark, cases in sought.items():
            record = known.get(mark) or BatchRecord(mark=mark, phase=Phase.CREATING, runs=len(cases))
            if mark in search.found:
                ours.append((await self._submission.own(record, cases, search.found[mark], adopted=True), cases))
                continue
            again = await self._unfound(cases, search.reason)
            unsent += again
            if len(again) == len(cases):
                await self._over(record)
        return ours, unsent

    async def _understood(self, case: InBatch) -> bool:
        """Return whether the run has ended by a line of it that was kept as it could not be read."""
        if case.recorder.result.status.lost and unread(case.recorder.result):
            await self._guarded([case], self._read_again(case))
        return case.position not in self._open

    async def _read_again(self, case: InBatch) -> None:
        images = await images_of_kept(case.recorder)
        if images is None:
            return
        await case.recorder.open()
        await keep_images(self._endpoint, case.recorder, images)
        await finish_images(self._endpoint, case.recorder)
        await self._end(case)

    async def _never_sent(self, mark: str, cases: Sequence[InBatch]) -> Sequence[InBatch]:
        """Take back what was only recorded: a batch is recorded as creating before its paid request leaves."""
        for case in cases:
            case.recorder.withdraw(case.attempt)
            await case.recorder.step_back("its batch was never sent, and nothing was paid")
        await self._over(BatchRecord(mark=mark, phase=Phase.RECORDED))
        return cases

    async def _sought(self, sought: Mapping[str, Sequence[InBatch]], known: Mapping[str, BatchRecord]) -> BatchSearch:
        """Return what the provider lists of the batches that are sought, and why it may not be all."""
        if not sought:
            return BatchSearch()
        marks = {mark: known[mark].input_file_id if mark in known else None for mark in sought}
        begun = min(case.attempt.started_at.timestamp() for cases in sought.values() for case in cases)
        return await find(self._endpoint, marks, begun)

    async def _unfound(self, cases: Sequence[InBatch], reason: str) -> Sequence[InBatch]:
        again = [case for case in cases if case.recorder.run.resubmit]
        for case in cases:
            if not case.recorder.run.resubmit:
                met = case.attempt.error
                what = met.message if met else "the process ended before the answer to the batch's paid request came"
                await self._end(case, UncertainError(f"{what}; {reason}", hint=LOST))
        return again

    def _follow(self, record: BatchRecord, cases: Sequence[InBatch]) -> Coroutine[None, None, None]:
        """Return what brings a batch to its end."""
        self._followed.update(case.position for case in cases)
        return self._guarded(cases, self._collected(record, cases))

    async def _collected(self, record: BatchRecord, cases: Sequence[InBatch]) -> None:
        """Wait for a batch and collect what came of it."""
        batch, record = await self._polled(record, cases)
        collector = LineCollector(self._endpoint, self._api, self._store, self._end, record, cases)
        if await collector.collect(batch):
            await self._over(record)

    async def _over(self, record: BatchRecord) -> None:
        """Record that nothing more is expected of a batch, and remove its files."""
        await asyncio.to_thread(self._store.keep, record.model_copy(update={"ended": True}))
        await asyncio.to_thread(discard_all, self._store.directory, record.mark)

    async def _polled(self, record: BatchRecord, cases: Sequence[InBatch]) -> tuple[Batch, BatchRecord]:
        """Return the batch once it has ended, with its record."""
        clock, config = self._endpoint.clock, self._endpoint.config
        began, failures = clock.elapsed(), 0
        while True:
            waited = clock.elapsed() - began
            wait = max(config.poll_interval, min(waited / 20, _LONGEST))
            try:
                batch = await self._endpoint.ask(self._api.retrieve, str(record.id), "answer about the batch")
            except ProviderError as error:
                failures += 1
                absent = isinstance(error, JobNotFoundError) and failures >= ABSENT
                if absent or isinstance(error, AuthenticationError) or not error.retryable:
                    raise
                if failures == 1:
                    cases[0].recorder.tell(note=f"{error}; the batch is asked for again")
                told = error.retry_after if isinstance(error, RateLimitError) else None
                wait = max(self._endpoint.limits.reads.left, told or _AGAIN.seconds(failures, clock))
            else:
                failures, record = 0, await self._noted(record, batch, cases[0])
                if batch.status.ended:
                    return batch, record
            if config.deadline_seconds is not None and waited + wait > config.deadline_seconds:
                message = f"batch {record.id} is not done after {waited:,.0f} s ({record.progress})"
                hint = "it goes on at the provider, and resume waits again"
                raise JobTimeoutError(message, hint=hint, seconds=waited, job_id=record.id)
            await clock.sleep(wait)

    async def _noted(self, last: BatchRecord, batch: Batch, case: InBatch) -> BatchRecord:
        """Record and show how far the batch is, where that has changed."""
        counts = {"total": batch.total, "completed": batch.completed, "failed": batch.failed}
        news = {"id": batch.id, "phase": Phase.CREATED, "status": batch.raw_status, **counts}
        record = last.model_copy(update=news)
        if record != last or last.asked_at is None:
            record = record.model_copy(update={"asked_at": self._endpoint.clock.time()})
            with suppress(DiskError):
                await asyncio.to_thread(self._store.keep, record)
            case.recorder.tell(note=f"the batch is {batch.raw_status}: {record.progress}")
        return record

    async def _guarded(self, cases: Sequence[InBatch], work: Awaitable[None]) -> None:
        """Await `work`; what it meets ends those of its runs that are left, and no other batch's."""
        try:
            await work
        except Exception as error:  # noqa: BLE001 - told by the runs
            await self._end_all(cases, error)

    async def _end_all(self, cases: Sequence[InBatch], error: Exception) -> None:
        while isinstance(error, ExceptionGroup):
            error = error.exceptions[0]
        for case in cases:
            if case.position in self._open:
                await self._end(case, error)

    async def _end(
        self, case: InBatch, error: Exception | None = None, note: str | None = None, *, status: RunStatus | None = None
    ) -> None:
        """End a run: as `status`, or as its error and how far it is say."""
        del self._open[case.position]
        reason: RunnerError | None = None
        if error is not None:
            result = case.recorder.result
            found, reason = final_status(error, result.status)
            # What keeps results from being read says nothing of a line that may be paid, or is here and cannot be read.
            if result.status is RunStatus.UNCERTAIN and (
                found is RunStatus.FAILED or (found.failed and unread(result))
            ):
                found = RunStatus.UNCERTAIN
            case.recorder.fail(status or found, reason)
        await self._ended(case, reason, note)


def _record_of(batch_id: str, case: InBatch, known: Mapping[str, BatchRecord]) -> BatchRecord:
    """Return the record of a batch that a run went out in; one of its id alone where the ledger was rebuilt."""
    mark = next((each.batch for each in case.recorder.result.attempts if each.job_id == batch_id and each.batch), "")
    return known.get(mark) or BatchRecord(mark=mark, phase=Phase.CREATED, id=batch_id)
