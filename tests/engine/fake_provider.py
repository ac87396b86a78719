"""A provider that does as it is told, in simulated time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from runner.config.run import RunConfig
from runner.errors import RunnerError, UncertainError
from runner.providers.base import ImageBatch, Job, JobPage, JobStatus, OnPartial, PartialImage

from .simulation import EPOCH


class Body:
    """A download: `pieces` as they come; `breaks` is raised after them."""

    def __init__(self, data: bytes, *, length: int | None = None, breaks: RunnerError | None = None) -> None:
        self.length = len(data) if length is None else length
        self.data = data
        self.breaks = breaks
        self.seconds = 0.0

    async def chunks(self):
        for start in range(0, len(self.data), 4096):
            if self.seconds:
                await asyncio.sleep(self.seconds)
            yield self.data[start : start + 4096]
        if self.breaks is not None:
            raise self.breaks


class FakeProvider:
    """Jobs that take `seconds`; each list is what the next calls do instead: raise an error or return a value.

    Of the next `answers_lost` submissions, each makes its job and then loses the answer.
    """

    name = "openai"
    endpoint = "https://fake.example/v1"
    credential = ""
    server_ahead: float | None = None
    prefix = "video"

    def __init__(self, clip: bytes, *, seconds: float = 10, latency: float = 0.05) -> None:
        self.clip = clip
        self.seconds = seconds
        self.latency = latency
        self.on_submit: deque[Any] = deque()
        self.on_source: deque[Any] = deque()
        self.looked: list[float] = []
        self.sources: list[str | None] = []
        self.on_retrieve: deque[Any] = deque()
        self.on_jobs: deque[Any] = deque()
        self.on_content: deque[Any] = deque()
        self.on_generate: deque[Any] = deque()
        self.on_fetch: deque[Any] = deque()
        self.fetched: list[str] = []
        self.partials: list[PartialImage] = []
        self.sent_configs: list[RunConfig] = []
        self.sent: list[float] = []
        self.polled: list[float] = []
        self.listed: list[float] = []
        self.downloads: list[float] = []
        self.answers_lost = 0
        self.created: dict[str, float] = {}
        self.asked: dict[str, dict[str, Any]] = {}
        self.in_flight = 0
        self.most_in_flight = 0
        self.most_jobs = 0
        self.collected: set[str] = set()
        self.deleted: list[str] = []
        self.closed = False
        self.before_answer: Callable[[], None] = lambda: None

    def body(self, config: RunConfig) -> dict[str, Any]:
        operation = "create" if config.request.kind == "video" else "generate"
        return {"operation": operation, "prompt": config.request.prompt, "model": config.sent_model}

    async def source_address(self, config: RunConfig) -> str:
        self.looked.append(self._now())
        async with self._request():
            await asyncio.sleep(self.latency)
            return self._told(self.on_source) or f"https://files.example/{len(self.looked)}.mp4"

    async def submit(self, config: RunConfig, source: str | None = None) -> Job:
        self.sent_configs.append(config)
        self.sources.append(source)
        self.sent.append(self._now())
        async with self._request():
            self.before_answer()
            await asyncio.sleep(self.latency)
            lost = self.answers_lost > 0
            told = None if lost else self._told(self.on_submit)
            if told is not None:
                return told
            job_id = f"{self.prefix}_{len(self.created)}"
            self.created[job_id] = self._now()
            self.asked[job_id] = self.body(config)
            if lost:
                self.answers_lost -= 1
                raise UncertainError("the answer was lost")
            self.most_jobs = max(self.most_jobs, len(self.created) - len(self.collected))
            return self._job(job_id)

    async def retrieve(self, job_id: str) -> Job:
        self.polled.append(self._now())
        async with self._request():
            await asyncio.sleep(self.latency)
            return self._told(self.on_retrieve) or self._job(job_id)

    async def jobs(self, after: str | None = None, limit: int = 100) -> JobPage:
        self.listed.append(self._now())
        async with self._request():
            await asyncio.sleep(self.latency)
            told = self._told(self.on_jobs)
            if told is not None:
                return told
            newest = [self._listed(job_id) for job_id in reversed(self.created)]
            start = 0 if after is None else 1 + [job.id for job in newest].index(after)
            page = newest[start : start + limit]
            return JobPage(tuple(page), len(newest) > start + limit, page[-1].id if page else None)

    @asynccontextmanager
    async def content(self, job: Job, variant: str = "video"):
        self.downloads.append(self._now())
        async with self._request():
            await asyncio.sleep(self.latency)
            yield self._told(self.on_content) or Body(self.clip)
            self.collected.add(job.id)

    async def delete(self, job_id: str) -> None:
        self.deleted.append(job_id)

    async def generate(self, config: RunConfig, on_partial: OnPartial | None = None) -> ImageBatch:
        self.sent.append(self._now())
        self.sent_configs.append(config)
        async with self._request():
            self.before_answer()
            await asyncio.sleep(self.latency)
            for partial in self.partials:
                await on_partial(partial)
            return self._told(self.on_generate)

    @asynccontextmanager
    async def fetch(self, url: str, *, by_user: bool = False):
        self.fetched.append(url)
        async with self._request():
            yield self._told(self.on_fetch)

    async def close(self) -> None:
        self.closed = True

    @asynccontextmanager
    async def _request(self):
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            yield
        finally:
            self.in_flight -= 1

    def _told(self, orders: deque[Any]) -> Any:
        order = orders.popleft() if orders else None
        if isinstance(order, Exception):
            raise order
        return order

    def _job(self, job_id: str) -> Job:
        born = self.created[job_id]
        status, progress = self._state(born, self.seconds)
        raw = {"id": job_id, "status": status.value}
        return Job(job_id, status, status.value, progress, created_at=EPOCH + born, raw=raw)

    def _state(self, born: float, seconds: float) -> tuple[JobStatus, int]:
        """How far a job is that takes so many seconds, in hundredths."""
        done = (self._now() - born) / seconds if seconds else 1
        status = JobStatus.IN_PROGRESS if done > 0.1 else JobStatus.QUEUED
        return JobStatus.COMPLETED if done >= 1 else status, min(100, int(done * 100))

    def _listed(self, job_id: str) -> Job:
        job = self._job(job_id)
        return replace(job, raw={**job.raw, **self.asked[job_id]})

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
