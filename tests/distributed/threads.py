"""A cluster of threads: the coordinator and each worker on a loop of its own, what they tell each other pickled."""

from __future__ import annotations

import asyncio
import pickle
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from runner.distributed.coordinator import Coordinator
from runner.distributed.driver import WorkerLostError
from runner.distributed.messages import Ask, CoordinatorLostError
from runner.distributed.worker import Worker
from runner.ledger.ledger import Ledger

Work = Callable[[str, Ask], object]


def _work(name: str, ask: Ask) -> None:
    asyncio.run(Worker(name, ask).run())


class ThreadCluster:
    """Workers that can be cut off, as a dead one is: nothing that they tell arrives any more."""

    def __init__(self, ledger: Ledger, workers: int, *, limit: float | None = None, spent: float = 0.0,
                 work: Work | None = None) -> None:  # fmt: skip
        """Start the coordinator; `work` is done in place of what a worker does."""
        self.workers = workers
        self.stopped = threading.Event()
        self._work = work or _work
        self.asked: list[str] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._coordinator = Coordinator(ledger.directory, ledger.token, limit, spent)
        self._cut: set[str] = set()
        self._calls: set[asyncio.Task[Any]] = set()
        self._working: dict[str, Future[None]] = {}
        self._threads: list[threading.Thread] = []
        self.gone = False

    def ask(self, method: str, *arguments: object) -> Future[Any]:
        return self._called("", method, arguments)

    def work(self, name: str) -> Future[None]:
        done = self._working[name] = Future()

        def live() -> None:
            try:
                self._work(name, lambda method, *given: self._called(name, method, given))
            except Exception as error:  # noqa: BLE001 - as with a process that dies of it
                if not done.done():
                    done.set_exception(WorkerLostError(str(error)))
            if not done.done():
                done.set_result(None)

        thread = threading.Thread(target=live, daemon=True)
        self._threads.append(thread)
        thread.start()
        return done

    def cut(self, name: str) -> None:
        """Let a worker be dead for everybody else."""
        self._cut.add(name)
        self._working[name].set_exception(WorkerLostError("it was cut off"))

    def lose_coordinator(self) -> None:
        self.gone = True
        # One that has not begun would end without a word; it sees for itself that all is over.
        self._loop.call_soon_threadsafe(lambda: [task.cancel() for task in self._calls])

    def stop(self) -> None:
        self.stopped.set()

    def close(self) -> None:
        for thread in self._threads:
            thread.join(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _called(self, name: str, method: str, arguments: tuple[object, ...]) -> Future[Any]:
        self.asked.append(method)
        if self.gone or name in self._cut:
            lost: Future[Any] = Future()
            lost.set_exception(CoordinatorLostError("it is gone"))
            return lost
        given = pickle.loads(pickle.dumps(arguments))

        async def call() -> Any:
            if self.gone:
                raise CoordinatorLostError("it is gone")
            task = asyncio.current_task()
            assert task is not None
            self._calls.add(task)
            try:
                return pickle.loads(pickle.dumps(await getattr(self._coordinator, method)(*given)))
            except asyncio.CancelledError:
                if not self.gone:  # who asked does not wait any more
                    raise
                raise CoordinatorLostError("it is gone") from None
            finally:
                self._calls.discard(task)

        return asyncio.run_coroutine_threadsafe(call(), self._loop)
