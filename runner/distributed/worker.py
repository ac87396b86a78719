"""Execute runs that a coordinator gives, with the same engine as in one process, many at the same time."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Hashable, Sequence
from contextlib import suppress
from typing import Any, cast

from runner.artifacts.atomic import disk_errors
from runner.artifacts.result_file import write_result
from runner.config.provider import ProviderConfig
from runner.engine.clock import Clock
from runner.engine.limiter import StoppedError
from runner.engine.recorder import RunRecorder
from runner.engine.run import Event, Run
from runner.engine.scheduler import Scheduler
from runner.engine.store import Record, error_of
from runner.errors import RateLimitError
from runner.ledger.recording import rows_of
from runner.providers.base import Provider
from runner.providers.registry import create as create_provider

from .messages import Answer, Ask, Change, CoordinatorLostError, Limits, News, Report, Told, usd_of

_TOGETHER_SECONDS = 0.1
"""What happens within so many seconds is told together: a call costs milliseconds of CPU on either side."""

_GATHER_SECONDS = 0.04
"""Pause before records are sent, in which those that go with the next ones gather."""


class Worker:
    """Bring runs to their end, until the coordinator has no more or is gone."""

    def __init__(
        self,
        name: str,
        ask: Ask,
        *,
        fail_fast: bool = False,
        create: Callable[[ProviderConfig], Provider] = create_provider,
    ) -> None:
        self._name = name
        self._ask = ask
        self._clock = Clock()
        self._items: asyncio.Queue[Run | None] = asyncio.Queue()
        self._report = Report()
        self._changed = asyncio.Event()
        self._telling = asyncio.Lock()
        self._configs: dict[str, ProviderConfig] = {}
        self._stopped: set[ProviderConfig | None] = set()
        self._scheduler = Scheduler(
            [],
            self._observe,
            fail_fast=fail_fast,
            store=RemoteStore(name, ask),
            clock=self._clock,
            create=create,
            more=self._runs(),
            permits=self._permits_of,
            searches=False,
        )

    async def run(self) -> None:
        """Execute what comes; returns when all of it has ended, or was suspended."""
        await self._asked("join")
        helpers = [asyncio.create_task(self._listen()), asyncio.create_task(self._tell())]
        try:
            await self._scheduler.run()
        finally:
            for helper in helpers:
                helper.cancel()
            await asyncio.wait(helpers)
            with suppress(CoordinatorLostError):
                await self._flush()

    async def _asked(self, method: str, *arguments: object) -> Any:  # Any: what the method returns
        return await asyncio.wrap_future(self._ask(method, self._name, *arguments))

    async def _runs(self) -> AsyncIterator[Run]:
        while (run := await self._items.get()) is not None:
            yield run

    async def _listen(self) -> None:
        try:
            while True:
                self._take(await self._asked("listen"))
        except CoordinatorLostError:
            self._scheduler.interrupt()

    def _take(self, news: News) -> None:
        for key, seconds, paid in news.pauses:
            if key in self._configs:
                self._scheduler.pause(self._configs[key], seconds, paid=paid)
        for key in news.stopped:
            if key in self._configs:
                self._scheduler.stop(self._configs[key])
        if news.drains:
            self._scheduler.stop(drain=True)
        for item in news.items:
            self._items.put_nowait(item.run)
        if news.ends:
            self._items.put_nowait(None)
        for _ in range(news.signals):
            self._scheduler.interrupt()
        self._changed.set()

    def _observe(self, event: Event) -> None:
        self._report.told.append(Told.of(event, event.run.choice))
        self._changed.set()

    def _permits_of(self, config: ProviderConfig) -> _RemotePermits:
        limits = Limits.of(config)
        self._configs[limits.key] = config
        return _RemotePermits(limits, self)

    async def _tell(self) -> None:
        with suppress(CoordinatorLostError):  # which the listener hears, too
            while True:
                await self._changed.wait()
                self._changed.clear()
                await self._flush()
                await asyncio.sleep(_TOGETHER_SECONDS)

    async def _flush(self) -> None:
        stopped = self._scheduler.stopped
        new = stopped.keys() - self._stopped
        self._stopped |= new
        self._report.stopped += [(None if config is None else Limits.of(config), stopped[config]) for config in new]
        if stopped or new:
            await self._scheduler.suspend_stopped()
        await self._send()

    async def _send(self) -> None:
        """Tell what there is; returns once it is heard, and what another call tells at the moment, too."""
        async with self._telling:
            if self._report:
                report, self._report = self._report, Report()
                telling = asyncio.wrap_future(self._ask("tell", self._name, report))
                # Who is interrupted here has told it all the same, and hears of no error.
                telling.add_done_callback(lambda done: done.cancelled() or done.exception())
                await asyncio.wait([telling])
                telling.result()

    async def turn(self, limits: Limits, index: int) -> None:
        """Wait until a paid request of a run may be sent; raises `StoppedError`."""
        # A place that the run has given back would else be taken for the one that it asks for now.
        if self._report.left or self._telling.locked():
            await self._send()
        if not await self._asked("turn", limits, index):
            raise StoppedError

    def left(self, limits: Limits, index: int) -> None:
        """Tell that a run holds no place any more."""
        self._report.left.append((limits.key, index))
        self._changed.set()

    def answered(self, limits: Limits, sent_at: float, **answer: Any) -> None:  # Any: fields of `Answer`
        """Tell of what moves limits."""
        self._report.answers.append(Answer(limits, self._clock.elapsed() - sent_at, **answer))
        self._changed.set()


class _RemotePermits:
    """Ask for turns at one endpoint."""

    def __init__(self, limits: Limits, worker: Worker) -> None:
        self._limits = limits
        self._worker = worker
        self._holding: set[Hashable] = set()

    async def take(self, holder: Hashable) -> None:
        """Wait until a paid request may be sent by what all send together; raises `StoppedError`."""
        self._holding.add(holder)
        await self._worker.turn(self._limits, _index(holder))

    def leave(self, holder: Hashable) -> None:
        """Give back the place of `holder`, if it has one or waits for one."""
        if holder in self._holding:
            self._holding.discard(holder)
            self._worker.left(self._limits, _index(holder))

    def refused(self, error: RateLimitError, sent_at: float, *, paid: bool) -> None:
        """Hear of a 429, for a request that was sent at `sent_at` (`Clock.elapsed`)."""
        self._worker.answered(self._limits, sent_at, error=error, paid=paid)

    def accepted(self, sent_at: float, submit_after: float | None) -> None:
        """Hear that a paid request was accepted, and after how many seconds the next may be sent."""
        self._worker.answered(self._limits, sent_at, submit_after=submit_after)


def _index(holder: Hashable) -> int:
    return cast("RunRecorder", holder).run.index


class RemoteStore:
    """Keep records by asking the coordinator, which has the ledger; `result.json` is written here."""

    def __init__(self, name: str, ask: Ask) -> None:
        self._name = name
        self._ask = ask
        self._home = threading.get_ident()

    def open(self, run: Run) -> None:
        """Make the run's directory, should this machine not see yet that the driver has; raises `DiskError`."""
        with disk_errors(run.directory):
            run.directory.mkdir(parents=True, exist_ok=True)

    def save(self, records: Sequence[Record]) -> list[Exception | None]:
        """Return when the coordinator has the records on disk, and replace each `result.json`."""
        rows, refused = rows_of(records)
        if rows:
            if threading.get_ident() != self._home:  # there, each run that is suspended would wait
                time.sleep(_GATHER_SECONDS)
            changes = [
                Change(row, usd_of(records[place].result, records[place].run.config.budget))
                for place, row in rows.items()
            ]
            try:
                errors = self._ask("save", self._name, changes).result()
            except CoordinatorLostError as error:
                errors = [error] * len(changes)
                for place in rows:
                    self._keep_job(records[place])
            refused |= {place: error for place, error in zip(rows, errors, strict=True) if error is not None}
        return [refused.get(place) or error_of(self._write, record) for place, record in enumerate(records)]

    def _write(self, record: Record) -> None:
        if not record.passing:
            write_result(record.run.directory, record.result, durable=False)

    def _keep_job(self, record: Record) -> None:
        """Keep a job's id where `resume` finds it although no ledger has it."""
        if record.result.job_id is not None:
            error_of(write_result, record.run.directory, record.result, durable=True)
