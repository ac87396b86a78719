"""What all workers share of an endpoint: a rate, places among its jobs, and the pauses that it asks for."""

from __future__ import annotations

import asyncio

import pytest

from runner.distributed.coordinator import EndpointPermits
from runner.distributed.messages import Answer, Limits
from runner.engine.limiter import StoppedError
from runner.errors import RateLimitError
from tests.engine.simulation import SimulatedClock, SimulatedLoop


def simulated(story):
    with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
        return runner.run(story())


def test_a_rate_of_sixty_a_minute_holds_for_all_workers_together():
    clock, sent = SimulatedClock(), []

    async def story():
        permits = EndpointPermits(Limits("here", 1000, 60), clock)

        async def worker(number):
            for turn in range(30):
                await permits.take((number, turn))
                sent.append(clock.elapsed())

        await asyncio.gather(*map(worker, range(4)))

    simulated(story)
    assert len(sent) == 120
    assert max(sum(first <= each < first + 60 for each in sent) for first in sent) == 60
    assert sent[-1] == pytest.approx(119)


def test_places_hold_for_all_workers_together_and_come_back():
    async def story():
        permits = EndpointPermits(Limits("here", 3, None), SimulatedClock())
        turns = [asyncio.ensure_future(permits.take(number)) for number in range(5)]
        await asyncio.sleep(1)
        assert [turn.done() for turn in turns] == [True, True, True, False, False]
        permits.leave(1)
        await asyncio.sleep(1)
        assert [turn.done() for turn in turns] == [True, True, True, True, False]
        permits.stop_event.set()
        with pytest.raises(StoppedError):
            await turns[4]

    simulated(story)


@pytest.mark.parametrize("paid", [True, False])
def test_a_pause_that_one_worker_was_told_of_is_everybody_s(paid):
    clock = SimulatedClock()

    async def story():
        limits = Limits("here", 10, None)
        permits = EndpointPermits(limits, clock)
        await permits.take("one")
        refusal = RateLimitError("slow down", retry_after=30)
        assert permits.hear(Answer(limits, ago=0.5, error=refusal, paid=paid)) == pytest.approx(30)
        await permits.take("another")
        assert clock.elapsed() == pytest.approx(30)

    simulated(story)


def test_how_many_jobs_a_provider_takes_is_learned_from_all_workers():
    async def story():
        limits = Limits("here", 10, None)
        permits = EndpointPermits(limits, SimulatedClock())
        for number in range(4):
            await permits.take(number)
        for number in (2, 3):
            refusal = RateLimitError("too many jobs", retry_after=1)
            refusal.crowded = True
            permits.hear(Answer(limits, ago=0, error=refusal))
            permits.leave(number)
        await asyncio.sleep(2)
        turns = [asyncio.ensure_future(permits.take(number)) for number in range(4, 8)]
        await asyncio.sleep(2)
        assert sum(turn.done() for turn in turns) < 4
        for turn in turns:
            turn.cancel()

    simulated(story)
