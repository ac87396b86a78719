"""Finish the run of each line of a batch's results as any other, in whatever order they come."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from runner.artifacts.download import decode_span
from runner.artifacts.run_status import RunStatus
from runner.errors import (
    ArtifactError,
    BadRequestError,
    DiskError,
    GenerationFailedError,
    RunnerError,
    UncertainError,
)
from runner.providers.base import GeneratedImage, ImageBatch
from runner.providers.batch import Batch, BatchStatus, ResultLine
from runner.providers.batch_api import BatchAPI

from .batch_record import BatchRecord, BatchStore
from .batch_results import (
    KINDS,
    Span,
    Throttle,
    UnreadableLineError,
    content_of,
    discard_all,
    fetch,
    keep_stray,
    read_span,
    results_path,
    spans,
)
from .batch_submission import LOST, End, InBatch, custom_id
from .clock import Backoff
from .endpoint import Endpoint
from .image import finish_images, keep_images
from .kept_answer import keep_answer

_AGAIN = "resume --retry-failed sends it in another batch"
_TRIES = 4
"""Downloads of the results, where these are short or images do not come from their addresses; over half a minute."""

_LATER = Backoff(base=5, cap=20, floor=0.5)
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
        self._unfetched: dict[str, str] = {}
        self._naming = asyncio.Lock()
        self._strays: set[Path] = set()
        self._not_kept = 0
        self._full: DiskError | None = None

    async def collect(self, batch: Batch) -> bool:
        """End every run of the batch; whether all that came is where it belongs.

        Raises `DiskError` for the runs that are left where the disk is full.
        """
        if batch.status is BatchStatus.FAILED and not batch.has_results:
            await self._not_taken(batch)
        for tries in range(1, _TRIES + 1):
            missing = await self._read_files(batch)
            if not self._unfetched and (missing is not None or not self._is_short(batch)):
                break
            # What was short may be no such file, and addresses of images hold for a while only.
            discard_all(self._directory, self._record.mark)
            if tries < _TRIES:
                self._taken.clear()
                self._unfetched.clear()
                self._not_kept = 0
                await self._endpoint.clock.sleep(_LATER.seconds(tries, self._endpoint.clock))
        if self._strays:
            self._first.warn(self._told_of_strays(batch))
            await self._first.write(durable=False)  # its run may have ended before
        for name, problem in self._unfetched.items():
            message = f"an image that batch {batch.id} has made could not be fetched from its address: {problem}"
            hint = "it is paid and stays at the provider until it expires; resume asks for its address again"
            await self._ended(self._open[name], ArtifactError(message, hint=hint, job_id=batch.id))
        for case in [*self._open.values()]:
            await self._without_line(case, batch, missing)
        return missing is None and not self._unfetched

    async def _read_files(self, batch: Batch) -> RunnerError | None:
        """Take in all files of results; return why one of them could not be had. Raises `DiskError`."""
        missing: RunnerError | None = None
        for kind, file_id in zip(KINDS, (batch.output_file_id, batch.error_file_id), strict=True):
            if file_id is None or not self._open:
                continue
            path = results_path(self._directory, self._record.mark, kind)
            try:
                await fetch(self._endpoint, self._api, batch, file_id, path, self._is_wanted)
                await self._take_in(path)
            except DiskError:
                raise
            except RunnerError as error:
                missing = missing or error
        return missing

    def _is_short(self, batch: Batch) -> bool:
        """Return whether lines are missing of a batch that counts all as executed: what came may be no such file."""
        named = batch.output_file_id is not None or batch.error_file_id is not None
        executed = batch.completed + batch.failed
        return named and bool(self._open) and executed >= max(batch.total, self._record.runs, 1)

    def _told_of_strays(self, batch: Batch) -> str:
        kept = ", ".join(sorted(map(str, self._strays))[:_SHOWN])
        count = len(self._strays) + self._not_kept
        are = "line of batch {} is" if count == 1 else "lines of batch {} are"
        told = f"{count:,} {are.format(batch.id)} of no run, or of one twice, and kept: {kept}"
        if not self._not_kept:
            return told
        more = " and more" if len(self._strays) > _SHOWN else ""
        files = " and ".join(filter(None, (batch.output_file_id, batch.error_file_id)))
        return f"{told}{more}; but {self._not_kept:,} of them are only in the provider's {files}"

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
        media = self._first.threads.media
        try:
            line = await media(read_span, path, span, self._is_wanted)
        except UnreadableLineError:
            await self._keep_stray(path, span)
            return
        if line is None:
            return
        case = self._open.get(line.custom_id)
        if case is None or line.custom_id in self._taken:
            await self._keep_stray(path, span)
            return
        if line.unfetched is not None:
            self._unfetched[line.custom_id] = line.unfetched
            return
        self._taken.add(line.custom_id)
        self._unfetched.pop(line.custom_id, None)
        try:
            images = await media(self._api.images, line, case.recorder.run.config)
        except UncertainError as error:
            error.answer = self._api.kept(await media(content_of, path, span))
            await self._unreadable(case, error)
        except RunnerError as error:
            await self._failed(case, line, error)
        else:
            if images.answer is not None:
                images = replace(images, answer=self._api.kept(await media(content_of, path, span)))
            found = tuple(_from_file(image, line, path) for image in images.images)
            await self._finish(case, replace(images, images=found))

    async def _keep_stray(self, path: Path, span: Span) -> None:
        async with self._naming:
            kept = await self._first.threads.disk(keep_stray, self._directory, self._record.mark, path, span)
        if kept is None:
            self._not_kept += 1
        else:
            self._strays.add(kept)

    def _is_wanted(self, name: str) -> bool:
        """Return whether a line is to be read: of ours, those of runs that were finished before are not."""
        return name in self._open or name in self._taken or not name.startswith(f"{self._record.mark}.")

    async def _finish(self, case: InBatch, images: ImageBatch) -> None:
        recorder = case.recorder
        try:
            await recorder.open()
            await keep_images(self._endpoint, recorder, images)
            await finish_images(self._endpoint, recorder)
        except Exception as error:  # noqa: BLE001 - one run's trouble is not its siblings'
            if isinstance(error, DiskError):
                self._full = self._full or error
            await self._ended(case, error)
        else:
            await self._ended(case)

    async def _unreadable(self, case: InBatch, error: UncertainError) -> None:
        """End a run whose line is kept; it and the provider's file are read again."""
        recorder = case.recorder
        await recorder.open()
        await keep_answer(recorder, case.attempt, self._endpoint.clock, error)
        recorder.end_attempt(case.attempt, error)
        await self._ended(case, error)

    async def _failed(self, case: InBatch, line: ResultLine, error: RunnerError) -> None:
        """End a run by what its line says in place of images."""
        case.recorder.end_attempt(case.attempt, error)
        if error.retryable or error.shared:
            error.hint = _AGAIN  # nothing is tried again by itself, and no request of ours was too many
        if line.body is None or (line.status or 0) >= 400:
            case.recorder.paid(0.0)  # what is charged is what a line has made
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
        unnamed = batch.completed > 0 and batch.output_file_id is None
        if missing is not None:
            await self._ended(case, missing)
        elif unnamed:
            message = f"batch {batch.id} tells of {batch.completed:,} lines that are done, and names no file of them"
            await self._ended(case, UncertainError(message, hint=LOST))
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
            hint = f"resume reads the results again and pays nothing; where no line ever comes: {LOST}"
            await self._ended(case, UncertainError(message, hint=hint))

    async def _for_nothing(self, case: InBatch, error: RunnerError, status: RunStatus) -> None:
        case.recorder.end_attempt(case.attempt, error)
        case.recorder.paid(0.0)
        await self._ended(case, error, status=status)

    async def _ended(self, case: InBatch, error: Exception | None = None, status: RunStatus | None = None) -> None:
        del self._open[custom_id(self._record.mark, case.recorder.run.index)]
        await self._end(case, error, status=status)


def _from_file(image: GeneratedImage, line: ResultLine, path: Path) -> GeneratedImage:
    """Return the image as what writes it, where its text stayed in the file."""
    place = line.data.get(image.b64 or image.url or "")
    return image if place is None else replace(image, b64=None, url=None, write=partial(decode_span, path, *place))
