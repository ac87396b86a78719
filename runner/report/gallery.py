"""A sweep's `index.html` while it runs: rebuilt every few seconds from what the engine tells, beside the engine."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from runner.artifacts.result import Result, RunStatus
from runner.config import Problem
from runner.engine.run import Event, Run

from .news import News
from .pages import leave_open, not_written

if TYPE_CHECKING:
    from .album import Album

INTERVAL = 2.0
"""Seconds between two pages, at least."""

_SHARE = 0.02
"""How much of the time may go into pages, while that leaves no page older than `LONGEST`."""

LONGEST = 25.0
"""Seconds between two pages, at most: a page says that its sweep seems to have stopped once it is a minute old."""

_BEFORE_JOBS = frozenset({RunStatus.PLANNED, RunStatus.SUBMITTING})


class Gallery:
    """Observes a sweep's runs, and keeps its page in a thread of its own from when the first is submitted.

    What goes wrong with the page is said once, at the end, and never touches a run.
    """

    def __init__(
        self,
        directory: Path,
        runs: Sequence[Run],
        earlier: Sequence[tuple[Path, Result]] = (),
        *,
        wanted: bool = True,
        interval: float = INTERVAL,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`earlier` runs of the sweep stand before its present `runs`; `interval` is in seconds.

        Unless it is `wanted`, nothing is done.
        """
        self._directory = directory
        self._wanted = wanted
        self._runs = runs
        self._earlier = earlier
        self._interval = self._pause = interval
        self._clock = clock
        self._news: dict[int, News] = {}
        self._turn = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="gallery", daemon=True)
        self._started = False
        self._album: Album | None = None
        self._error: Exception | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()

    def __call__(self, event: Event) -> None:
        """Take note of it, in a microsecond; nothing is made here."""
        if not self._wanted:
            return
        with self._turn:
            news = self._news.get(event.run.index)
            if news is None:
                news = self._news[event.run.index] = News(event)
            news.take(event, self._clock())
        if not self._started and event.status not in _BEFORE_JOBS:
            self._started = True
            with suppress(RuntimeError):  # no thread is to be had: then there is the last page only
                self._thread.start()

    def close(self, results: Sequence[Result], *, complete: bool = True) -> list[Problem]:
        """Write the page of how all runs ended, and return what kept it from being written.

        It is `complete` unless the sweep may go on with others.
        """
        if not self._wanted:
            return []
        self._leave()
        self._guarded(lambda album: album.end(results, complete=complete))
        if not complete:
            leave_open(self._directory)
        return [] if self._error is None else [not_written(self._directory, self._error)]

    def _leave(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _keep(self) -> None:
        while not self._stop.wait(self._pause):
            self._guarded(self._renew)

    def _renew(self, album: Album) -> None:
        began = time.perf_counter()
        with self._turn:
            news, self._news = self._news, {}
        try:
            album.renew(news, self._pause)
        finally:
            self._pause = pause_after(time.perf_counter() - began, self._interval)

    def _guarded(self, make: Callable[[Album], None]) -> None:
        try:
            make(self._opened())
        except Exception as error:  # noqa: BLE001 - neither a full disk nor a bug here may cost a paid run
            self._error = error
        else:
            self._error = None

    def _opened(self) -> Album:
        if self._album is None:
            from .album import Album  # with Jinja: no run waits for it

            self._album = Album(self._directory, self._runs, self._earlier)
        return self._album


def pause_after(seconds: float, interval: float) -> float:
    """How long to wait after a page that took `seconds` to write, at least `interval`; all in seconds."""
    return max(interval, min(seconds / _SHARE, LONGEST))
