from __future__ import annotations

import asyncio

import pytest

from runner.engine.limiter import AdaptiveLimiter, JobPlaces, PartialLimiter, StopEvent, StoppedError


async def asking(limiter, *holders):
    """One task for each holder, waiting in this order."""
    tasks = [asyncio.create_task(limiter.enter(holder)) for holder in holders]
    await asyncio.sleep(0)
    return tasks


async def done(tasks):
    await asyncio.sleep(0)
    return [task.done() for task in tasks]


async def test_places_are_given_in_the_order_they_were_asked_for():
    limiter = AdaptiveLimiter(2)
    tasks = await asking(limiter, "a", "b", "c", "d")
    assert await done(tasks) == [True, True, False, False]
    limiter.leave("b")
    assert await done(tasks) == [True, True, True, False]
    limiter.leave("d")  # holds none
    assert await done(tasks) == [True, True, True, False]
    limiter.leave("a")
    await asyncio.gather(*tasks)


@pytest.mark.parametrize("admitted", [False, True])
async def test_who_gives_up_waiting_takes_no_place_along(admitted):
    limiter = AdaptiveLimiter(1)
    await limiter.enter("first")
    second, third = await asking(limiter, "second", "third")
    if admitted:
        limiter.leave("first")
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    limiter.leave("first")
    await third
    assert limiter.held == 1


async def test_who_joins_takes_a_place_beyond_the_limit_and_others_wait_for_it_to_be_given_back():
    limiter = AdaptiveLimiter(2)
    for holder in range(5):
        limiter.join(holder)
    (waiting,) = await asking(limiter, "new")
    for holder in range(3):
        limiter.leave(holder)
    assert await done([waiting]) == [False]
    limiter.leave(3)
    await waiting


async def test_the_end_of_submitting_dismisses_who_waits_and_who_comes():
    stop_event = StopEvent()
    limiter = AdaptiveLimiter(1, stop_event)
    await limiter.enter("first")
    (waiting,) = await asking(limiter, "second")
    stop_event.set()
    with pytest.raises(StoppedError):
        await waiting
    with pytest.raises(StoppedError):
        await limiter.enter("third")
    assert limiter.held == 1


async def test_growing_lets_the_next_in():
    limiter = AdaptiveLimiter(4)
    for holder in range(4):
        await limiter.enter(holder)
    limiter.shrink()
    assert limiter.limit == 2
    for holder in range(2):
        limiter.leave(holder)
    (waiting,) = await asking(limiter, "new")
    told = []
    for _ in range(3):
        limiter.grow()
        told += await done([waiting])
    assert told == [False, False, True]


async def test_a_share_leaves_a_quarter_free_of_whatever_the_whole_is():
    whole = AdaptiveLimiter(8)
    share = PartialLimiter(whole)
    assert share.limit == 6
    for holder in range(8):
        await whole.enter(holder)
    limits = []
    for _ in range(4):
        whole.shrink()
        limits.append((whole.limit, share.limit))
    assert limits == [(4, 3), (2, 1), (1, 1), (1, 1)]


async def full(most, held):
    places = JobPlaces(most)
    for holder in range(held):
        await places.enter(holder)
    return places


async def test_a_first_refusal_leaves_one_place_more_than_is_held_and_an_acceptance_opens_all_again():
    places = await full(20, 12)
    places.crowded(1, first=True)
    places.leave(11)
    assert (places.limit, places.held) == (12, 11)
    for holder in range(11, 20):
        await asyncio.wait_for(places.enter(holder), 1)
        places.grow()
    assert places.limit == 20


async def test_a_refusal_after_the_pause_leaves_what_is_held_and_tries_one_more_ever_more_rarely():
    places = await full(20, 6)
    places.crowded(2, first=True)
    places.leave(5)
    told = []
    for _ in range(3):
        rounds = 0
        while places.limit == 5:
            places.grow()
            rounds += 1
        told.append(rounds)
        await places.enter("one more")
        places.crowded(1, first=True)
        places.leave("one more")
    assert told == [5, 10, 20]
    assert places.limit == 5


async def test_places_are_at_least_one_and_never_more_than_configured():
    places = await full(3, 1)
    places.crowded(2, first=True)
    places.leave(0)
    assert places.limit == 1
    for holder in range(9):
        places.join(holder)
        places.grow()
    assert places.limit == 3
