"""What a worker does with what a coordinator says, which is played by plain objects."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future

import pytest

from runner.artifacts.run_status import RunStatus
from runner.distributed.messages import Item, Limits, News, unpack
from runner.distributed.worker import Worker
from runner.engine.clock import Clock
from runner.errors import RateLimitError
from runner.ledger.ledger import LedgerError


class Played:
    """Give a worker what the test says, and keep what it tells."""

    def __init__(self):
        self.news = asyncio.Queue()
        self.told = asyncio.Queue()
        self.reports = []
        self.refused = set()
        self._loop = asyncio.get_running_loop()

    def __call__(self, method, _name, *given):
        if method == "listen":
            return asyncio.run_coroutine_threadsafe(self.news.get(), self._loop)
        done = Future()
        done.set_result(getattr(self, method)(*given))
        return done

    def join(self):
        pass

    def save(self, changes):
        return [LedgerError("broken") if change.row.number in self.refused else None for change in changes], News()

    def turn(self, _limits, _index):
        return True

    def tell(self, report):
        self.reports.append(report)
        for told in unpack(report.told) if report.told else ():
            self.told.put_nowait(told)
        return News()

    async def until(self, wanted):
        async with asyncio.timeout(60):
            while not wanted(told := await self.told.get()):
                pass
        return told


def test_a_run_that_waits_in_the_engine_is_suspended_once_others_have_stopped_submitting(sweep_of, make_emulator):
    async def story(runs):
        played = Played()
        worker = asyncio.ensure_future(Worker("one", played).run())
        played.news.put_nowait(News(items=[Item.of(run) for run in runs]))
        await played.until(lambda told: told.status is RunStatus.SUBMITTED)
        played.news.put_nowait(News(drains=True))
        waited = await played.until(lambda told: told.result is not None)
        assert (waited.index, waited.status) == (1, RunStatus.PLANNED)
        played.news.put_nowait(News(signals=2, ends=True))
        await worker

    sweep = sweep_of(2, "provider.max_concurrent_jobs=1", server=make_emulator(latency=3600.0))
    asyncio.run(story(sweep.runs))


def test_a_worker_dies_of_a_fault_in_one_run_and_tells_no_end_of_the_others(sweep_of, make_emulator):
    async def story(runs):
        played = Played()
        worker = asyncio.ensure_future(Worker("one", played).run())
        played.news.put_nowait(News(items=[Item.of(runs[0])]))
        await played.until(lambda told: told.status is RunStatus.SUBMITTED)
        played.refused = {1}
        played.news.put_nowait(News(items=[Item.of(runs[1])]))
        with pytest.raises(LedgerError):
            async with asyncio.timeout(60):
                await worker
        while not played.told.empty():
            assert played.told.get_nowait().result is None

    sweep = sweep_of(2, server=make_emulator(latency=3600.0))
    asyncio.run(story(sweep.runs))


def test_the_age_of_a_refusal_counts_what_it_waited_for_its_report():
    async def story():
        played, here = Played(), Limits("here", 10, None)
        worker = Worker("one", played)
        worker.answered(here, Clock().elapsed(), error=RateLimitError("slow down"), paid=True)
        await asyncio.sleep(0.05)
        worker.left(here, 0)
        await worker.turn(here, 1)
        return played.reports[0].answers[0].ago

    assert asyncio.run(story()) >= 0.05


def test_a_worker_that_was_given_up_asks_for_no_more_news():
    async def story():
        played = Played()
        for _ in range(3):
            played.news.put_nowait(News(signals=2))
        await Worker("one", played).run()
        return played.news.qsize()

    assert asyncio.run(story()) == 2
