"""Finish the run of each line of a batch's results as any other, in whatever order they come."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from runner.artifacts.result import RunStatus
from runner.errors import (
    BadRequestError,
    DiskError,
    GenerationFailedError,
    RunnerError,
    UncertainError,
)
from runner.providers.batch import Batch, BatchStatus, ResultLine
from runner.providers.batch_api import BatchAPI

from .batch_record import BatchRecord, BatchStore
from .batch_results import KINDS, Span, Throttle, fetch, keep_stray, read_span, results_path, spans
from .batch_submission import LOST, End, InBatch, custom_id
from .endpoint import Endpoint
from .image import finish_images, keep_images
from .kept_answer import keep_answer

_AGAIN = "resume --retry-failed sends it in another batch"
_SHOWN = 3
"""Problems of an input, and lines that were kept, that are named."""


class LineCollector:
    """Collect what came of one batch."""

    def __init__(
        self,
        endpoint: Endpoint,
        api: BatchAPI,
        store: BatchStore,
        end: End,
        record: BatchRecord,
        cases: Sequence[InBatch],
    ) -> None:
        """Take the batch's record and those of its runs that are open."""
        self._endpoint = endpoint
        self._api = api
        self._directory = store.directory
        self._end = end
        self._record = record
        self._open = {custom_id(record.mark, case.recorder.run.index): case for case in cases}
        self._first = cases[0].recorder
        self._taken: set[str] = set()
        self._naming = asyncio.Lock()
        self._strays: set[Path] = set()
        self._full: DiskError | None = None

    async def collect(self, batch: Batch) -> bool:
        """End every run of the batch; whether all that came is where it belongs.

        Raises `DiskError` for the runs that are left where the disk is full.
        """
        if batch.status is BatchStatus.FAILED:
            await self._not_taken(batch)
        missing: RunnerError | None = None
        for kind, file_id in zip(KINDS, (batch.output_file_id, batch.error_file_id), strict=True):
            if file_id is None or not self._open:
                continue
            path = results_path(self._directory, self._record.mark, kind)
            try:
                await fetch(self._endpoint, self._api, batch, file_id, path)
            except DiskError:
                raise
            except RunnerError as error:
                missing = missing or error
            else:
                await self._take_in(path)
        if self._strays:
            kept = ", ".join(sorted(map(str, self._strays))[:_SHOWN])
            told = (
                f"{len(self._strays):,} lines of batch {batch.id} are of no run, or of one twice, and are kept: {kept}"
            )
            self._first.warn(told)
            await self._first.write(durable=False)  # its run may have ended before
        for case in [*self._open.values()]:
            await self._without_line(case, batch, missing)
        return missing is None

    async def _take_in(self, path: Path) -> None:
        throttle = Throttle()

        async def take(span: Span) -> None:
            try:
                await self._take(path, span)
            finally:
                await throttle.leave(span.length)

        async with asyncio.TaskGroup() as group:
            for span in spans(path):
                await throttle.enter(span.length)
                if self._full is not None:
                    raise self._full
                group.create_task(take(span))
        if self._full is not None:
            raise self._full

    async def _take(self, path: Path, span: Span) -> None:
        found = await self._first.threads.media(read_span, path, span, self._is_wanted)
        if found is None:
            return
        case = self._open.get(found.custom_id) if isinstance(found, ResultLine) else None
        if isinstance(found, ResultLine) and case is not None and found.custom_id not in self._taken:
            self._taken.add(found.custom_id)
            await self._finish(case, found)
        else:
            async with self._naming:
                kept = await self._first.threads.disk(keep_stray, self._directory, self._record.mark, path, span)
            self._strays.add(kept)

    def _is_wanted(self, name: str) -> bool:
        """Return whether a line is to be read: of ours, those of runs that were finished before are not."""
        return name in self._open or name in self._taken or not name.startswith(f"{self._record.mark}.")

    async def _finish(self, case: InBatch, line: ResultLine) -> None:
        recorder = case.recorder
        try:
            try:
                images = await recorder.threads.media(self._api.images, line, recorder.run.config)
            except RunnerError as error:
                await self._failed(case, line, error)
                return
            await recorder.open()
            await keep_images(self._endpoint, recorder, images)
            await finish_images(self._endpoint, recorder)
        except Exception as error:  # noqa: BLE001 - one run's trouble is not its siblings'
            if isinstance(error, DiskError):
                self._full = self._full or error
            await self._ended(case, error)
        else:
            await self._ended(case)

    async def _failed(self, case: InBatch, line: ResultLine, error: RunnerError) -> None:
        """End a run by what its line says in place of images."""
        recorder = case.recorder
        if isinstance(error, UncertainError):
            await recorder.open()
            await keep_answer(recorder, case.attempt, self._endpoint.clock, error)
            # From here on it is a request whose answer is kept and cannot be read yet.
            case.attempt.job_id = recorder.result.job_id = None
            recorder.end_attempt(case.attempt, error)
            await self._ended(case, error)
            return
        recorder.end_attempt(case.attempt, error)
        if line.body is None or (line.status or 0) >= 400:
            recorder.paid(0.0)  # what is charged is what a line has made
        await self._ended(case, error, status=RunStatus.FAILED)

    async def _not_taken(self, batch: Batch) -> None:
        """End the runs of a batch whose input was refused: nothing of it was executed."""
        by_line = {problem.line: problem for problem in reversed(batch.problems) if problem.line is not None}
        told = "; ".join(dict.fromkeys(problem.message for problem in batch.problems[:_SHOWN])) or "no reason is given"
        code = next((problem.code for problem in batch.problems if problem.code), None)
        # Lines were written in this order.
        ordered = sorted(self._open.values(), key=lambda case: case.recorder.run.index)
        for number, case in enumerate(ordered, 1):
            own = by_line.get(number) if len(ordered) == self._record.runs else None
            error: RunnerError
            if own is not None:
                message = f"the provider refused the input of batch {batch.id} for this run's line: {own.message}"
                error = BadRequestError(message, hint="nothing of the batch was executed or charged", code=own.code)
            else:
                message = f"the provider refused the input of batch {batch.id} as a whole: {told}"
                hint = f"nothing of it was executed or charged; {_AGAIN}"
                error = GenerationFailedError(message, hint=hint, code=code)
            await self._for_nothing(case, error, RunStatus.FAILED)

    async def _without_line(self, case: InBatch, batch: Batch, missing: RunnerError | None) -> None:
        """End a run of which no line tells."""
        if missing is not None:
            await self._ended(case, missing)
        elif batch.status is BatchStatus.CANCELLED:
            message = f"batch {batch.id} was cancelled before this run's line was executed; it is not charged"
            error: RunnerError = GenerationFailedError(message, hint=_AGAIN, code="batch_cancelled")
            await self._for_nothing(case, error, RunStatus.CANCELLED)
        elif batch.status is BatchStatus.EXPIRED:
            message = f"batch {batch.id} expired before this run's line was executed; it is not charged"
            error = GenerationFailedError(message, hint=_AGAIN, code="batch_expired")
            await self._for_nothing(case, error, RunStatus.FAILED)
        else:
            message = f"the results of batch {batch.id} have no line for this run, which may have been charged"
            await self._ended(case, UncertainError(message, hint=LOST))

    async def _for_nothing(self, case: InBatch, error: RunnerError, status: RunStatus) -> None:
        case.recorder.end_attempt(case.attempt, error)
        case.recorder.paid(0.0)
        await self._ended(case, error, status=status)

    async def _ended(self, case: InBatch, error: Exception | None = None, status: RunStatus | None = None) -> None:
        del self._open[custom_id(self._record.mark, case.recorder.run.index)]
        await self._end(case, error, status=status)
