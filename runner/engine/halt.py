"""The word that nothing more is to be submitted, which wakes whoever waits to submit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from .clock import Clock


class Halted(Exception):  # noqa: N818 - no error: the run has simply not been started
    """Nothing may be submitted any more; the run stays planned."""


class Halt:
    """Said once, never taken back."""

    def __init__(self) -> None:
        self._said = asyncio.Event()
        self._firm = False
        self._listeners: list[Callable[[], None]] = []

    @property
    def said(self) -> bool:
        """Whether submitting has ended."""
        return self._said.is_set()

    @property
    def firm(self) -> bool:
        """Whether even a request that was journalled as leaving must not leave."""
        return self._firm

    def say(self, *, gently: bool = False) -> None:
        """End submitting; `gently` lets leave what has been journalled so."""
        self._firm = self._firm or not gently
        self._said.set()
        for listener in self._listeners:
            listener()

    def heard_by(self, listener: Callable[[], None]) -> None:
        """Call `listener` when submitting ends; it may hear it more than once."""
        self._listeners.append(listener)

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
