"""Many jobs at one server, waited for in simulated time, and nothing done with them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from runner.engine.clock import Clock
from runner.engine.endpoint import Endpoint
from runner.engine.poll import poll
from runner.engine.recorder import BudgetTracker, RunRecorder
from runner.engine.run import Event, Run
from runner.engine.store import RecordWriter, ResultFiles, Threads
from runner.errors import JobNotFoundError, RunnerError
from runner.providers.base import Job, JobPage, JobStatus

from .configs import video_config
from .fake_provider import FakeProvider
from .simulation import EPOCH, SimulatedLoop


class Hall(FakeProvider):
    """A server at which jobs end at moments of their own (seconds from the start).

    Attributes:
        shows: whether it tells their progress.
        end_as: how they end.
        hidden: those that its list leaves out.
        listed_as: what becomes of each entry of the list.
        page_as: what becomes of each page, asked for behind a job or None.
        retrieved: the job of each question about one.
    """

    def __init__(self, ends: Mapping[str, float], *, latency: float = 0.005) -> None:
        super().__init__(b"", latency=latency)
        self.ends = dict(ends)
        self.created = dict.fromkeys(self.ends, 0.0)
        self.shows = True
        self.end_as = JobStatus.COMPLETED
        self.hidden: set[str] = set()
        self.listed_as: Callable[[Job], Job] = lambda job: job
        self.page_as: Callable[[JobPage, str | None], JobPage] = lambda page, after: page
        self.retrieved: list[str] = []

    async def retrieve(self, job_id: str) -> Job:
        self.retrieved.append(job_id)
        if job_id not in self.created:
            raise JobNotFoundError("knows no such job")
        return await super().retrieve(job_id)

    async def jobs(self, after: str | None = None, limit: int = 100) -> JobPage:
        self.listed.append(self._now())
        await asyncio.sleep(self.latency)
        told = self._told(self.on_jobs)
        if told is not None:
            return told
        ids = [job_id for job_id in reversed(self.created) if self.created[job_id] <= self._now()]
        if after is not None and after not in self.created:
            raise JobNotFoundError("knows no such job to list behind")
        ids = ids if after is None else ids[1 + ids.index(after) :]
        page, rest = [job_id for job_id in ids if job_id not in self.hidden][:limit], len(ids) > limit
        jobs = tuple(self.listed_as(self._job(job_id)) for job_id in page)
        return self.page_as(JobPage(jobs, rest, page[-1] if page else None), after)

    def _job(self, job_id: str) -> Job:
        born = self.created[job_id]
        status, progress = self._state(born, self.ends[job_id] - born)
        status = self.end_as if status.terminal else status
        raw = {"id": job_id, "status": status.value, "url": "https://files.example/1"}
        return Job(job_id, status, status.value, progress if self.shows else 0, created_at=EPOCH + born, raw=raw)

    @property
    def requests(self) -> int:
        return len(self.listed) + len(self.retrieved)


class Crowd:
    """Waits for all jobs of a hall; when each was heard to have ended, and as what."""

    def __init__(self, clock: Clock, directory: Path) -> None:
        self.clock = clock
        self.directory = directory
        self.heard: dict[str, float] = {}
        self.jobs: dict[str, Job] = {}
        self.errors: dict[str, RunnerError] = {}
        self.events: list[Event] = []
        self.left_over = 0

    def wait_for(
        self,
        hall: Hall,
        *,
        only: Collection[str] | None = None,
        arrive: Mapping[str, float] | None = None,
        first: Mapping[str, Any] | None = None,
        **provider: Any,
    ) -> None:
        """Wait for all jobs, or `only` those, each from when it arrives; `first` is known of each beforehand."""
        config = video_config(**{"poll_interval": 5, "max_concurrent_jobs": 10_000, **provider})
        threads, budget_tracker = Threads(), BudgetTracker()

        async def one(endpoint: Endpoint, number: int, job_id: str) -> None:
            await asyncio.sleep((arrive or {}).get(job_id, number % 100 * 0.05))
            run = Run(number, config, self.directory)
            recorder = RunRecorder(
                run, self.events.append, self.clock, RecordWriter(ResultFiles(), threads), budget_tracker
            )
            job = Job(job_id, JobStatus.QUEUED, "queued", created_at=EPOCH, **(first or {}))
            try:
                self.jobs[job_id] = await poll(endpoint, recorder, job)
            except RunnerError as error:
                self.errors[job_id] = error
            self.heard[job_id] = self.clock.elapsed()

        async def main() -> None:
            endpoint = Endpoint(hall, config.provider, self.clock)
            await asyncio.gather(*(one(endpoint, number, job_id) for number, job_id in enumerate(only or hall.ends)))
            await asyncio.sleep(0)
            self.left_over = len(asyncio.all_tasks()) - 1

        with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
            runner.run(main())
        threads.close()

    def delays(self, hall: Hall, interval: float = 5) -> list[float]:
        """Between each job's end and the hearing of it, in intervals, shortest first."""
        return sorted((at - hall.ends[job_id]) / interval for job_id, at in self.heard.items())
