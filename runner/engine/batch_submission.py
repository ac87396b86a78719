"""Send runs in batches: all is recorded, then the input is uploaded, which is free, then the batch is created."""

from __future__ import annotations

import asyncio
import secrets
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

from runner.artifacts.atomic import discard, disk_errors, require_space
from runner.artifacts.result import Attempt
from runner.artifacts.run_status import RunStatus
from runner.errors import (
    AuthenticationError,
    BadRequestError,
    DiskError,
    HTTPConnectionError,
    RateLimitError,
    RunnerError,
    ServerError,
    UncertainError,
)
from runner.providers.base import Job, JobStatus
from runner.providers.batch import MARK, Batch
from runner.providers.batch import Endpoint as Where
from runner.providers.batch_api import BatchAPI, endpoint_of

from .batch_record import BatchRecord, BatchStore, Phase, find
from .batch_results import input_path
from .clock import Backoff
from .endpoint import Endpoint
from .limiter import StoppedError
from .payment import settled
from .preparation import prepared
from .recorder import RunRecorder
from .store import HeldAnswer

TRIES = 6
"""Tries of what is free, or was provably not sent; over half a minute."""

LOOKS = 5
"""Looks into the list for a batch whose answer was lost; over half a minute."""

_TOGETHER = 512
"""Runs that are recorded at the same time."""

_AGAIN = Backoff(base=1, cap=15, floor=0.5)
_REFUSED = Backoff(base=15, cap=300, floor=0.8)

LOST = (
    "it counts as spent and is never sent again by itself; resume looks for the batch again, and "
    "--resubmit-uncertain pays for it again"
)


class InBatch(NamedTuple):
    """Describe a run with its place among all."""

    position: int
    recorder: RunRecorder

    @property
    def attempt(self) -> Attempt:
        """Return its last request."""
        return self.recorder.result.attempts[-1]


class End(Protocol):
    """End a run: with what it met, if it did not succeed, and what else is to be said."""

    def __call__(
        self, case: InBatch, error: Exception | None = None, note: str | None = None, *, status: RunStatus | None = None
    ) -> Awaitable[None]:
        """Record and tell it; as `status`, or as `error` and how far it is say."""


def custom_id(mark: str, index: int) -> str:
    """Return what the line of a run is called."""
    return f"{mark}.{index}"


@dataclass(slots=True)
class _Draft:
    """Hold a batch that is being put together: its runs in the order of its lines, and its input on disk."""

    mark: str
    model: str
    where: Where
    path: Path
    cases: list[InBatch] = field(default_factory=list)
    size: int = 0

    def record(self, phase: Phase, input_file_id: str | None = None, *, ended: bool = False) -> BatchRecord:
        return BatchRecord(
            mark=self.mark,
            phase=phase,
            model=self.model,
            endpoint=self.where,
            runs=len(self.cases),
            input_file_id=input_file_id,
            ended=ended,
        )


