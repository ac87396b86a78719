"""Simulated time, a provider that does as it is told, and runs to execute."""

from __future__ import annotations

import asyncio
import datetime as dt
import itertools
import selectors
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import asynccontextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from runner.config import ImageModel, ImageRequest, OpenAIConfig, RunConfig, VideoModel, VideoRequest
from runner.engine import Event, Outcome, Run, execute
from runner.engine.scheduler import Scheduler
from runner.errors import RunnerError
from runner.providers import ImageBatch, Job, JobStatus, OnPartial, PartialImage

EPOCH = 1_795_000_000.0


class SimulatedSelector(selectors.DefaultSelector):
    """Lets time pass at once when nothing but a timer is waited for."""

    loop: SimulatedLoop

    def select(self, timeout: float | None = None) -> list[Any]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if self.loop.in_threads:
            return super().select(0.01)
        if timeout is None:
            raise RuntimeError("the loop waits for nothing that could still happen")
        self.loop.now += timeout
        return ready


class SimulatedLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.now = 0.0
        self.in_threads = 0
        selector = SimulatedSelector()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        return self.now

    def run_in_executor(self, executor: Any, function: Callable[..., Any], *args: Any) -> Any:
        self.in_threads += 1
        future = super().run_in_executor(executor, function, *args)
        future.add_done_callback(self._left)
        return future

    def _left(self, _future: object) -> None:
        self.in_threads -= 1


class SimulatedClock:
    """Reads the simulated loop; `jump` moves the system time only, `asleep` what a closed laptop misses."""

    def __init__(self) -> None:
        self.jump = 0.0
        self.asleep = 0.0

    def time(self) -> float:
        return EPOCH + self.elapsed() + self.jump

    def elapsed(self) -> float:
        return asyncio.get_running_loop().time() + self.asleep

    def random(self) -> float:
        return 0.5

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Body:
    """A download: `pieces` as they come; `breaks` is raised after them."""

    def __init__(self, data: bytes, *, length: int | None = None, breaks: RunnerError | None = None) -> None:
        self.media_type = "video/mp4"
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
    """Jobs that take `seconds`; each list is what the next calls do instead: raise an error or return a value."""

    name = "openai"
    endpoint = "https://fake.example/v1"

    def __init__(self, clip: bytes, *, seconds: float = 10, latency: float = 0.05) -> None:
        self.clip = clip
        self.seconds = seconds
        self.latency = latency
        self.on_submit: deque[Any] = deque()
        self.on_retrieve: deque[Any] = deque()
        self.on_content: deque[Any] = deque()
        self.on_generate: deque[Any] = deque()
        self.on_fetch: deque[Any] = deque()
        self.partials: list[PartialImage] = []
        self.sent_configs: list[RunConfig] = []
        self.sent: list[float] = []
        self.polled: list[float] = []
        self.downloads: list[float] = []
        self.jobs: dict[str, float] = {}
        self.in_flight = 0
        self.most_in_flight = 0
        self.most_jobs = 0
        self.collected: set[str] = set()
        self.deleted: list[str] = []
        self.closed = False
        self.before_answer: Callable[[], None] = lambda: None

    def model_id(self, config: RunConfig) -> str:
        return config.model.deployment or config.model.name

    def body(self, config: RunConfig) -> dict[str, Any]:
        return {"prompt": config.request.prompt}

    async def submit(self, config: RunConfig) -> Job:
        self.sent.append(self._now())
        async with self._request():
            self.before_answer()
            await asyncio.sleep(self.latency)
            told = self._told(self.on_submit)
            if told is not None:
                return told
            job_id = f"video_{len(self.jobs)}"
            self.jobs[job_id] = self._now()
            self.most_jobs = max(self.most_jobs, len(self.jobs) - len(self.collected))
            return self._job(job_id)

    async def retrieve(self, job_id: str) -> Job:
        self.polled.append(self._now())
        async with self._request():
            await asyncio.sleep(self.latency)
            return self._told(self.on_retrieve) or self._job(job_id)

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
    async def fetch(self, url: str):
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
        done = (self._now() - self.jobs[job_id]) / self.seconds if self.seconds else 1
        if done >= 1:
            return Job(job_id, JobStatus.COMPLETED, "completed", 100, raw={"id": job_id, "status": "completed"})
        status = JobStatus.IN_PROGRESS if done > 0.1 else JobStatus.QUEUED
        return Job(job_id, status, status.value, int(done * 100), raw={"id": job_id, "status": status.value})

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


def encode(path: Path, seconds: int = 1) -> bytes:
    import av

    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=12, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt, stream.time_base = 64, 48, "yuv420p", Fraction(1, 12)
        for number in range(12 * seconds):
            frame = av.VideoFrame(64, 48, "yuv420p")
            for plane in frame.planes:
                plane.update(bytes((number * 7 + index) % 251 for index in range(plane.buffer_size)))
            frame.pts, frame.time_base = number, Fraction(1, 12)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path.read_bytes()


@pytest.fixture(scope="session")
def clip(tmp_path_factory) -> bytes:
    """A playable MP4 of one second, 64x48."""
    return encode(tmp_path_factory.mktemp("clip") / "clip.mp4")


