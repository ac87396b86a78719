"""Execute runs from synchronous code, and hear the signals that end them."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from runner.config.provider import ProviderConfig
from runner.providers.base import Provider

from .budget_tracker import BudgetTracker
from .clock import Clock, RealClock
from .matching import OtherRuns
from .run import Observer, Outcome, Run
from .scheduler import Scheduler
from .search import Claimed
from .store import RecordStore, ResultFiles


def run_all(
    runs: Sequence[Run],
    *,
    observer: Observer,
    fail_fast: bool = False,
    store: RecordStore | None = None,
    claimed: Claimed = OtherRuns,
    budget_tracker: BudgetTracker | None = None,
) -> Outcome:
    """Execute all runs concurrently and return when the last has ended.

    `store` keeps their records (default: each run's `result.json`); `claimed` tells what is other runs'.
    `budget_tracker` is what they may spend together (default: without a limit).
    The first Ctrl-C, SIGTERM or SIGHUP stops submitting and polling, keeps every job's id, and awaits the answers to
    paid requests that are under way; the second leaves at once. `Outcome.interrupted` then names the signal.
    """
    scheduler = _scheduler(runs, observer, fail_fast, store=store, claimed=claimed, budget_tracker=budget_tracker)
    return asyncio.run(_interruptible(scheduler))


async def execute(
    runs: Sequence[Run],
    *,
    observer: Observer,
    fail_fast: bool = False,
    store: RecordStore | None = None,
    claimed: Claimed = OtherRuns,
    budget_tracker: BudgetTracker | None = None,
    clock: Clock | None = None,
    create: Callable[[ProviderConfig], Provider] | None = None,
) -> Outcome:
    """Execute all runs on the running event loop, leaving signals alone.

    `clock` and `create` (what makes a provider of its config) can be replaced. No `RunnerError` of a run is raised:
    they are in the outcome.
    """
    scheduler = _scheduler(
        runs,
        observer,
        fail_fast,
        store=store,
        claimed=claimed,
        budget_tracker=budget_tracker,
        clock=clock,
        create=create,
    )
    return await scheduler.run()


async def _interruptible(scheduler: Scheduler) -> Outcome:
    with interrupts(scheduler.interrupt):
        return await scheduler.run()


def _scheduler(
    runs: Sequence[Run],
    observer: Observer,
    fail_fast: bool,
    *,
    store: RecordStore | None,
    claimed: Claimed,
    budget_tracker: BudgetTracker | None,
    clock: Clock | None = None,
    create: Callable[[ProviderConfig], Provider] | None = None,
) -> Scheduler:
    return Scheduler(
        runs,
        observer=observer,
        fail_fast=fail_fast,
        clock=clock or RealClock(),
        create=create or _create_provider,
        store=store or ResultFiles(),
        claimed=claimed,
        budget_tracker=budget_tracker,
    )


def _create_provider(config: ProviderConfig) -> Provider:
    from runner.providers.registry import create  # imported only by those who send, as the SDK takes long

    return create(config)


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
        _listen(loop, number, handle)
    try:
        yield
    finally:
        for number, handler in previous.items():
            with suppress(NotImplementedError):
                loop.remove_signal_handler(number)
            if handler is not None:
                signal.signal(number, handler)


def _listen(loop: asyncio.AbstractEventLoop, number: int, handle: Callable[[int], None]) -> None:
    try:
        loop.add_signal_handler(number, handle, number)
    except NotImplementedError:
        # Windows has no wake-up descriptor for signals on its loop.
        signal.signal(number, lambda caught, _frame: _pass_on(loop, handle, caught))


def _pass_on(loop: asyncio.AbstractEventLoop, handle: Callable[[int], None], number: int) -> None:
    loop.call_soon_threadsafe(handle, number)
