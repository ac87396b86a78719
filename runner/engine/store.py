"""Keep runs' records durably: the interface, the one that writes `result.json` alone, and what groups records."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar

from runner.artifacts.result import Result
from runner.artifacts.result_file import write_result

from .run import Run
from .threads import Threads


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


class Store(Protocol):
    """What keeps records; called in threads, `save` by each `RecordWriter` for one batch at a time."""

    def open(self, run: Run) -> None:
        """Make the run's directory, if it is not there; raises `DiskError`."""

    def save(self, records: Sequence[Record]) -> list[Exception | None]:
        """Keep records of several runs; for each of them why it could not be kept, which concerns no other."""


class ResultFiles:
    """Keeps each record in its run's `result.json` alone; the directories are there."""

    def open(self, run: Run) -> None:
        """Do nothing."""

    def save(self, records: Sequence[Record]) -> list[Exception | None]:
        """Replace the files."""
        return [_replaced(record) for record in records]


def _replaced(record: Record) -> Exception | None:
    try:
        write_result(record.run.directory, record.result, durable=record.durable)
    except Exception as error:  # noqa: BLE001 - told to whoever waits for this record
        return error
    return None


T = TypeVar("T")

_Waiting = tuple[Record, "asyncio.Future[None]"]


_TOGETHER = 32
"""Records in one batch: whoever comes next, perhaps with a job's id, does not wait for hundreds."""


class RecordWriter:
    """Keeps the records of runs, each run's in their order."""

    def __init__(self, store: Store, threads: Threads) -> None:
        self._store = store
        self._threads = threads
        self._waiting: list[_Waiting] = []
        self._busy = False
        self._writing = threading.Lock()

    def open(self, run: Run) -> asyncio.Future[None]:
        """See to it that the run's directory is there; the future may have a `DiskError`."""
        return self._threads.directories(self._store.open, run)

    async def write(self, write: Callable[[], T]) -> T:
        """Call what writes something beside the records, in their thread; raises `DiskError`."""
        return await self._threads.records(write)

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
            self._threads.records(self._save, batch).add_done_callback(partial(self._written, batch))
            self._busy = True
        except RuntimeError as error:  # the threads are closed
            for _, kept in batch:
                _settle(kept, error)

    def _save(self, batch: Sequence[_Waiting]) -> dict[int, Exception | None]:
        with self._writing:
            # Whoever has ceased to wait may have kept something later meanwhile.
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
