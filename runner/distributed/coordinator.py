"""Hand runs out to workers, keep what they record, and hold budget and limits for all of them."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Hashable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from runner.artifacts.run_status import RunStatus
from runner.config.run import Budget
from runner.engine.clock import Clock
from runner.engine.limiter import AdaptiveLimiter, JobPlaces, StopEvent, StoppedError, SubmissionPause
from runner.engine.recorder import SWEEP, BudgetTracker
from runner.errors import BudgetError, DiskError, RateLimitError, RunnerError
from runner.ledger.ledger import Ledger, TakenOverError
from runner.ledger.recording import resumed_run, written

from .messages import Answer, Change, Item, Limits, News, Report, Summary, Told, pack

_ANY = 1_000_000
"""Requests at a time: each worker has a limit of its own."""


class EndpointPermits:
    """Give out turns to send a paid request, in the order in which they were asked for."""

    def __init__(self, limits: Limits, clock: Clock) -> None:
        self._limits = limits
        self._clock = clock
        self.stop_event = StopEvent()
        self._places = JobPlaces(limits.jobs, self.stop_event)
        self._pause = SubmissionPause(clock, self._places, AdaptiveLimiter(_ANY))
        self._reads_until = float("-inf")
        self._next = float("-inf")
        self._turn = asyncio.Lock()

    def join(self, holder: Hashable) -> None:
        """Count a run whose job is at the provider already, or whose request leaves without a turn."""
        self._places.join(holder)

    def leave(self, holder: Hashable) -> None:
        """Give back the place of `holder`, if it has one."""
        self._places.leave(holder)

    async def take(self, holder: Hashable) -> None:
        """Wait until one paid request may be sent, and take its place; raises `StoppedError`."""
        async with self._turn:
            while True:
                self.stop_event.check()
                if (wait := self._wait()) > 0:
                    await self.stop_event.sleep(wait, self._clock)
                    continue
                await self._places.enter(holder)
                if not self.stop_event.is_set and self._wait() <= 0:
                    break
                self._places.leave(holder)
            if self._limits.per_minute is not None:
                self._next = self._clock.elapsed() + 60 / self._limits.per_minute

    def _wait(self) -> float:
        return max(self._next, self._pause.until, self._reads_until) - self._clock.elapsed()

    def hear(self, answer: Answer) -> float:
        """Take an answer into account; the seconds of the pause that it brings all workers, 0 for none."""
        sent_at = self._clock.elapsed() - answer.ago
        if not isinstance(answer.error, RateLimitError):
            self._pause.accepted(sent_at)
            self._pause.extend(answer.submit_after or 0)
            return answer.submit_after or 0.0
        if answer.paid:
            self._pause.refused(answer.error, sent_at)
            return self._pause.left
        seconds = answer.error.retry_after or 0.0
        self._reads_until = max(self._reads_until, self._clock.elapsed() + seconds)
        return seconds


UNSENT = 16
"""Runs that a worker has and has not begun to send: so few that a slow node holds nobody up."""

TOGETHER_SECONDS = 0.25
"""What happens within so many seconds is told the driver together: a call costs milliseconds of CPU."""


@dataclass(slots=True)
class _Worker:
    """Hold what is known of one worker."""

    news: News = field(default_factory=News)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    given: dict[int, Item] = field(default_factory=dict)
    unsent: set[int] = field(default_factory=set)
    lost: bool = False

    def take_news(self) -> News:
        """Return what is new, with the answer to whatever it asked: it need not be told apart then."""
        news, self.news = self.news, News()
        return news


class Coordinator:
    """Be the one writer of a sweep's ledger while workers execute its runs; its methods run on one event loop.

    What a worker has recorded is on disk when `save` returns, and nothing is paid before that. A worker that was given
    up is not heard any more: its runs are another's.
    """

    def __init__(self, directory: Path, token: str, limit: float | None, spent: float) -> None:
        """Open the ledger of `directory` in the name of the process that owns it by `token`.

        `limit` and `spent` are the sweep's budget and what it counts so far, in US dollars.
        """
        self._ledger = Ledger(directory)
        self._ledger.token = token
        self._clock = Clock()
        self._budget_tracker = BudgetTracker(limit, spent)
        self._counted: dict[int, float] = {}
        self._reached: dict[int, RunStatus] = {}
        self._attempts: dict[int, int] = {}
        self._workers: dict[str, _Worker] = {}
        self._waiting: dict[str, deque[Item]] = {}
        self._under_way: Counter[str] = Counter()
        self._permits: dict[str, EndpointPermits] = {}
        self._turns: dict[tuple[str, int], asyncio.Future[None]] = {}
        self._by_turns: set[str] = set()
        self._told: list[bytes] = []
        self._happened = asyncio.Event()
        self._writing = asyncio.Lock()
        self._complete = False
        self._over = False
        self._signals = 0
        self._refusing: dict[str, RunnerError] = {}
        self._stopped_by: RunnerError | None = None

    async def add(self, items: Sequence[Item], complete: bool = False) -> None:
        """Take runs in, whose directories are there; `complete` with the last of them."""
        for item in items:
            self._put(item)
            self._counted[item.index] = item.usd
            self._hold(item)
        self._complete = self._complete or complete
        self._deal()

    def _put(self, item: Item) -> None:
        """Let a run wait; one whose job exists goes before all others, as its place is in use until somebody has it."""
        waiting = self._waiting.setdefault(item.limits.key, deque())
        (waiting.appendleft if item.exists else waiting.append)(item)

    async def join(self, name: str) -> None:
        """Take a worker in."""
        worker = self._workers[name] = _Worker()
        worker.news.stopped += self._refusing
        worker.news.drains = self._stopped_by is not None
        worker.news.signals = self._signals
        self._deal()

    async def listen(self, name: str) -> News:
        """Return what is new for a worker, once there is something."""
        worker = self._workers[name]
        while not worker.news and not worker.lost:
            worker.changed.clear()
            await worker.changed.wait()
        return News(signals=2) if worker.lost else worker.take_news()

    async def save(self, name: str, changes: Sequence[Change]) -> tuple[list[Exception | None], News]:
        """Keep records of a worker's runs on disk; return for each why it could not be, and what is new.

        That of a paid request that is about to leave is refused where its price would pass the sweep's budget, and
        where submitting has ended.
        """
        worker = self._workers[name]
        errors: list[Exception | None] = [None] * len(changes)
        async with self._writing:
            before: dict[int, float] = {}
            for place, change in enumerate(changes):
                # Asked here and not before: the worker may have been given up while this waited.
                errors[place] = self._refusal(worker, change, before)
            wanted = {place: changes[place].row for place, error in enumerate(errors) if error is None}
            refused = await asyncio.to_thread(written, self._ledger, [*wanted.values()])
            for (place, row), error in zip(wanted.items(), refused, strict=True):
                errors[place] = error
                if error is not None:
                    self._correct(row.number, before[row.number])
                    continue
                self._reached[row.number] = RunStatus(row.status)
                self._attempts[row.number] = len(changes[place].usd)
                if self._reached[row.number] is not RunStatus.PLANNED:
                    worker.unsent.discard(row.number)
        self._deal()
        return errors, worker.take_news()

    def _refusal(self, worker: _Worker, change: Change, before: dict[int, float]) -> Exception | None:
        """Count a change, of which `before` gets what counted till then; why it must not be kept, if so."""
        index = change.row.number
        if (worker.lost or index not in worker.given) and not self._tells_lost_job(change):
            return TakenOverError(f"run {index} was given to another worker")
        before[index] = self._counted[index]
        try:
            if self._leaves(change):
                self._let_go(worker.given[index], change.key)
            self._count(change)
        except (BudgetError, StoppedError) as error:
            self._short_of_money(error)
            return error
        return None

    def _tells_lost_job(self, change: Change) -> bool:
        """Return whether a worker that was given up tells after all what became of a request whose answer is lost."""
        index = change.row.number
        had = any(index in each.given for each in self._workers.values() if not each.lost)
        return change.row.job_id is not None and self._reached.get(index) is RunStatus.SUBMITTING and not had

    def _leaves(self, change: Change) -> bool:
        """Return whether a paid request is about to leave; one that has left may be recorded again."""
        index = change.row.number
        again = self._reached.get(index) is RunStatus.SUBMITTING and len(change.usd) == self._attempts.get(index)
        return change.row.status == RunStatus.SUBMITTING and not again

    def _let_go(self, item: Item, key: str) -> None:
        """Let a paid request leave for an endpoint, with or without a turn; raises `StoppedError`."""
        turnless = item.free and key == item.limits.key
        if self._signals or self._stopped_by is not None or (turnless and key in self._refusing):
            raise StoppedError
        if turnless:
            self._permits_of(item.limits).join(item.index)

    def _count(self, change: Change) -> None:
        """Count what a run's attempts cost now; raises what keeps a new one from leaving."""
        index, known = change.row.number, [usd or 0.0 for usd in change.usd]
        if not known or not self._leaves(change):
            self._correct(index, sum(known))
            return
        self._correct(index, sum(known[:-1]))
        self._budget_tracker.take(change.usd[-1], Budget())
        self._counted[index] += known[-1]

    def _correct(self, index: int, usd: float) -> None:
        self._budget_tracker.correct(self._counted[index], usd)
        self._counted[index] = usd

    def _short_of_money(self, error: Exception) -> None:
        if isinstance(error, BudgetError) and error.code == SWEEP:
            self._stop(error)

    async def tell(self, name: str, report: Report) -> News:
        """Hear what a worker has to tell, and return what is new for it."""
        worker = self._workers[name]
        if worker.lost:
            return News()
        for answer in report.answers:  # first: how many places there are is learned while the refused one has its own
            seconds = self._permits_of(answer.limits).hear(answer)
            if answer.error is not None or seconds > 0:
                self._by_turns.add(answer.limits.key)
                self._tell_all(pauses=[(answer.limits.key, seconds, answer.paid)], but=name)
        if report.told:
            self._told.append(report.told)
        for index in report.ended:
            self._ended(worker, index)
        for key, index in report.left:
            self._leave(key, index)
        for limits, error in report.stopped:
            if limits is None:
                self._stop(error)
            elif limits.key not in self._refusing:
                self._refusing[limits.key] = error
                self._permits_of(limits).stop_event.set()
                self._tell_all(stopped=[limits.key], but=name)
        self._happened.set()
        self._deal()
        return worker.take_news()

    async def turn(self, name: str, limits: Limits, index: int) -> bool:
        """Return once a paid request of a run may be sent; False if none may be any more."""
        if self._workers[name].lost or self._stopped_by is not None:
            return False
        place = limits.key, index
        turn = self._turns[place] = asyncio.ensure_future(self._permits_of(limits).take(index))
        try:
            await turn
        except (asyncio.CancelledError, StoppedError):
            return False
        finally:
            if self._turns.get(place) is turn:
                del self._turns[place]
        return True

    async def lose(self, name: str) -> None:
        """Give a worker up: what it still had goes to others, or is looked for by the driver."""
        worker = self._workers.get(name)
        if worker is None or worker.lost:
            return
        worker.lost, worker.news = True, News()  # what it was to hear of is given to others
        worker.changed.set()
        async with self._writing:  # what it asked for last is on disk, or never will be
            pass
        for item in [*worker.given.values()]:
            left = None
            try:
                left = await self._left_of(item)
            except RunnerError as error:  # what the ledger has of it cannot be read
                self._stop(error)
            finally:  # not before: what nobody has, and what does not wait, would be taken for done
                if left is not None:
                    self._put(left)
                self._ended(worker, item.index, left)
        self._happened.set()
        self._deal()

    async def _left_of(self, item: Item) -> Item | None:
        """Return what is left of a run that a worker has left; None, and tell its end, if nothing is."""
        if item.index not in self._reached:
            return item
        known = await asyncio.to_thread(self._ledger.run, item.index)
        if known.earlier is None:
            raise RuntimeError(f"run {item.index} has no record in the ledger")
        reached = known.earlier.status  # the lost worker may have told more meanwhile
        if reached is RunStatus.PLANNED or reached.paid:
            left = Item.of(resumed_run(item.run, known))
            return replace(left, free=item.free and left.limits == item.limits)
        # It has ended, or its answer is lost.
        result = known.earlier.model_copy(update={"config": None})
        self._told.append(pack([Told(item.index, known.earlier.choice, reached, result=result, unwritten=True)]))
        return None

    async def interrupt(self) -> None:
        """Let all workers suspend their runs; the second time, at once."""
        self._signals += 1
        for worker in self._workers.values():
            worker.news.signals += 1
            worker.changed.set()
        self._end_turns()
        self._deal()  # all may be over: nobody else asks where no worker is left

    async def happened(self, seconds: float) -> tuple[list[bytes], bool]:
        """Return the events since this was asked last, packed, and whether all is over; none after so many seconds."""
        if not self._told and not self._over:
            self._happened.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._happened.wait(), seconds)
                if not self._over:
                    await asyncio.sleep(TOGETHER_SECONDS)
        told, self._told = self._told, []
        return told, self._over

    async def finish(self) -> tuple[Summary, list[bytes]]:
        """Close the ledger, once all workers have ended; how it went, and the last events, packed."""
        for name in [*self._workers]:
            await self.lose(name)
        waiting = [item.index for items in self._waiting.values() for item in items]
        async with self._writing:
            self._ledger.close()
        told, self._told = self._told, []
        stopped_by = self._stopped_by or next(iter(self._refusing.values()), None)
        return Summary(self._budget_tracker.spent, waiting, stopped_by), told

    def _deal(self) -> None:
        """Give out what may go, each run to the worker that has the fewest."""
        for key, waiting in self._waiting.items():
            while waiting and self._under_way[key] < waiting[0].limits.jobs:
                if (item := next(self._ready(waiting), None)) is None:
                    break
                able = [each for each in self._workers.values() if not each.lost]
                free = [each for each in able if item.exists or len(each.unsent) < UNSENT]
                if not free:
                    break
                waiting.remove(item)
                self._give(item, min(free, key=lambda worker: len(worker.given)))
        self._end_if_done()

    def _ready(self, waiting: Sequence[Item] | deque[Item]) -> Iterator[Item]:
        """Yield the runs that may go: where submitting has ended, only those whose job exists."""
        if self._signals or isinstance(self._stopped_by, DiskError):
            return
        for item in waiting:
            if item.exists or (self._stopped_by is None and item.limits.key not in self._refusing):
                yield item

    def _give(self, item: Item, worker: _Worker) -> None:
        worker.given[item.index] = item
        if not item.exists:
            worker.unsent.add(item.index)
        self._under_way[item.limits.key] += 1
        worker.news.items.append(replace(item, free=item.free and item.limits.key not in self._by_turns))
        worker.changed.set()

    def _hold(self, item: Item) -> None:
        """Count the job of a run at its server, whether a worker has the run already or not."""
        if item.place is not None:
            self._permits_of(item.place).join(item.index)

    def _ended(self, worker: _Worker, index: int, left: Item | None = None) -> None:
        """Take a run from its worker, and its places unless something is `left` of it there."""
        item = worker.given.pop(index, None)
        worker.unsent.discard(index)
        if item is not None:
            self._under_way[item.limits.key] -= 1
        place = left.place if left is not None else None
        if left is not None:
            self._hold(left)
        for key in self._permits:
            if place is None or key != place.key:
                self._leave(key, index)

    def _leave(self, key: str, index: int) -> None:
        if (turn := self._turns.get((key, index))) is not None:
            turn.cancel()
        if (permits := self._permits.get(key)) is not None:
            permits.leave(index)

    def _end_if_done(self) -> None:
        """Tell the workers that no more comes, once nothing waits that may go, and no run could come back."""
        complete = self._complete or self._signals > 0 or isinstance(self._stopped_by, DiskError)
        if not complete or any(worker.given for worker in self._workers.values()):
            return
        if not any(True for waiting in self._waiting.values() for _ in self._ready(waiting)):
            self._over = True
            self._happened.set()
            for worker in self._workers.values():
                worker.news.ends = True
                worker.changed.set()

    def _stop(self, error: RunnerError) -> None:
        """Let nothing more be submitted."""
        if self._stopped_by is None or (isinstance(error, DiskError) and not isinstance(self._stopped_by, DiskError)):
            self._stopped_by = error
        for worker in self._workers.values():
            worker.news.drains = True
            worker.changed.set()
        self._end_turns()

    def _end_turns(self) -> None:
        for permits in self._permits.values():
            permits.stop_event.set()

    def _tell_all(
        self, *, pauses: Sequence[tuple[str, float, bool]] = (), stopped: Sequence[str] = (), but: str = ""
    ) -> None:
        for name, worker in self._workers.items():
            if name != but:
                worker.news.pauses += pauses
                worker.news.stopped += stopped
                worker.changed.set()

    def _permits_of(self, limits: Limits) -> EndpointPermits:
        permits = self._permits.get(limits.key)
        if permits is None:
            permits = self._permits[limits.key] = EndpointPermits(limits, self._clock)
            if self._stopped_by is not None or self._signals or limits.key in self._refusing:
                permits.stop_event.set()
        return permits
