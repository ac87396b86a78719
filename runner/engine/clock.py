"""Tell the time and wait, and how long to wait before another try."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Clock:
    """Tell the time, wait and draw random numbers; tests replace it.

    Deadlines need a clock that a wrong or corrected system time cannot move, yet that counts the hours a laptop was
    closed, because the provider's job went on in them. Linux has CLOCK_BOOTTIME for this, as its CLOCK_MONOTONIC
    stops in suspend; macOS's CLOCK_MONOTONIC and Windows' monotonic clock count sleep by themselves.
    """

    def __init__(self) -> None:
        self._clock: int | None = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None))

    def time(self) -> float:
        """Return seconds since 1970, for records only: it may jump."""
        return time.time()

    def elapsed(self) -> float:
        """Return seconds since some fixed moment; never goes back, and counts while the machine sleeps."""
        return time.monotonic() if self._clock is None else time.clock_gettime(self._clock)

    def boot(self) -> str | None:
        """Return what names this start of the machine, None if nothing does; `elapsed` is continuous within one."""
        try:
            return _BOOT_ID.read_text().strip() or None
        except OSError:
            return None

    def random(self) -> float:
        """Return a number from 0 (included) to 1 (not included)."""
        return random.random()  # noqa: S311 - jitter, no secret

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`."""
        await asyncio.sleep(seconds)


_DOUBLINGS = 60
"""Beyond every cap, and before numbers that overflow."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """Double the wait each time, to at most `cap` seconds, with the clock's random numbers for the jitter.

    `floor` is the part of each wait that is certain; with 0 the jitter is full, which spreads a crowd best.
    """

    base: float
    cap: float
    floor: float = 0

    def seconds(self, failures: int, clock: Clock) -> float:
        """Return the wait after so many failures in a row, the first being 1."""
        longest = min(self.base * 2.0 ** min(failures - 1, _DOUBLINGS), self.cap)
        return longest * (self.floor + (1 - self.floor) * clock.random())

    def tries(
        self,
        clock: Clock,
        most: int,
        passes: Callable[[BaseException], bool],
        note: Callable[[RetryCallState], None] | None = None,
    ) -> AsyncRetrying:
        """Return what calls a function up to `most` times, while its error `passes`, and raises its last one.

        `note` hears of each failure that another try follows.
        """
        return AsyncRetrying(
            sleep=clock.sleep,
            stop=stop_after_attempt(most),
            wait=lambda state: self.seconds(state.attempt_number, clock),
            retry=retry_if_exception(passes),
            before_sleep=note,
            reraise=True,
        )
