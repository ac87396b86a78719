"""Execute runs that a coordinator gives, with the same engine as in one process, many at the same time."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Hashable, Sequence
from typing import Any, cast

from runner.artifacts.atomic import make_directory
from runner.artifacts.result_file import read_result, write_result
from runner.config.provider import ProviderConfig
from runner.engine.clock import Clock
from runner.engine.limiter import StoppedError
from runner.engine.recorder import RunRecorder
from runner.engine.run import Event, Run
from runner.engine.scheduler import Scheduler
from runner.engine.store import Record, error_of
from runner.errors import ConfigError, RateLimitError
from runner.ledger.ledger import Row, TakenOverError
from runner.ledger.recording import rows_of
from runner.providers.base import Provider
from runner.providers.registry import create as create_provider

from .messages import Answer, Ask, Change, CoordinatorLostError, Limits, News, Report, Told, pack, usd_of

_TOGETHER_SECONDS = 0.25
"""What happens within so many seconds is told together: a call costs milliseconds of CPU on either side."""

_GATHER_SECONDS = 0.1
"""Least seconds from sending records to sending the next ones.

Who comes meanwhile may have to wait for those that wait already, and then as long again.
"""

_AT_EASE, _SLOWEST = 2, 5.0
"""So many workers may call at this pace; more of them wait longer, up to so many times, as the coordinator is one."""


class Worker:
    """Bring runs to their end, until the coordinator has no more or is gone."""

    def __init__(
        self,
        name: str,
        ask: Ask,
        *,
        fail_fast: bool = False,
        workers: int = 1,
        create: Callable[[ProviderConfig], Provider] = create_provider,
    ) -> None:
        """Take what asks the coordinator; `workers` is how many there are."""
        self._name = name
        self._ask = ask
        self._pace = min(max(1.0, workers / _AT_EASE), _SLOWEST)
        self._clock = Clock()
        self._items: asyncio.Queue[Run | None] = asyncio.Queue()
        self._told: list[Told] = []
        self._report = Report()
        self._answers: list[tuple[Limits, float, dict[str, Any]]] = []  # Any: fields of `Answer`
        self._changed = asyncio.Event()
        self._telling = asyncio.Lock()
        self._configs: dict[str, ProviderConfig] = {}
        self._stopped: set[ProviderConfig | None] = set()
        self._free: set[str] = set()
        self._by_turns: set[str] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._failure: Exception | None = None
        self._scheduler = Scheduler(
            [],
            self._observe,
            fail_fast=fail_fast,
            store=RemoteStore(name, ask, self._take_soon, pace=self._pace),
            clock=self._clock,
            create=create,
            more=self._runs(),
            permits=self._permits_of,
            searches=False,
        )

    async def run(self) -> None:
        """Execute what comes; returns when all of it has ended, or was suspended.

        Raises what keeps this worker from going on. Its runs are suspended then and not told as ended: they go on with
        others.
        """
        self._loop = asyncio.get_running_loop()
        await self._asked("join")
        helpers = [asyncio.create_task(self._helped(self._listen())), asyncio.create_task(self._helped(self._tell()))]
        try:
            await self._scheduler.run()
        finally:
            for helper in helpers:
                helper.cancel()
            await asyncio.wait(helpers)
        if self._failure is not None:
            raise self._failure
        await self._flush()

    async def _helped(self, work: Coroutine[Any, Any, None]) -> None:  # Any: what a coroutine yields and is sent
        """Do what the runs need meanwhile; without it, none of them can go on here."""
        try:
            await work
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody would hear of it
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        if self._failure is None:
            self._failure = error
            self._scheduler.interrupt()

    async def _asked(self, method: str, *arguments: object) -> Any:  # Any: what the method returns
        return await asyncio.wrap_future(self._ask(method, self._name, *arguments))

    async def _runs(self) -> AsyncIterator[Run]:
        while (run := await self._items.get()) is not None:
            yield run

    async def _listen(self) -> None:
        signals = 0
        while signals < 2:  # then all ends at once, and one that was given up would be told so again and again
            news = await self._asked("listen")
            self._take(news)
            signals += news.signals

    def _take_soon(self, news: News) -> None:
        """Take in news that came with another answer, in whatever thread."""
        if news and self._loop is not None:
            self._loop.call_soon_threadsafe(self._take_or_fail, news)

    def _take_or_fail(self, news: News) -> None:
        try:
            self._take(news)
        except Exception as error:  # noqa: BLE001 - as in a helper
            self._fail(error)

    def _take(self, news: News) -> None:
        for key, seconds, paid in news.pauses:
            self._by_turns.add(key)
            if key in self._configs:
                self._scheduler.pause(self._configs[key], seconds, paid=paid)
        for key in news.stopped:
            if key in self._configs:
                self._scheduler.stop(self._configs[key])
        if news.drains:
            self._scheduler.stop(drain=True)
        for item in news.items:
            (self._free if item.free else self._by_turns).add(item.limits.key)
            self._items.put_nowait(item.run)
        if news.ends:
            self._items.put_nowait(None)
        for _ in range(news.signals):
            self._scheduler.interrupt()
        self._changed.set()

    def _observe(self, event: Event) -> None:
        if self._failure is None and not self._scheduler.failed:
            self._told.append(Told.of(event, event.run.choice))
            self._changed.set()

    def _permits_of(self, config: ProviderConfig) -> _RemotePermits:
        limits = Limits.of(config)
        self._configs[limits.key] = config
        return _RemotePermits(limits, self)

    async def _tell(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            await self._flush()
            await asyncio.sleep(_TOGETHER_SECONDS * self._pace)

    async def _flush(self) -> None:
        stopped = self._scheduler.stopped
        new = stopped.keys() - self._stopped
        self._stopped |= new
        self._report.stopped += [(None if config is None else Limits.of(config), stopped[config]) for config in new]
        await self._scheduler.suspend_stopped()  # others may have stopped it
        await self._send()

    async def _send(self) -> None:
        """Tell what there is; returns once it is heard, and what another call tells at the moment, too."""
        async with self._telling:
            if self._told:
                told, self._told = self._told, []
                self._report.told = pack(told)
                self._report.ended = [each.index for each in told if each.result is not None]
            answers, self._answers = self._answers, []
            # Not sooner, as what waits here ages: requests that were sent before a refusal was heard of are one wave.
            now = self._clock.elapsed()
            self._report.answers = [Answer(limits, now - sent_at, **answer) for limits, sent_at, answer in answers]
            if self._report:
                report, self._report = self._report, Report()
                telling = asyncio.wrap_future(self._ask("tell", self._name, report))
                # Who is interrupted here has told it all the same, and hears of no error.
                telling.add_done_callback(self._told_all)
                await asyncio.wait([telling])
                telling.result()

    def _told_all(self, telling: asyncio.Future[News]) -> None:
        if not telling.cancelled() and telling.exception() is None:
            self._take_or_fail(telling.result())

    async def turn(self, limits: Limits, index: int) -> None:
        """Wait until a paid request of a run may be sent; raises `StoppedError`."""
        # A place that the run has given back would else be taken for the one that it asks for now.
        if self._is_free(limits):
            if (limits.key, index) in self._report.left:
                await self._send()
            return
        if self._report.left or self._telling.locked():
            await self._send()
        if not await self._asked("turn", limits, index):
            raise StoppedError

    def left(self, limits: Limits, index: int) -> None:
        """Tell that a run holds no place any more."""
        self._report.left.append((limits.key, index))
        self._changed.set()

    def answered(self, limits: Limits, sent_at: float, **answer: Any) -> None:  # Any: fields of `Answer`
        """Tell of what moves limits; where none but the number of runs is in force, an acceptance moves nothing."""
        if not answer.keys() - {"submit_after"} and answer.get("submit_after") is None and self._is_free(limits):
            return
        self._by_turns.add(limits.key)
        self._answers.append((limits, sent_at, answer))
        self._changed.set()

    def _is_free(self, limits: Limits) -> bool:
        """Return whether paid requests need no turn at an endpoint."""
        return limits.key in self._free and limits.key not in self._by_turns


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

    def join(self, holder: Hashable) -> None:
        """Hear that the job of `holder` is at the provider; who gave the run out has counted it."""
        self._holding.add(holder)

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
    """Keep records by asking the coordinator, which has the ledger; `result.json` is written here.

    `hear` is called with the news that come with the answers, in any thread. A `pace` of 2 gathers twice as long.
    """

    def __init__(
        self, name: str, ask: Ask, hear: Callable[[News], object] = lambda _news: None, *, pace: float = 1.0
    ) -> None:
        self._name = name
        self._ask = ask
        self._hear = hear
        self._gather = _GATHER_SECONDS * pace
        self._sent_at = float("-inf")
        self._home = threading.get_ident()

    def open(self, run: Run) -> None:
        """Make the run's directory, should this machine not see yet that the driver has; raises `DiskError`."""
        make_directory(run.directory)

    def save(self, records: Sequence[Record]) -> list[Exception | None]:
        """Return when the coordinator has the records on disk, and replace each `result.json`."""
        rows, refused = rows_of(records)
        if rows:
            if threading.get_ident() != self._home:  # there, each run that is suspended would wait
                time.sleep(max(0.0, self._sent_at + self._gather - time.monotonic()))
            self._sent_at = time.monotonic()
            changes = [_change(records[place], row) for place, row in rows.items()]
            errors: list[Exception | None]
            try:
                errors, news = self._ask("save", self._name, changes).result()
                self._hear(news)
            except CoordinatorLostError as error:
                errors = [error] * len(changes)
            for place, refusal in zip(rows, errors, strict=True):
                # Whoever has the run now may have written its file; then the id is there.
                taken = isinstance(refusal, TakenOverError) and not _names_job(records[place])
                if taken or isinstance(refusal, CoordinatorLostError):
                    self._keep_job(records[place])
            refused |= {place: error for place, error in zip(rows, errors, strict=True) if error is not None}
        return [refused.get(place) or error_of(self._write, record) for place, record in enumerate(records)]

    def _write(self, record: Record) -> None:
        if not record.passing:
            write_result(record.run.directory, record.result, durable=False)

    def _keep_job(self, record: Record) -> None:
        """Keep a job's id where `resume` finds it although no ledger has it; that is no error of the run's."""
        if record.result.job_id is not None:
            kept = record.result.model_copy(update={"error": None})
            error_of(write_result, record.run.directory, kept, durable=True)


def _names_job(record: Record) -> bool:
    try:
        return read_result(record.run.directory).job_id == record.result.job_id
    except ConfigError:
        return False


def _change(record: Record, row: Row) -> Change:
    config = record.run.config
    return Change(row, usd_of(record.result, config.budget), Limits.of(config.provider).key)
