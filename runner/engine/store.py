"""Keep records of runs durably, and blocking work off the event loop: a few threads, and a process that decodes."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import ParamSpec, Protocol, TypeVar

from runner.artifacts.decoder import Decoder
from runner.artifacts.result import Result
from runner.artifacts.result_file import write_result
from runner.errors import DiskError

from .clock import Clock
from .run import Run

P = ParamSpec("P")
T = TypeVar("T")


class Pool:
    """Call blocking functions in threads of its own, in the order in which they were asked for."""

    def __init__(self, name: str, size: int) -> None:
        self._executor = ThreadPoolExecutor(size, thread_name_prefix=f"runner-{name}")

    def __call__(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
        """Call a function."""
        return asyncio.get_running_loop().run_in_executor(self._executor, lambda: function(*args, **kwargs))

    def close(self) -> None:
        """Drop what has not begun and wait for what has."""
        self._executor.shutdown(wait=True, cancel_futures=True)


class Threads:
    """Hold a thread each for records and directories, which never queue, pools for files and media, and the decoder."""

    def __init__(self) -> None:
        self._decoder: Decoder | None = None
        self.records = Pool("records", 1)
        # More than one would take the interpreter from the first requests, and gain nothing.
        self.directories = Pool("directories", 1)
        # Several that wait for the disk at once take hardly longer than one; decoding wants a core each.
        self.disk = Pool("disk", 4)
        self.media = Pool("media", min(4, os.cpu_count() or 1))

    @property
    def decoder(self) -> Decoder:
        """Return what checks videos, made when the first is to be checked."""
        if self._decoder is None:
            self._decoder = Decoder()
        return self._decoder

    def close(self) -> None:
        """Drop what has not begun, wait for what has, and end the decoder."""
        for pool in (self.records, self.directories, self.disk, self.media):
            pool.close()
        if self._decoder is not None:
            self._decoder.close()


class StoreLostError(DiskError):
    """Tell that what keeps records is gone for good: there is nothing to wait for."""


@dataclass(frozen=True, slots=True)
class Record:
    """Describe how far a run has come.

    Attributes:
        durable: whether this must survive a power cut.
        passing: whether another one follows in a moment.
    """

    run: Run
    result: Result
    durable: bool = True
    passing: bool = False


class RecordStore(Protocol):
    """Keep records; called in threads, `save` by each `RecordWriter` for one batch at a time."""

    def open(self, run: Run) -> None:
        """Make the run's directory, if it is not there; raises `DiskError`."""

    def save(self, records: Sequence[Record]) -> list[Exception | None]:
        """Keep records of several runs; for each of them why it could not be kept, which concerns no other."""


class ResultFiles:
    """Keep each record in its run's `result.json` alone; the directories are there."""

    def open(self, run: Run) -> None:
        """Do nothing."""

    def save(self, records: Sequence[Record]) -> list[Exception | None]:
        """Replace the files."""
        return [error_of(write_result, each.run.directory, each.result, durable=each.durable) for each in records]


def error_of(function: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> Exception | None:
    """Return what a call that keeps a record raises, for whoever waits for that record; None if it succeeds."""
    try:
        function(*args, **kwargs)
    except Exception as error:  # noqa: BLE001 - it is told
        return error
    return None


_Waiting = tuple[Record, "asyncio.Future[None]"]


_TOGETHER = 32
"""Records in one batch: whoever comes next, perhaps with a job's id, does not wait for hundreds."""


class RecordWriter:
    """Keep the records of runs, each run's in their order."""

    def __init__(self, store: RecordStore, threads: Threads) -> None:
        self._store = store
        self.threads = threads
        self._waiting: list[_Waiting] = []
        self._busy = False
        self._writing = threading.Lock()

    def open(self, run: Run) -> asyncio.Future[None]:
        """See to it that the run's directory is there; the future may have a `DiskError`."""
        return self.threads.directories(self._store.open, run)

    async def keep(self, record: Record) -> None:
        """Return when the record is kept; raises `DiskError`, or `LedgerError` where the ledger is broken."""
        kept = asyncio.get_running_loop().create_future()
        self._waiting.append((record, kept))
        if not self._busy:
            self._write()
        await kept

    def keep_now(self, record: Record) -> None:
        """Keep a record before this returns, of a run that waits for none any more; raises `DiskError`."""
        # Its last one may still be under way in a thread, and would otherwise come after this.
        with self._writing:
            errors = self._store.save([record])
        for error in filter(None, errors):
            raise error

    def _write(self) -> None:
        batch, self._waiting = self._waiting[:_TOGETHER], self._waiting[_TOGETHER:]
        try:
            self.threads.records(self._save, batch).add_done_callback(partial(self._written, batch))
            self._busy = True
        except RuntimeError as error:  # the threads are closed
            for _, kept in batch:
                _settle(kept, error)

    def _save(self, batch: Sequence[_Waiting]) -> dict[int, Exception | None]:
        with self._writing:
            # A caller that no longer waits may have kept a later record meanwhile.
            wanted = [(place, record) for place, (record, kept) in enumerate(batch) if not kept.cancelled()]
            errors = self._store.save([record for _, record in wanted])
        return {place: error for (place, _), error in zip(wanted, errors, strict=True)}

    def _written(self, batch: Sequence[_Waiting], done: asyncio.Future[dict[int, Exception | None]]) -> None:
        self._busy = False
        failure = RuntimeError("the threads were closed") if done.cancelled() else done.exception()
        for place, (_, kept) in enumerate(batch):
            _settle(kept, failure or done.result().get(place))
        if self._waiting:
            self._write()


def _settle(kept: asyncio.Future[None], error: BaseException | None) -> None:
    if kept.done():
        return
    if error is None:
        kept.set_result(None)
    else:
        kept.set_exception(error)


HELD_SECONDS = 300.0
"""How long an answer is held: who is told of a full disk has this time to free some of it."""

_FIRST_WAIT, _LONGEST_WAIT = 1.0, 10.0
"""Seconds between two tries."""


class HeldAnswer:
    """Write the pieces of one answer; one time limit holds for all of them.

    `tell` hears what happens, `what` names the answer.
    """

    def __init__(self, what: str, clock: Clock, tell: Callable[[str], object]) -> None:
        self._what = what
        self._clock = clock
        self._tell = tell
        self._until: float | None = None

    async def write(self, write: Callable[[], Awaitable[T]]) -> T:
        """Await `write`, again and again while it raises `DiskError`; raises the last one after `HELD_SECONDS`."""
        wait = _FIRST_WAIT
        while True:
            try:
                done = await write()
            except DiskError as error:
                if isinstance(error, StoreLostError) or self._over(error):
                    raise
            else:
                if wait > _FIRST_WAIT:
                    self._tell(f"{self._what} could be written after all")
                return done
            await self._clock.sleep(wait)
            wait = min(_LONGEST_WAIT, wait * 2)

    def _over(self, error: DiskError) -> bool:
        now = self._clock.elapsed()
        if self._until is None:
            self._until = now + HELD_SECONDS
            self._tell(
                f"{self._what} is held in memory, as it could not be written: {error}; free some space within "
                f"{HELD_SECONDS:.0f} s, and do not end this process"
            )
        return now >= self._until
