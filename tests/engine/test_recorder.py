"""Records reach the disk together, each run's in their order, and each run hears of its own trouble alone."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress

import pytest

from runner.artifacts.run_status import RunStatus
from runner.engine.recorder import BudgetTracker, RunRecorder, planned
from runner.engine.store import Record, RecordWriter, Threads
from runner.errors import DiskError


class Disk:
    """A store that waits before its first write until it is let go."""

    def __init__(self) -> None:
        self.batches: list[list[tuple[int, RunStatus]]] = []
        self.refused: dict[int, Exception] = {}
        self.began, self.proceed = threading.Event(), threading.Event()

    def open(self, run) -> None:
        raise AssertionError("no run's directory is asked for here")

    def save(self, records):
        self.began.set()
        assert self.proceed.wait(10)
        self.batches.append([(record.run.index, record.result.status) for record in records])
        for record in records:
            if isinstance(error := self.refused.get(record.run.index), RuntimeError):
                raise error
        return [self.refused.get(record.run.index) for record in records]


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
async def record_writer(disk):
    threads = Threads()
    yield RecordWriter(disk, threads)
    disk.proceed.set()
    threads.close()


@pytest.fixture
def record(runs):
    made = runs(4)

    def make(number: int, status: RunStatus = RunStatus.SUBMITTED) -> Record:
        return Record(made[number], planned(made[number], 0).model_copy(update={"status": status}))

    return make


async def under_way(record_writer, disk, record) -> list[asyncio.Task[None]]:
    """Runs 0 to 3 waiting for their records, the first of them being written."""
    first = asyncio.create_task(record_writer.keep(record(0)))
    await asyncio.to_thread(disk.began.wait, 10)
    others = [asyncio.create_task(record_writer.keep(record(number))) for number in (1, 2, 3)]
    await asyncio.sleep(0)
    return [first, *others]


async def test_what_comes_while_others_are_written_goes_together(record_writer, disk, record):
    waiting = await under_way(record_writer, disk, record)
    assert not any(task.done() for task in waiting)
    disk.proceed.set()
    await asyncio.gather(*waiting)
    assert [[number for number, _ in batch] for batch in disk.batches] == [[0], [1, 2, 3]]


async def test_each_run_hears_of_its_own_trouble(record_writer, disk, record):
    disk.refused[2] = DiskError("full")
    waiting = await under_way(record_writer, disk, record)
    disk.proceed.set()
    found = await asyncio.gather(*waiting, return_exceptions=True)
    assert found == [None, None, disk.refused[2], None]


async def test_a_bug_reaches_all_whom_it_concerns(record_writer, disk, record):
    disk.refused[2] = RuntimeError("a bug")
    waiting = await under_way(record_writer, disk, record)
    disk.proceed.set()
    found = await asyncio.gather(*waiting, return_exceptions=True)
    assert [str(error) for error in found] == ["None", "a bug", "a bug", "a bug"]
    disk.refused.clear()
    await record_writer.keep(record(1))


async def test_what_nobody_waits_for_any_more_does_not_come_after_what_is_kept_at_once(record_writer, disk, record):
    waiting = await under_way(record_writer, disk, record)
    waiting[2].cancel()
    with suppress(asyncio.CancelledError):
        await waiting[2]
    disk.proceed.set()
    record_writer.keep_now(record(2, RunStatus.UNCERTAIN))
    await asyncio.gather(waiting[0], waiting[1], waiting[3])
    kept = [item for batch in disk.batches for item in batch if item[0] == 2]
    assert kept == [(2, RunStatus.UNCERTAIN)]


async def test_what_is_kept_at_once_comes_after_what_is_under_way(record_writer, disk, record):
    first = asyncio.create_task(record_writer.keep(record(0)))
    await asyncio.to_thread(disk.began.wait, 10)
    first.cancel()
    threading.Timer(0.02, disk.proceed.set).start()
    record_writer.keep_now(record(0, RunStatus.UNCERTAIN))
    assert disk.batches == [[(0, RunStatus.SUBMITTED)], [(0, RunStatus.UNCERTAIN)]]


async def test_closed_threads_leave_nobody_waiting(disk, record):
    threads = Threads()
    record_writer = RecordWriter(disk, threads)
    waiting = await under_way(record_writer, disk, record)
    threading.Timer(0.02, disk.proceed.set).start()
    await asyncio.to_thread(threads.close)
    found = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(error) for error in found] == [type(None), RuntimeError, RuntimeError, RuntimeError]
    with pytest.raises(RuntimeError):
        await record_writer.keep(record(0))


async def test_who_comes_behind_hundreds_does_not_wait_for_all_of_them(record_writer, disk, record):
    waiting = await under_way(record_writer, disk, record)
    waiting += [asyncio.create_task(record_writer.keep(record(number % 4))) for number in range(100)]
    await asyncio.sleep(0)
    disk.proceed.set()
    await asyncio.gather(*waiting)
    assert max(map(len, disk.batches)) <= 32
    assert sum(map(len, disk.batches)) == len(waiting)


async def left_behind(recorder, record_writer, disk, record, last) -> None:
    """Cancel what the recorder does `last`, while its record waits behind another's."""
    disk.proceed.clear()
    disk.began.clear()
    other = asyncio.create_task(record_writer.keep(record(3)))
    await asyncio.to_thread(disk.began.wait, 10)
    task = asyncio.create_task(last)
    await asyncio.sleep(0)
    task.cancel()
    threading.Timer(0.02, disk.proceed.set).start()
    with suppress(asyncio.CancelledError):
        await task
    await other


@pytest.fixture
async def recorder(record_writer, disk, record, clock):
    """Of run 0, whose paid request has just been announced."""
    recorder = RunRecorder(record(0).run, lambda _: None, clock, record_writer, BudgetTracker())
    disk.proceed.set()
    attempt = recorder.begin_attempt()
    await recorder.reach(RunStatus.SUBMITTING)
    recorder.withdraw(attempt)
    return recorder


async def test_a_run_that_is_put_down_is_not_left_as_submitting(recorder, record_writer, disk, record):
    await left_behind(recorder, record_writer, disk, record, recorder.step_back(None))
    recorder.suspend("interrupted")
    assert disk.batches[-1] == [(0, RunStatus.PLANNED)]


async def test_an_end_is_kept_although_nobody_waits_for_it(recorder, record_writer, disk, record):
    recorder.fail(RunStatus.FAILED, DiskError("full"))
    await left_behind(recorder, record_writer, disk, record, recorder.end())
    assert [(0, RunStatus.FAILED)] in disk.batches
