"""Poll many jobs at once: one page of an endpoint's list tells of a hundred."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass

from runner.errors import RateLimitError, RunnerError
from runner.providers.base import Job, JobPage, JobStatus

from .clock import Clock

_log = logging.getLogger("runner")

_CROWD = 8
"""Jobs up to which each is asked for alone, at the very moment when it is due."""

_WORTH = 4
"""Jobs that a page must tell of: reading it twice an interval costs about as much as asking for so many one by one."""

_STRIKES = 3
"""Failures in a row after which the list is left alone, and absences after which a job is asked for alone."""

_EARLY = 0.25
"""The part of the time between two turns by which a job may be asked for too early."""


_CALM = 2
"""Turns without an end after which the next end is taken for the first of many."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    due: float
    answer: asyncio.Future[Job | None]


class _Rhythm:
    """Set the time between two polls. Once a job has ended, two are half as long: jobs sent together end together."""

    def __init__(self, rest: float) -> None:
        """Take the time between two polls, `rest`, in seconds."""
        self._rest = rest
        self._calm = 0
        self._quick = 0

    def after(self, ended: bool | None) -> float:
        """Return seconds from the beginning of a turn to the next; `ended` is None if nothing was read."""
        if ended and self._calm >= _CALM:
            # Two of them: a job that is due at every other turn is still due then.
            self._quick = 2
        if ended is not None:
            self._calm = 0 if ended else self._calm + 1
        if not self._quick:
            return self._rest
        self._quick -= 1
        return self._rest / 2