class BatchSubmission:
    """Send the runs of one endpoint, and find the batches again whose answers were lost."""

    def __init__(self, endpoint: Endpoint, api: BatchAPI, store: BatchStore, end: End) -> None:
        self._endpoint = endpoint
        self._api = api
        self._store = store
        self._end = end

    async def send(self, cases: Sequence[InBatch]) -> AsyncIterator[tuple[BatchRecord, list[InBatch]]]:
        """Yield each batch that was created, with its runs; those that were not sent have ended then."""
        groups: dict[tuple[str, Where], deque[InBatch]] = defaultdict(deque)
        for case in sorted(cases, key=lambda case: case.recorder.run.index):
            config = case.recorder.run.config
            groups[config.sent_model, endpoint_of(config)].append(case)
        for (model, where), waiting in groups.items():
            while waiting and not self._endpoint.stop_event.is_set:
                draft = await self._drafted(waiting, model, where)
                record = await self._sent(draft) if draft.cases else None
                if record is not None:
                    yield record, draft.cases
            for case in waiting:
                await self._end(case, note="not submitted")

    async def _drafted(self, waiting: deque[InBatch], model: str, where: Where) -> _Draft:
        """Take as many runs from the front as one batch holds, their money too, and write their lines."""
        mark = f"{MARK}{secrets.token_hex(16)}"
        path = input_path(self._store.directory, mark)
        draft = _Draft(mark, model, where, path)
        with disk_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        require_space(path.parent)
        try:
            with disk_errors(path), path.open("xb") as file:
                while waiting and len(draft.cases) < self._store.most_lines:
                    line = await self._line(waiting[0], mark)
                    await asyncio.sleep(0)  # thousands of lines must not hold up polls and signals
                    if draft.size + len(line) > self._store.most_bytes and draft.cases:
                        break
                    case = waiting.popleft()
                    if line and await self._reserved(case, mark):
                        file.write(line)
                        draft.size += len(line)
                        draft.cases.append(case)
        except BaseException:
            for case in draft.cases:
                case.recorder.withdraw(case.attempt)
            discard(path)
            raise
        if not draft.cases:
            discard(path)
        return draft

    async def _line(self, case: InBatch, mark: str) -> bytes:
        """Return the run's line; empty where there is none, and the run has ended."""
        recorder = case.recorder
        try:
            if recorder.result.status is not RunStatus.PLANNED:
                await recorder.start_again()
            recorder.describe(self._endpoint.provider)
            config = await prepared(self._endpoint, recorder)
            name = custom_id(mark, recorder.run.index)
            # Reading files must not hold up what is under way.
            with_files = bool(config.request.image_list)
            line = await asyncio.to_thread(self._api.line, name, config) if with_files else self._api.line(name, config)
            if len(line) > self._store.most_bytes:
                raise BadRequestError(
                    f"its line has {len(line):,} bytes, and a batch takes {self._store.most_bytes:,}; nothing was sent",
                    hint="smaller input images, or batch=false",
                )
        except DiskError:
            raise
        except RunnerError as error:
            await self._end(case, error)
            return b""
        return line

    async def _reserved(self, case: InBatch, mark: str) -> bool:
        """Return whether the run's money could be taken; it has ended if not."""
        try:
            case.recorder.begin_attempt().batch = mark
        except RunnerError as error:
            await self._end(case, error)
        except StoppedError:
            await self._end(case, note="not submitted")
        else:
            return True
        return False

    async def _sent(self, draft: _Draft) -> BatchRecord | None:
        """Return the record of the batch that was made of the draft; None where its runs have ended."""
        try:
            await self._announce(draft)
            input_file_id = await self._uploaded(draft)
            await self._keep(draft.record(Phase.UPLOADED, input_file_id))
            if self._endpoint.stop_event.immediate:
                self._endpoint.stop_event.check()
        except (StoppedError, RunnerError) as error:
            await settled(self._take_back(draft, error))
            return None
        except BaseException:
            await settled(self._step_back(draft))
            raise
        # Settled: an interrupted paid request is worth its answer, which is the batch's id.
        return await settled(self._created(draft, input_file_id))

    async def _announce(self, draft: _Draft) -> None:
        """Record the batch and that each of its runs is about to be sent: whoever finds that knows what may be paid."""
        await self._keep(draft.record(Phase.RECORDED))
        await _all(draft.cases, self._submitting)

    async def _submitting(self, case: InBatch) -> None:
        await case.recorder.open()
        await case.recorder.reach(RunStatus.SUBMITTING)

    async def _uploaded(self, draft: _Draft) -> str:
        def passes(error: BaseException) -> bool:
            return isinstance(error, ServerError | HTTPConnectionError | RateLimitError)

        return await _AGAIN.tries(self._endpoint.clock, TRIES, passes)(self._api.upload, draft.path)

    async def _take_back(self, draft: _Draft, error: RunnerError | StoppedError) -> None:
        """End the runs of a draft for which nothing was paid."""
        await self._step_back(draft)
        for case in draft.cases:
            if isinstance(error, StoppedError):
                await self._end(case, note="not submitted")
            else:
                await self._end(case, error)

    async def _step_back(self, draft: _Draft) -> None:
        async def back(case: InBatch) -> None:
            case.recorder.withdraw(case.attempt)
            if case.recorder.result.status is RunStatus.SUBMITTING:
                await case.recorder.step_back(None)

        with suppress(DiskError):  # that nothing was paid is on disk already
            await _all(draft.cases, back)
            await self._keep(draft.record(Phase.RECORDED, ended=True))
        discard(draft.path)

    async def _created(self, draft: _Draft, input_file_id: str) -> BatchRecord | None:
        try:
            batch = await self._create(draft, input_file_id)
        except StoppedError as error:
            await self._take_back(draft, error)
            return None
        except UncertainError as error:
            for case in draft.cases:
                case.recorder.end_attempt(case.attempt, error)
                await self._end(case, error)
            return None
        except RunnerError as error:
            await self._refused(draft, error)
            return None
        record = draft.record(Phase.CREATING, input_file_id)
        return await self.own(record, draft.cases, batch)

    async def _create(self, draft: _Draft, input_file_id: str) -> Batch:
        """Send the paid request, again only where it provably created nothing."""
        clock, began, tries = self._endpoint.clock, self._endpoint.clock.elapsed(), 0
        while True:
            await self._keep(draft.record(Phase.CREATING, input_file_id))
            try:
                return await self._api.create(input_file_id, draft.where, draft.mark, draft.model)
            except UncertainError as error:
                found = await self._looked_for(draft.mark, input_file_id)
                if found is not None:
                    return found
                error.hint = LOST
                raise
            except (RateLimitError, HTTPConnectionError) as error:
                await self._keep(draft.record(Phase.UPLOADED, input_file_id))
                tries += 1
                limited = isinstance(error, RateLimitError)
                wait = (_REFUSED if limited else _AGAIN).seconds(tries, clock)
                if isinstance(error, RateLimitError):
                    wait = max(wait, error.retry_after or 0.0)
                over = clock.elapsed() + wait - began > self._endpoint.config.job_timeout
                if over if limited else tries >= TRIES:
                    raise
                draft.cases[0].recorder.tell(note=f"{error}; the batch is sent again in {wait:,.0f} s")
                await self._endpoint.stop_event.sleep(wait, clock)

    async def _looked_for(self, mark: str, input_file_id: str) -> Batch | None:
        """Look for a batch that may have been created a moment ago; None where the list does not have it."""
        clock = self._endpoint.clock
        since = clock.time()
        for look in range(LOOKS):
            await clock.sleep(_AGAIN.seconds(look + 1, clock))
            search = await find(self._endpoint, {mark: input_file_id}, since)
            if search.found:
                return search.found[mark]
        return None

    async def _refused(self, draft: _Draft, error: RunnerError) -> None:
        """End the runs of a batch that was provably not created."""
        waits = isinstance(error, RateLimitError | AuthenticationError)
        for case in draft.cases:
            case.recorder.end_attempt(case.attempt, error)
        if waits:
            await _all(draft.cases, lambda case: case.recorder.step_back(None))
        for case in draft.cases:
            await self._end(case, error)
        with suppress(DiskError):
            await self._keep(draft.record(Phase.UPLOADED, ended=True))
        discard(draft.path)

    async def own(
        self, record: BatchRecord, cases: Sequence[InBatch], batch: Batch, *, adopted: bool = False
    ) -> BatchRecord:
        """Record a batch's id, durably, and then that each run goes on in it."""
        record = record.model_copy(update={"id": batch.id, "phase": Phase.CREATED, "status": batch.raw_status})
        tell = cases[0].recorder.tell
        held = HeldAnswer(f"the id of batch {batch.id}", self._endpoint.clock, lambda note: tell(note=note))
        await held.write(lambda: self._keep(record))
        job = Job(batch.id, JobStatus.QUEUED, "in batch", raw={"id": batch.id, "object": "batch"})

        async def own(case: InBatch) -> None:
            attempt = next(each for each in reversed(case.recorder.result.attempts) if each.batch == record.mark)
            case.recorder.end_attempt(attempt)
            attempt.adopted = adopted
            case.recorder.result.error = None
            if attempt is case.attempt:
                await case.recorder.submitted(job)
            else:
                attempt.job_id = job.id
                await case.recorder.reattach(job)

        await _all(cases, own)
        discard(input_path(self._store.directory, record.mark))
        return record

    async def _keep(self, record: BatchRecord) -> None:
        await asyncio.to_thread(self._store.keep, record)


async def _all(cases: Sequence[InBatch], do: Callable[[InBatch], Awaitable[None]]) -> None:
    """Do something for all, many at a time; raises the first error once all are done."""
    for start in range(0, len(cases), _TOGETHER):
        some = cases[start : start + _TOGETHER]
        ends = await asyncio.gather(*(do(case) for case in some), return_exceptions=True)
        for error in ends:
            if error is not None:
                raise error


async def cancel(endpoint: Endpoint, record: BatchRecord) -> Batch:
    """Cancel a batch, found by its mark where its id is not known; raises `RunnerError` where that is not possible."""
    batch_id = record.id
    if batch_id is None:
        search = await find(endpoint, {record.mark: record.input_file_id}, 0.0)
        if record.mark not in search.found:
            raise UncertainError(f"its id is not known, as the answer was lost; {search.reason}")
        batch_id = search.found[record.mark].id
    return await endpoint.ask(endpoint.provider.batches().cancel, batch_id, "answer to the cancellation")
