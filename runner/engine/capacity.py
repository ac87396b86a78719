"""How many may be at a provider at once: halved when it refuses, growing again while it accepts."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Hashable, Iterator
from contextlib import asynccontextmanager, contextmanager

from .halt import Halt, Halted


class Capacity:
    """Places, `most` of them at first, which are given in the order they were asked for.

    Additive increase, multiplicative decrease, as in TCP: the limit settles just below what the provider allows,
    whoever else uses it, and finds out when that grows.
    """

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

    def shrink(self) -> None:
        """Halve what is really held, after a refusal."""
        self._size = max(1.0, min(self._size, self.held) / 2)

    def grow(self) -> None:
        """Creep up, after a success: by one place for every round of as many as there are."""
        self._size = min(float(self._most), self._size + 1 / self._size)
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


class Share(Capacity):
    """Three quarters of another capacity, at least one place; for what lasts long and must not take all."""

    def __init__(self, whole: Capacity) -> None:
        super().__init__(whole.limit)
        self._whole = whole

    @property
    def limit(self) -> int:
        """How many places there are at present, at least 1."""
        return max(1, self._whole.limit - max(1, self._whole.limit // 4))
