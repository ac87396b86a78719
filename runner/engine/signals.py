"""Ctrl-C, SIGTERM and a terminal's end (SIGHUP), delivered to the event loop."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


def _signals() -> list[int]:
    """Those that end a run. A SIGHUP that is ignored stays so: `nohup` means that the terminal may go."""
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
