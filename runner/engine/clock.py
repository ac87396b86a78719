"""Time and chance as the engine sees them, so that tests can have their own."""

from __future__ import annotations

import asyncio
import random
import time
from pathlib import Path
from typing import Protocol

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Clock(Protocol):
    """What tells the time, waits and throws dice."""

    def time(self) -> float:
        """Seconds since 1970, for records only: it may jump."""

    def elapsed(self) -> float:
        """Seconds since some fixed moment; never goes back, and goes on while the machine sleeps."""

    def boot(self) -> str | None:
        """Return what names this start of the machine, None if nothing does; `elapsed` goes on within one."""

    def random(self) -> float:
        """A number from 0 (included) to 1 (not included)."""

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`."""


class RealClock:
    """The machine's clocks.

    Deadlines need one that a wrong or corrected system time cannot move, yet that counts the hours a laptop was
    closed, because the provider's job went on in them. Linux has CLOCK_BOOTTIME for this, as its CLOCK_MONOTONIC
    stops in suspend; macOS's CLOCK_MONOTONIC and Windows' monotonic clock count sleep by themselves.
    """

    def __init__(self) -> None:
        self._clock: int | None = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None))

    def time(self) -> float:
        return time.time()

    def elapsed(self) -> float:
        return time.monotonic() if self._clock is None else time.clock_gettime(self._clock)

    def boot(self) -> str | None:
        try:
            return _BOOT_ID.read_text().strip() or None
        except OSError:
            return None

    def random(self) -> float:
        return random.random()  # noqa: S311 - jitter, no secret

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