@pytest.fixture
def body() -> type[Body]:
    return Body


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock()


@pytest.fixture
def provider(clip) -> FakeProvider:
    return FakeProvider(clip)


@pytest.fixture
def make_provider(clip) -> Callable[..., FakeProvider]:
    def make(**options: Any) -> FakeProvider:
        return FakeProvider(clip, **options)

    return make


_MODEL = {
    "deployment": None,
    "validation": "strict",
    "sizes": None,
    "aspect_ratios": {},
    "max_reference_images": 1,
    "parameters": frozenset(),
    "max_prompt_length": 1000,
    "offers": {},
    "source": "https://example.com",
    "read": dt.date(2026, 11, 1),
}


def video_config(base_url: str = "https://fake.example/v1", *, thumbnail: bool = True, **provider: Any) -> RunConfig:
    model = VideoModel(
        kind="video", name="sora-2", durations=(4, 8, 12), default_duration=4, default_size="1280x720",
        usd_per_second={"default": 0.1}, **_MODEL
    )  # fmt: skip
    request = VideoRequest(
        kind="video", prompt="A paper boat at sea", duration_seconds=4, size="1280x720", thumbnail=thumbnail
    )
    return RunConfig(provider=OpenAIConfig(kind="openai", base_url=base_url, **provider), model=model, request=request)


def image_config(
    base_url: str = "https://fake.example/v1", *, n: int = 1, request: dict[str, Any] | None = None, **provider: Any
) -> RunConfig:
    model = ImageModel(
        kind="image", name="gpt-image-2", size_rules=None, qualities=("low", "high"), max_images=10,
        usd_per_image={"low": {"1024x1024": 0.01}},
        usd_per_million_tokens={"text_in": 5, "image_in": 8, "image_out": 30}, **_MODEL
    )  # fmt: skip
    asked = {"prompt": "A paper boat at sea", "n": n, "quality": "low", "size": "1024x1024", **(request or {})}
    return RunConfig(
        provider=OpenAIConfig(kind="openai", base_url=base_url, **provider),
        model=model,
        request=ImageRequest(kind="image", **asked),
    )


@pytest.fixture
def configs() -> tuple[Callable[..., RunConfig], Callable[..., RunConfig]]:
    return video_config, image_config


@pytest.fixture
def runs(tmp_path) -> Callable[..., list[Run]]:
    """So many runs of one config, each with its directory."""

    numbers = itertools.count()

    def make(count: int = 1, config: RunConfig | None = None, **provider: Any) -> list[Run]:
        chosen = config or video_config(**provider)
        made = []
        for index in itertools.islice(numbers, count):
            directory = tmp_path / "runs" / str(index)
            directory.mkdir(parents=True)
            made.append(Run(index, chosen, directory, ("request.duration_seconds=4",), f"#{index}"))
        return made

    return make


@pytest.fixture
def image_runs(runs) -> Callable[..., list[Run]]:
    def make(count: int = 1, **options: Any) -> list[Run]:
        return runs(count, image_config(**options))

    return make


class Engine:
    """Executes runs in simulated time and keeps what was told."""

    def __init__(self, clock: SimulatedClock, provider: FakeProvider) -> None:
        self.clock = clock
        self.provider = provider
        self.events: list[Event] = []
        self.seconds = 0.0
        self.listeners: list[Callable[[Event], None]] = []

    def __call__(self, runs: Iterable[Run], *, fail_fast: bool = False, create: Any = None) -> Outcome:
        async def main() -> Outcome:
            outcome = await execute(
                list(runs),
                observer=self._observe,
                fail_fast=fail_fast,
                clock=self.clock,
                create=create or (lambda _config: self.provider),
            )
            self.seconds = self.clock.elapsed()
            return outcome

        with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
            return runner.run(main())

    def interrupted(self, runs: Iterable[Run], *at: float) -> Outcome:
        """The same, with a Ctrl-C at each of the given seconds."""

        async def main() -> Outcome:
            scheduler = Scheduler(
                list(runs),
                observer=self._observe,
                fail_fast=False,
                clock=self.clock,
                create=lambda _config: self.provider,
            )
            for moment in at:
                asyncio.get_running_loop().call_at(moment, scheduler.interrupt, 2)
            outcome = await scheduler.run()
            self.seconds = self.clock.elapsed()
            return outcome

        with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
            return runner.run(main())

    def _observe(self, event: Event) -> None:
        self.events.append(event)
        for listener in self.listeners:
            listener(event)

    @property
    def notes(self) -> list[str]:
        return [event.note for event in self.events if event.note]


@pytest.fixture
def engine(clock, provider) -> Engine:
    return Engine(clock, provider)


@pytest.fixture
def engine_for(clock) -> Callable[[FakeProvider], Engine]:
    def make(provider: FakeProvider) -> Engine:
        return Engine(clock, provider)

    return make


@pytest.fixture
def stored() -> Callable[[Run], Any]:
    """What a run's `result.json` says now."""
    from runner.artifacts import read_result

    return lambda run: read_result(run.directory)


@pytest.fixture
def names() -> Callable[[Path], list[str]]:
    return lambda directory: sorted(path.name for path in directory.iterdir())
