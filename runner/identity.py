"""What was found out about an object, for as long as the same object comes again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

V = TypeVar("V")

LIMIT = 128
"""Enough for the sections that the configs of a sweep share, and the last few of single configs."""


class ByIdentity(Generic[V]):
    """Values by object and key, of the last `limit` that were asked for; the objects must not change.

    Looking at an object again, however large, costs no more than finding out that it is the same one.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        # With the object itself, whose id could otherwise be given to another.
        self._found: OrderedDict[tuple[int, Hashable], tuple[object, V]] = OrderedDict()

    def get(self, thing: object, key: Hashable = None) -> V | None:
        """What was kept for this very object under `key`."""
        place = (id(thing), key)
        found = self._found.get(place)
        if found is None:
            return None
        self._found.move_to_end(place)
        return found[1]

    def keep(self, thing: object, value: V, key: Hashable = None) -> V:
        """Keep `value`, and return it."""
        self._found[id(thing), key] = (thing, value)
        if len(self._found) > self._limit:
            self._found.popitem(last=False)
        return value

    def forget(self) -> None:
        """Keep nothing."""
        self._found.clear()
