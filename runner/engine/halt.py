"""The word that nothing more is to be submitted, which wakes whoever waits to submit."""

from __future__ import annotations

import asyncio

from .clock import Clock


class Halted(Exception):  # noqa: N818 - no error: the run has simply not been started
    """Nothing may be submitted any more; the run stays planned."""


class Halt:
    """Said once, never taken back."""

    def __init__(self) -> None:
        self._said = asyncio.Event()

    @property
    def said(self) -> bool:
        """Whether submitting has ended."""
        return self._said.is_set()

    def say(self) -> None:
        """End submitting."""
        self._said.set()

    def check(self) -> None:
        """Raise `Halted` if submitting has ended."""
        if self.said:
            raise Halted

    async def sleep(self, seconds: float, clock: Clock) -> None:
        """Wait, and raise `Halted` as soon as submitting has ended."""
        self.check()
        sleeper, listener = asyncio.create_task(clock.sleep(seconds)), asyncio.create_task(self._said.wait())
        try:
            await asyncio.wait({sleeper, listener}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeper.cancel()
            listener.cancel()
        self.check()
