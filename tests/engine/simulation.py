"""Simulated time: nobody waits for what the loop only counts."""

from __future__ import annotations

import asyncio
import functools
import selectors
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

from runner.artifacts.atomic import write_bytes
from runner.artifacts.picture import NAME
from runner.artifacts.probe import Video, probe

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
        self.started: str | None = "a start of the machine"

    def time(self) -> float:
        return EPOCH + self.elapsed() + self.jump

    def elapsed(self) -> float:
        return asyncio.get_running_loop().time() + self.asleep

    def boot(self) -> str | None:
        return self.started

    def random(self) -> float:
        return 0.5

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class SimulatedDecoder:
    """Decodes in a thread, which the loop counts: what another process does takes no simulated time.

    Each video is decoded once for all tests, however many runs have it.
    """

    known: ClassVar[dict[tuple[bytes, bool, bool], Video]] = {}

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(2)

    def start(self) -> None:
        pass

    async def check(self, path: Path, *, thumbnail: bool = False, thorough: bool = False) -> Video:
        return await asyncio.get_running_loop().run_in_executor(
            self._threads, functools.partial(self._probe, path, thumbnail=thumbnail, thorough=thorough)
        )

    def _probe(self, path: Path, *, thumbnail: bool, thorough: bool) -> Video:
        key = (path.read_bytes(), thumbnail, thorough)
        video = self.known.get(key)
        if video is None:
            video = self.known[key] = probe(path, thumbnail=thumbnail, thorough=thorough)
        elif video.thumbnail is not None:
            write_bytes(path.parent / NAME, video.thumbnail.content, durable=False)
        return video

    def close(self) -> None:
        self._threads.shutdown()
