"""What the coordinator makes of what workers tell it, when it comes at the worst moment."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from dataclasses import replace

import pytest

from runner.artifacts.result_file import read_result, write_result
from runner.artifacts.run_status import RunStatus
from runner.config.provider import servers_of
from runner.distributed.coordinator import UNSENT, Coordinator
from runner.distributed.messages import Answer, Change, Item, Limits, Report
from runner.distributed.worker import RemoteStore, Worker
from runner.engine.limiter import StoppedError
from runner.engine.store import Record
from runner.errors import AuthenticationError, BudgetError, RateLimitError
from runner.ledger.ledger import Row, TakenOverError
from tests.distributed.conftest import recorded

SERVERS = ("http://127.0.0.1:1/v1", "http://127.0.0.1:2/v1")
POOL = f"provider.base_urls=[{','.join(f'{{base_url: {url}, max_concurrent_jobs: 1}}' for url in SERVERS)}]"
HERE, THERE = Limits("here", 1, None), Limits("there", 1, None)


@pytest.fixture
def coordinated(sweep_of):
    """A coordinator of two runs, which are not given to it yet."""

    @contextmanager
    def open_one(*overrides, limit=None, spent=0.0):
        sweep = sweep_of(2, *overrides)
        with sweep.opened() as (ledger, runs):
            yield Coordinator(ledger.directory, ledger.token, limit, spent), runs

    return open_one


def asking(coordinator):
    """Ask a coordinator from other threads."""
    loop = asyncio.get_running_loop()
    return lambda method, *given: asyncio.run_coroutine_threadsafe(getattr(coordinator, method)(*given), loop)


def test_what_an_attempt_of_unknown_price_is_assumed_to_cost_goes_on_counting(coordinated):
    async def story(coordinator, runs):
        old = replace(runs[0], earlier=recorded(runs[0], RunStatus.SUBMITTED))
        await coordinator.join("one")
        await coordinator.add([Item.of(old), Item.of(runs[1])], complete=True)
        store = RemoteStore("one", asking(coordinator))
        for run in runs:
            store.open(run)
        records = [
            Record(old, recorded(old, RunStatus.VERIFIED)),
            Record(runs[1], recorded(runs[1], RunStatus.SUBMITTING, usd=0.5)),
        ]
        kept, refused = await asyncio.to_thread(store.save, records)
        assert kept is None
        assert isinstance(refused, BudgetError)
        return (await coordinator.finish())[0].spent

    with coordinated("budget.assume_usd_per_run=0.5", limit=0.9, spent=0.5) as given:
        assert asyncio.run(story(*given)) == pytest.approx(0.5)


def test_a_request_of_unknown_price_is_refused_where_there_is_a_budget(coordinated):
    async def story(coordinator, runs):
        await coordinator.join("one")
        await coordinator.add([Item.of(run) for run in runs], complete=True)
        store = RemoteStore("one", asking(coordinator))
        record = Record(runs[0], recorded(runs[0], RunStatus.SUBMITTING))
        return await asyncio.to_thread(store.save, [record])

    with coordinated(limit=0.9) as given:
        assert [type(error) for error in asyncio.run(story(*given))] == [BudgetError]


def test_a_run_that_gives_its_place_back_and_asks_for_one_at_once_gets_it(coordinated):
    async def story(coordinator, _):
        await coordinator.join("one")
        worker = Worker("one", asking(coordinator))
        async with asyncio.timeout(30):
            await worker.turn(HERE, 0)
            worker.left(HERE, 0)
            await worker.turn(HERE, 0)
        another = asyncio.ensure_future(coordinator.turn("one", HERE, 1))
        await asyncio.sleep(0.01)
        assert not another.done()  # the place is in use
        worker.left(HERE, 0)
        async with asyncio.timeout(30):
            await worker.turn(THERE, 0)
        assert await another

    with coordinated() as given:
        asyncio.run(story(*given))


def test_a_place_that_is_given_back_at_one_endpoint_is_no_turn_at_another(coordinated):
    async def story(coordinator, _):
        await coordinator.join("one")
        assert await coordinator.turn("one", HERE, 0)
        assert await coordinator.turn("one", THERE, 1)
        waiting = asyncio.ensure_future(coordinator.turn("one", THERE, 0))
        await asyncio.sleep(0)
        await coordinator.tell("one", Report(left=[(HERE.key, 0)]))
        await coordinator.tell("one", Report(left=[(THERE.key, 1)]))
        assert await waiting

    with coordinated() as given:
        asyncio.run(story(*given))


def test_the_sweep_is_not_over_while_a_lost_worker_s_run_is_looked_up(coordinated):
    async def story(coordinator, runs):
        await coordinator.join("one")
        await coordinator.add([Item.of(runs[0])], complete=True)
        change = Change(Row.of(0, recorded(runs[0], RunStatus.SUBMITTED)), (0.4,))
        assert (await coordinator.save("one", [change]))[0] == [None]
        await coordinator.join("two")
        losing = asyncio.ensure_future(coordinator.lose("one"))
        await asyncio.sleep(0)
        await coordinator.tell("two", Report())
        await losing
        news = await coordinator.listen("two")
        assert ([item.index for item in news.items], news.ends) == ([0], False)

    with coordinated() as given:
        asyncio.run(story(*given))


def test_a_refused_request_still_holds_its_place_when_the_limit_is_learned_from_it(coordinated):
    async def story(coordinator, _):
        limits = Limits("here", 10, None)
        await coordinator.join("one")
        for index in range(4):
            assert await coordinator.turn("one", limits, index)
        refusal = RateLimitError("too many jobs", retry_after=0.01)
        refusal.crowded = True
        await coordinator.tell("one", Report(left=[(limits.key, 3)], answers=[Answer(limits, ago=0, error=refusal)]))
        async with asyncio.timeout(30):
            assert await coordinator.turn("one", limits, 4)

    with coordinated() as given:
        asyncio.run(story(*given))


def leaving(run):
    """The change by which a run is about to be paid."""
    key = Limits.of(run.config.provider).key
    return Change(Row.of(run.index, recorded(run, RunStatus.SUBMITTING, usd=0.4)), (0.4,), key)


@pytest.mark.parametrize("everywhere", [True, False])
def test_without_a_turn_too_nothing_leaves_once_submitting_has_ended(coordinated, everywhere):
    async def story(coordinator, runs):
        await coordinator.join("one")
        await coordinator.join("two")
        await coordinator.add([Item.of(run) for run in runs], complete=True)
        first, second = leaving(runs[0]), leaving(runs[1])
        assert (await coordinator.save("one", [first]))[0] == [None]
        stopped = None if everywhere else Limits.of(runs[0].config.provider)
        await coordinator.tell("one", Report(stopped=[(stopped, AuthenticationError("a wrong key"))]))
        return (await coordinator.save("two", [second]))[0]

    with coordinated() as given:
        assert [type(error) for error in asyncio.run(story(*given))] == [StoppedError]


def test_a_worker_that_was_given_up_gets_no_run_with_an_answer(coordinated):
    async def story(coordinator, runs):
        await coordinator.join("one")
        await coordinator.add([Item.of(run) for run in runs], complete=True)
        await coordinator.lose("one")
        (error,), news = await coordinator.save("one", [leaving(runs[0])])
        assert isinstance(error, TakenOverError)
        assert not news

    with coordinated() as given:
        asyncio.run(story(*given))


def test_the_places_at_a_pool_s_servers_hold_what_earlier_processes_and_dead_workers_have_there(coordinated):
    async def story(coordinator, runs):
        old = [
            replace(run, earlier=recorded(run, RunStatus.SUBMITTED).model_copy(update={"endpoint": place}))
            for run, place in zip(runs, SERVERS, strict=True)
        ]
        here, there = map(Limits.of, servers_of(runs[0].config.provider))
        await coordinator.add([Item.of(run) for run in old], complete=True)
        await coordinator.join("one")
        await coordinator.join("two")
        waiting = [asyncio.ensure_future(coordinator.turn("two", limits, 7)) for limits in (here, there)]
        await coordinator.save("one", [Change(Row.of(0, old[0].earlier), (0.4,))])
        await coordinator.lose("one")
        await asyncio.sleep(0.01)
        assert not any(turn.done() for turn in waiting)
        await coordinator.tell("two", Report(left=[(there.key, 1)]))
        assert await waiting[1]
        assert not waiting[0].done()
        await coordinator.tell("two", Report(ended=[0]))
        assert await waiting[0]

    with coordinated(POOL) as given:
        asyncio.run(story(*given))


def test_an_interrupt_ends_a_sweep_that_has_no_worker(coordinated):
    async def story(coordinator, runs):
        await coordinator.join("one")
        await coordinator.add([Item.of(run) for run in runs])
        await coordinator.lose("one")
        await coordinator.interrupt()
        assert (await coordinator.happened(0.01))[1]
        return (await coordinator.finish())[0].waiting

    with coordinated() as given:
        assert sorted(asyncio.run(story(*given))) == [0, 1]


@pytest.mark.parametrize("job", ["of a dead worker", "of an earlier process"])
def test_a_job_is_given_to_a_worker_whatever_else_it_has_to_send(coordinated, job):
    async def story(coordinator, runs):
        unsent = [replace(runs[1], index=number) for number in range(1, 3 * UNSENT)]
        exists = replace(runs[0], earlier=recorded(runs[0], RunStatus.SUBMITTED))
        if job == "of a dead worker":
            await coordinator.join("one")
            await coordinator.add([Item.of(runs[0])])
            change = Change(Row.of(0, exists.earlier), (0.4,))
            assert (await coordinator.save("one", [change]))[0] == [None]
            await coordinator.join("two")
            await coordinator.add([Item.of(run) for run in unsent])
            await coordinator.listen("two")
            await coordinator.lose("one")
        else:
            await coordinator.add([Item.of(run) for run in [*unsent, exists]])
            await coordinator.join("two")
        async with asyncio.timeout(30):
            assert 0 in [item.index for item in (await coordinator.listen("two")).items]

    with coordinated("provider.max_concurrent_jobs=100") as given:
        asyncio.run(story(*given))


def test_what_a_dead_worker_had_at_a_fallback_waits_there(coordinated):
    async def story(coordinator, runs):
        await coordinator.join("one")
        await coordinator.add([Item.of(runs[0])])
        moved = recorded(runs[0], RunStatus.SUBMITTED).model_copy(update={"choice": 2})
        assert (await coordinator.save("one", [Change(Row.of(0, moved), (0.4,))]))[0] == [None]
        await coordinator.join("two")
        await coordinator.lose("one")
        (item,) = (await coordinator.listen("two")).items
        assert item.limits != Item.of(runs[0]).limits

    with coordinated("fallbacks=[{model: sora-2-pro},{provider: emulator}]") as given:
        asyncio.run(story(*given))


def test_a_request_that_has_left_may_be_recorded_again_whatever_has_come_since(coordinated):
    async def story(coordinator, runs):
        await coordinator.join("one")
        await coordinator.add([Item.of(runs[0])], complete=True)
        assert (await coordinator.save("one", [leaving(runs[0])]))[0] == [None]
        await coordinator.interrupt()
        assert (await coordinator.save("one", [leaving(runs[0])]))[0] == [None]
        return (await coordinator.finish())[0].spent

    with coordinated(limit=0.5) as given:
        assert asyncio.run(story(*given)) == pytest.approx(0.4)


def test_a_worker_that_was_given_up_too_early_still_tells_the_job_of_its_request(coordinated):
    async def story(coordinator, runs):
        await coordinator.join("one")
        await coordinator.add([Item.of(run) for run in runs], complete=True)
        assert (await coordinator.save("one", [leaving(runs[0])]))[0] == [None]
        await coordinator.lose("one")
        late = [Change(Row.of(run.index, recorded(run, RunStatus.SUBMITTED, usd=0.4)), (0.4,)) for run in runs]
        kept, refused = (await coordinator.save("one", late))[0]
        assert kept is None
        assert isinstance(refused, TakenOverError)  # it never left
        return (await coordinator.finish())[0].spent

    with coordinated() as given:
        assert asyncio.run(story(*given)) == pytest.approx(0.4)


def test_an_id_that_the_coordinator_does_not_take_any_more_is_kept_beside_the_files(coordinated):
    async def story(coordinator, runs):
        await coordinator.join("one")
        await coordinator.lose("one")
        store = RemoteStore("one", asking(coordinator))
        store.open(runs[0])
        record = Record(runs[0], recorded(runs[0], RunStatus.SUBMITTED))
        (refused,) = await asyncio.to_thread(store.save, [record])
        assert isinstance(refused, TakenOverError)
        assert read_result(runs[0].directory).job_id == "video_0"
        # Another has the run by now, and has written more.
        more = recorded(runs[0], RunStatus.VERIFIED)
        write_result(runs[0].directory, more, durable=False)
        await asyncio.to_thread(store.save, [record])
        assert read_result(runs[0].directory).status is RunStatus.VERIFIED

    with coordinated() as given:
        asyncio.run(story(*given))


def test_jobs_that_exist_are_collected_though_a_failure_stops_all_before_they_are_handed_in(coordinated):
    async def story(coordinator, runs):
        await coordinator.join("one")
        await coordinator.add([Item.of(runs[0])])
        stopped = Report(ended=[0], stopped=[(None, AuthenticationError("a wrong key"))])
        assert not (await coordinator.tell("one", stopped)).ends
        exists = replace(runs[1], earlier=recorded(runs[1], RunStatus.SUBMITTED))
        await coordinator.add([Item.of(exists)], complete=True)
        news = await coordinator.listen("one")
        assert ([item.index for item in news.items], news.ends) == ([1], False)

    with coordinated() as given:
        asyncio.run(story(*given))
