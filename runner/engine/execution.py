"""Execute runs from synchronous code, all at once or call by call, and hear the signals that end them."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import AsyncIterator, Callable, Hashable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Protocol, Unpack

from runner.artifacts.result import Result
from runner.config.provider import AddressedConfig, ProviderConfig
from runner.config.run import RunConfig
from runner.errors import RunnerError
from runner.providers.base import Provider

from .clock import Clock
from .endpoint import Endpoint, close_client
from .limiter import StoppedError
from .payment import settled
from .recorder import BudgetTracker, RunRecorder
from .run import Observer, Outcome, Run, next_choice
from .scheduler import Scheduler, Services, work
from .store import RecordWriter, ResultFiles, Threads


class Engine(Protocol):
    """Execute runs, as `run_all` does in this process."""

    def __call__(
        self,
        runs: Sequence[Run],
        /,
        *,
        observer: Observer,
        interrupted: Callable[[int], object],
        **services: Unpack[Services],
    ) -> Outcome:
        """Return when the last run has ended, or was suspended after an interrupt."""


def run_all(
    runs: Sequence[Run],
    *,
    observer: Observer,
    interrupted: Callable[[int], object] = lambda _number: None,
    **services: Unpack[Services],
) -> Outcome:
    """Execute all runs concurrently and return when the last has ended.

    The first Ctrl-C, SIGTERM or SIGHUP stops submitting and polling, keeps every job's id, and awaits the answers to
    paid requests that are under way; the second leaves at once. `Outcome.interrupted` then names the signal.
    `interrupted` hears the number of each at once, before any run ends.
    """

    async def interruptible() -> Outcome:
        scheduler = Scheduler(runs, observer, **services)

        def handle(number: int) -> None:
            scheduler.interrupt(number)
            interrupted(number)

        with interrupts(handle):
            return await scheduler.run()

    return asyncio.run(interruptible())


def _signals() -> list[int]:
    """Return the signals that end a run. An ignored SIGHUP stays ignored: `nohup` means that the terminal may go."""
    hangup = getattr(signal, "SIGHUP", None)  # Windows has none
    heard = hangup is not None and signal.getsignal(hangup) is not signal.SIG_IGN
    return [signal.SIGINT, signal.SIGTERM, *([hangup] if heard and hangup is not None else [])]


@contextmanager
def interrupts(handle: Callable[[int], None]) -> Iterator[None]:
    """Call `handle` with the number of each signal while inside; the previous handlers come back afterwards.

    Only the main thread gets signals; elsewhere this does nothing, and the thread's owner decides.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    previous = {number: signal.getsignal(number) for number in _signals()}
    for number in previous:
        try:
            loop.add_signal_handler(number, handle, number)
        except NotImplementedError:
            # Windows has no wake-up descriptor for signals on its loop.
            signal.signal(number, lambda caught, _frame: loop.call_soon_threadsafe(handle, caught))
    try:
        yield
    finally:
        for number, handler in previous.items():
            with suppress(NotImplementedError):
                loop.remove_signal_handler(number)
            if handler is not None:
                signal.signal(number, handler)


Create = Callable[[ProviderConfig], Provider]
Owner = Callable[[ProviderConfig], Hashable]


class Session:
    """Serve the calls of one event loop. After the last call under way all is closed, so that nothing is left to end.

    The calls are strangers to each other: an error of one stops no other, but a 429 makes all of its endpoint wait.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or Clock()
        self._desks: dict[Hashable, _Desk] = {}
        self._threads: Threads | None = None
        self._calls = 0

    async def execute(
        self,
        run: Run,
        *,
        observer: Observer,
        create: Create,
        owner: Owner,
        budget_tracker: BudgetTracker | None = None,
    ) -> tuple[Result, RunnerError | None]:
        """Execute one run; its record, and why it did not succeed.

        `create` makes a provider and may block; `owner` tells apart those that are configured alike, as by their keys.
        `budget_tracker` is what the call's runs may spend together, by default without a limit.
        Raises only what `create` raises, and the cancellation of the caller, after the run was suspended safely.
        """
        budget_tracker = budget_tracker or BudgetTracker()
        with self._call() as threads:
            while True:
                config = self._at_a_server(run.config, owner)
                async with self._endpoint(config.provider, create, owner) as endpoint:
                    record_writer = RecordWriter(ResultFiles(), threads)
                    recorder = RunRecorder(run, observer, self._clock, record_writer, budget_tracker)
                    recorder.go_to(config, followed=run.followed)
                    try:
                        error = await work(endpoint, recorder)
                    except StoppedError:
                        error = endpoint.stopped_by
                following = None if error is None else next_choice(run.config, recorder.result.status, error)
                if error is None or following is None:
                    await settled(recorder.end())
                    return recorder.result, error
                run = await settled(recorder.hand_on(following, error))

    def _at_a_server(self, config: RunConfig, owner: Owner) -> RunConfig:
        """Return a call of a pool as it goes to the server with the fewest calls for its weight; any other as it is."""
        provider = config.provider
        if not isinstance(provider, AddressedConfig) or not provider.base_urls:
            return config

        def load(number: int) -> float:
            server = config.at_server(number).provider
            desk = self._desks.get((server, owner(server)))
            return (desk.visitors if desk else 0) / provider.base_urls[number].weight

        return config.at_server(min(range(len(provider.base_urls)), key=load))

    @asynccontextmanager
    async def _endpoint(self, config: ProviderConfig, create: Create, owner: Owner) -> AsyncIterator[Endpoint]:
        key = (config, owner(config))
        desk = self._desks.get(key)
        if desk is None or desk.closed:
            desk = self._desks[key] = _Desk(config, create, self._clock)
        try:
            async with desk.place() as endpoint:
                yield endpoint
        finally:
            if desk.closed and self._desks.get(key) is desk:
                del self._desks[key]

    @contextmanager
    def _call(self) -> Iterator[Threads]:
        """Hold the threads, which the calls share, until the last call has ended."""
        self._calls += 1
        self._threads = threads = self._threads or Threads()
        try:
            yield threads
        finally:
            self._calls -= 1
            if self._calls == 0:
                threads.close()
                self._threads = None


class _Desk:
    """Hold one endpoint, from its first visitor to its last."""

    def __init__(self, config: ProviderConfig, create: Create, clock: Clock) -> None:
        self._opening = asyncio.create_task(_opened(config, create, clock))
        self._jobs = asyncio.Semaphore(config.max_concurrent_jobs)
        self.visitors = 0
        self._left = False

    @property
    def closed(self) -> bool:
        """Return whether nobody new may come: it is being closed, or submitting there has ended."""
        failed = self._opening.done() and (self._opening.cancelled() or self._opening.exception() is not None)
        return self._left or failed or (self._opening.done() and self._opening.result().stop_event.is_set)

    @asynccontextmanager
    async def place(self) -> AsyncIterator[Endpoint]:
        """Return the endpoint, once one more job may be there."""
        self.visitors += 1
        try:
            # Shielded: who is cancelled while waiting must not take the endpoint from the others.
            endpoint = await asyncio.shield(self._opening)
            async with self._jobs:
                yield endpoint
        finally:
            self.visitors -= 1
            if self.visitors == 0:
                self._left = True
                await settled(self._close())

    async def _close(self) -> None:
        with suppress(RunnerError):
            await close_client((await self._opening).provider)


async def _opened(config: ProviderConfig, create: Create, clock: Clock) -> Endpoint:
    # In a thread: a client's certificates take as long to load as a hundred polls.
    return Endpoint(await asyncio.to_thread(create, config), config, clock)
