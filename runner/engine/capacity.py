"""How many may be at a provider at once: fewer when it refuses, growing again while it accepts."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Hashable, Iterator
from contextlib import asynccontextmanager, contextmanager

from .halt import Halt, Halted


class Capacity:
    """Places, `most` of them at first, which are given in the order they were asked for."""

    def __init__(self, most: int, halt: Halt | None = None) -> None:
        """Whoever waits for a place hears of `halt`, if given."""
        self._most = most
        self._size = float(most)
        self._held: set[Hashable] = set()
        self._waiting: deque[tuple[Hashable, asyncio.Future[None]]] = deque()
        self._halt = halt
        if halt is not None:
            halt.heard_by(self._dismiss)

    @property
    def limit(self) -> int:
        """How many places there are at present, at least 1."""
        return int(self._size)

    @property
    def held(self) -> int:
        """How many places are taken; more than `limit` after it fell or others joined."""
        return len(self._held)

    async def enter(self, holder: Hashable) -> None:
        """Wait for a free place and take it for `holder`; raises `Halted` if submitting ends before."""
        if self._halt is not None:
            self._halt.check()
        if not self._waiting and self.held < self.limit:
            self._held.add(holder)
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((holder, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # the place was given in the same moment
                self.leave(holder)
            raise

    def join(self, holder: Hashable) -> None:
        """Count `holder`, which is at the provider already."""
        self._held.add(holder)

    def leave(self, holder: Hashable) -> None:
        """Give back the place of `holder`, if it has one."""
        self._held.discard(holder)
        self._admit()

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Hold a place, once there is one."""
        holder = object()
        await self.enter(holder)
        try:
            yield
        finally:
            self.leave(holder)

    @contextmanager
    def joined(self, holder: Hashable) -> Iterator[None]:
        """Count `holder` meanwhile."""
        self.join(holder)
        try:
            yield
        finally:
            self.leave(holder)

    def shrink(self, least: float = 1) -> None:
        """Halve what is really held, to no fewer than `least`, after a refusal."""
        self._resize(max(least, min(self._size, self.held) / 2))

    def grow(self, places: float | None = None) -> None:
        """Add `places` after a success; None is one for every round of as many as there are."""
        self._resize(self._size + (1 / self._size if places is None else places))

    def _resize(self, size: float) -> None:
        self._size = max(1.0, min(float(self._most), size))
        self._admit()

    def _admit(self) -> None:
        while self._waiting and self.held < self.limit:
            holder, turn = self._waiting.popleft()
            if not turn.done():
                self._held.add(holder)
                turn.set_result(None)

    def _dismiss(self) -> None:
        for _, turn in self._waiting:
            if not turn.done():
                turn.set_exception(Halted)
        self._waiting.clear()


class JobPlaces(Capacity):
    """Places for jobs at a provider that may have a limit of its own, which only its refusals tell.

    A refusal for too many jobs leaves as many places as the provider has accepted jobs, and after the first one more,
    as it may have been by chance. Refused again, the limit is taken for known: one place beyond is tried after every
    round of acceptances, more rarely while that is refused. Once it is accepted, each acceptance adds a place, as in
    TCP's slow start.
    """

    def __init__(self, most: int, halt: Halt | None = None) -> None:
        super().__init__(most, halt)
        self._known: int | None = None
        """How many jobs the provider runs at most, as far as its refusals tell."""
        self._refused = 0
        self._accepted = 0

    def crowded(self, wave: int, *, first: bool) -> None:
        """Keep only what the provider has accepted, after its refusal of a holder that has not left yet.

        `wave` counts those of refusals without an acceptance between them, from 1; `first` is said once in each.
        """
        if self._known is None and wave == 1:
            self._resize(min(self._size, self.held))
            return
        self._known = max(1, self.held - 1)
        self._refused += first
        self._accepted = 0
        self._resize(min(self._size, self._known))

    def grow(self, places: float | None = None) -> None:
        """Add places after a job was accepted: `places` or one, but beyond a known limit rarely."""
        if self._known is not None and self.held > self._known:
            self._known, self._refused = None, 0
        if self._known is None:
            super().grow(1 if places is None else places)
            return
        self._accepted += 1
        if self._accepted >= self._known * 2 ** min(self._refused - 1, _RAREST):
            self._accepted = 0
            self._resize(self._known + 1)


_RAREST = 2
"""Doublings of the acceptances after which a place beyond a known limit is tried."""


class Share(Capacity):
    """Three quarters of another capacity, at least one place; for what lasts long and must not take all."""

    def __init__(self, whole: Capacity) -> None:
        super().__init__(whole.limit)
        self._whole = whole

    @property
    def limit(self) -> int:
        """How many places there are at present, at least 1."""
        return max(1, self._whole.limit - max(1, self._whole.limit // 4))