class JobListPoller:
    """Poll the list of jobs twice an interval, only the pages with due jobs; `_Rhythm` says when to poll sooner.

    It keeps to itself while few jobs are present. Where the list cannot be read, leaves a job out, tells less than the
    job's own answer or holds too few jobs of ours, those are to be asked for alone. It relies on no order and on no
    page being the same twice.
    """

    def __init__(
        self,
        clock: Clock,
        interval: float,
        page: Callable[[str | None], Awaitable[JobPage]],
        retrieve: Callable[[str], Awaitable[Job]],
        *,
        listed: bool = True,
    ) -> None:
        """Take the `interval` in seconds between two polls of a job, and `page`, which reads the page after a job.

        `listed`: whether the list names jobs by the ids that they are known by.
        """
        self._listed = listed
        self._clock = clock
        self._rest = interval / 2
        self._tempo = _Rhythm(self._rest)
        self._page = page
        self._retrieve = retrieve
        self._present: set[str] = set()
        self._waiting: dict[str, _Waiting] = {}
        self._cursors: dict[str, str | None] = {}
        """Behind which job the page begins that told of a job last; None is the first page."""
        self._sparse: set[str | None] = set()
        self._absences: Counter[str] = Counter()
        self._strikes: Counter[bool] = Counter()
        self._whole: bool | None = None
        self._reader: asyncio.Task[None] | None = None
        self._ended = False

    @contextmanager
    def watch(self, job_id: str) -> Iterator[None]:
        """Count a job meanwhile as one that is waited for."""
        self._present.add(job_id)
        try:
            yield
        finally:
            self._present.discard(job_id)
            self._cursors.pop(job_id, None)
            self._absences.pop(job_id, None)
            if not self._present and self._reader is not None and not self._reader.done():
                self._reader.cancel()
                self._reader = None

    async def wait_for(self, job_id: str, seconds: float) -> Job | None:
        """Return what the list tells of a job after about `seconds`, or sooner if it has ended by then.

        None is returned when the job is to be asked for alone, now; raises no `RunnerError`.
        """
        due = self._clock.elapsed() + seconds
        told = await self._told(job_id, due) if self._tells_of(job_id) else None
        if told is None:
            await self._clock.sleep(max(0.0, due - self._clock.elapsed()))
            return None
        return told if self._suffices(told) else None

    def _tells_of(self, job_id: str) -> bool:
        """Return whether it is worth while to wait for the list."""
        return (
            self._listed
            and len(self._present) > _CROWD
            and self._absences[job_id] < _STRIKES
            and job_id not in self._waiting
            and not (job_id in self._cursors and self._cursors[job_id] in self._sparse)
            # A reader that ended by itself has given the list up.
            and (self._reader is None or not self._reader.done())
        )

    async def _told(self, job_id: str, due: float) -> Job | None:
        answer: asyncio.Future[Job | None] = asyncio.get_running_loop().create_future()
        self._waiting[job_id] = _Waiting(due, answer)
        if self._reader is None:
            self._reader = asyncio.create_task(self._read())
        try:
            return await answer
        finally:
            self._waiting.pop(job_id, None)

    def _suffices(self, told: Job) -> bool:
        """Return whether nothing would be learned from asking for the job alone: why one failed, lists may not tell."""
        return not told.status.terminal or (told.status is JobStatus.COMPLETED and self._whole is True)

    async def _read(self) -> None:
        try:
            while max(self._strikes.values(), default=0) < _STRIKES:
                began = self._clock.elapsed()
                rest = self._tempo.after(await self._turn(began + _EARLY * self._rest))
                # A list that takes long to read is given as much time again.
                took = self._clock.elapsed() - began
                await self._clock.sleep(max(rest - took, min(took, self._rest)))
        except Exception:  # noqa: BLE001 - without the list, each job can still be asked for
            _log.exception("the list of jobs is no longer used")
        finally:
            self._give_over(set(self._waiting))

    async def _turn(self, until: float) -> bool | None:
        """Read pages until all jobs that are due before `until` are heard of, as far as that is possible.

        Returns whether some job has ended; None if there was nothing to read.
        """
        due = {job_id for job_id, waiting in self._waiting.items() if waiting.due <= until}
        if not due:
            return None
        self._ended = False
        missing, answered = await self._look_for(due, until)
        for job_id in missing:
            self._absences[job_id] += answered
        self._give_over(missing)
        counts = Counter(self._cursors.values())
        self._sparse = {cursor for cursor, count in counts.items() if count < _WORTH}
        return self._ended

    async def _look_for(self, due: set[str], until: float) -> tuple[set[str], bool]:
        """Return the jobs among those `due` that no page tells of, and whether every page was answered."""
        missing, absent, seen = set(due), set[str](), set[str | None]()
        steps = 4 + len(self._present) // 25
        while missing:
            cursor = self._cursors.get(next(iter(missing)))
            page = await self._next_page(cursor)
            if page is None:
                self._move([job_id for job_id in due if self._cursors.get(job_id) == cursor], None)
                return missing | absent, False
            seen.add(cursor)
            missing -= await self._take(page, cursor, until)
            late = {job_id for job_id in missing if self._cursors.get(job_id) == cursor}
            # New jobs push the others to later pages.
            goes_on = page.more and page.last not in seen
            self._move(late, page.last if goes_on else None)
            steps -= bool(late)
            if not goes_on or steps < 0:
                missing -= late
                absent |= late
        return absent, True

    def _move(self, job_ids: Iterable[str], cursor: str | None) -> None:
        """Look for jobs behind `cursor` from now on, or from the beginning."""
        for job_id in job_ids:
            if cursor is None or job_id not in self._present:
                self._cursors.pop(job_id, None)
            else:
                self._cursors[job_id] = cursor

    async def _next_page(self, cursor: str | None) -> JobPage | None:
        first = cursor is None
        try:
            page = await self._page(cursor)
        except RunnerError as error:
            # A 429 says nothing against lists.
            self._strikes[first] += not isinstance(error, RateLimitError)
            return None
        self._strikes[first] = 0
        return page

    async def _take(self, page: JobPage, cursor: str | None, until: float) -> AbstractSet[str]:
        """Pass on what a page tells; the ids of the jobs that are waited for on it."""
        ours = [job for job in page.jobs if job.id in self._present]
        for job in ours:
            self._cursors[job.id] = cursor
            self._absences.pop(job.id, None)
            waiting = self._waiting.get(job.id)
            if waiting is None or (waiting.due > until and not job.status.terminal):
                continue
            if job.status is JobStatus.COMPLETED and self._whole is None:
                await self._compare(job)
            self._ended |= job.status.terminal
            self._answer(job.id, job)
        return {job.id for job in ours}

    async def _compare(self, listed: Job) -> None:
        """Find out whether the list says as much of a completed job as the job's own answer."""
        try:
            asked = await self._retrieve(listed.id)
        except RunnerError:
            return
        self._whole = _said(asked) <= _said(listed)

    def _give_over(self, job_ids: AbstractSet[str]) -> None:
        for job_id in job_ids:
            self._answer(job_id, None)

    def _answer(self, job_id: str, job: Job | None) -> None:
        waiting = self._waiting.pop(job_id, None)
        if waiting is not None and not waiting.answer.done():
            waiting.answer.set_result(job)


def _said(job: Job) -> set[str]:
    return {key for key, value in job.raw.items() if value is not None}
