"""Execute runs from synchronous code, and hear the signals that end them."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Protocol, Unpack

from .run import Observer, Outcome, Run
from .scheduler import Scheduler, Services


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
