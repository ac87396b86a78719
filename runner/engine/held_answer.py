"""A paid answer that the disk refuses: held in memory, and written again until space is free or patience ends."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from runner.errors import DiskError

from .clock import Clock

T = TypeVar("T")

SECONDS = 300.0
"""How long an answer is held: who is told of a full disk has this time to free some of it."""

_FIRST, _LONGEST = 1.0, 10.0
"""Seconds between two tries."""


class HeldAnswer:
    """Writes the pieces of one answer; they share one stretch of patience.

    `tell` hears what happens, `what` names the answer.
    """

    def __init__(self, what: str, clock: Clock, tell: Callable[[str], object]) -> None:
        self._what = what
        self._clock = clock
        self._tell = tell
        self._until: float | None = None

    async def write(self, write: Callable[[], Awaitable[T]]) -> T:
        """Await `write`, again and again while it raises `DiskError`; raises the last one after `SECONDS`."""
        wait = _FIRST
        while True:
            try:
                done = await write()
            except DiskError as error:
                if self._over(error):
                    raise
            else:
                if wait > _FIRST:
                    self._tell(f"{self._what} could be written after all")
                return done
            await self._clock.sleep(wait)
            wait = min(_LONGEST, wait * 2)

    def _over(self, error: DiskError) -> bool:
        now = self._clock.elapsed()
        if self._until is None:
            self._until = now + SECONDS
            self._tell(
                f"{self._what} is held in memory, as it could not be written: {error}; free some space within "
                f"{SECONDS:.0f} s, and do not end this process"
            )
        return now >= self._until
