"""Runs to execute in simulated time, with a provider that does as it is told."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from runner.config.run import RunConfig
from runner.engine.recorder import BudgetTracker
from runner.engine.run import Event, Outcome, Run
from runner.engine.scheduler import Scheduler

from .configs import image_config, video_config
from .fake_provider import Body, FakeProvider
from .simulation import SimulatedClock, SimulatedDecoder, SimulatedLoop


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


@pytest.fixture(autouse=True)
def simulated(monkeypatch) -> None:
    """Decode in a thread, and do not wait for the disk: thousands of records are kept, and no power is cut."""
    monkeypatch.setattr("runner.engine.store.Decoder", SimulatedDecoder)
    monkeypatch.setattr("os.fsync", lambda _descriptor: None)


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
            made.append(Run(index, chosen, directory, ("request.duration_seconds=4",)))
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

    def __call__(
        self,
        runs: Iterable[Run],
        *,
        fail_fast: bool = False,
        create: Any = None,
        budget_tracker: BudgetTracker | None = None,
    ) -> Outcome:
        async def main() -> Outcome:
            outcome = await Scheduler(
                list(runs),
                observer=self._observe,
                fail_fast=fail_fast,
                clock=self.clock,
                create=create or (lambda _config: self.provider),
                budget_tracker=budget_tracker,
            ).run()
            self.seconds = self.clock.elapsed()
            return outcome

        with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
            return runner.run(main())

    def interrupted(self, runs: Iterable[Run], *at: float, create: Any = None) -> Outcome:
        """The same, with a Ctrl-C at each of the given seconds."""

        async def main() -> Outcome:
            scheduler = Scheduler(
                list(runs),
                observer=self._observe,
                clock=self.clock,
                create=create or (lambda _config: self.provider),
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
    from runner.artifacts.result_file import read_result

    return lambda run: read_result(run.directory)


@pytest.fixture
def names() -> Callable[[Path], list[str]]:
    return lambda directory: sorted(path.name for path in directory.iterdir())
