"""How long jobs take, learned from those that have ended."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Hashable

_KEPT = 32
"""Jobs of one kind that are remembered: what a server needed an hour ago tells little."""

_KNOWN = 8
"""Jobs that must have ended before anything is concluded."""

_SOONER = 10
"""One in so many jobs ends sooner than is foretold."""


class Durations:
    """The seconds that an endpoint's latest jobs took, by their kind: whatever they have in common."""

    def __init__(self) -> None:
        self._seconds: defaultdict[Hashable, deque[float]] = defaultdict(lambda: deque(maxlen=_KEPT))
        self._early: dict[Hashable, float] = {}

    def learn(self, kind: Hashable, seconds: float) -> None:
        """Take in how long a job took."""
        known = self._seconds[kind]
        known.append(seconds)
        if len(known) >= _KNOWN:
            self._early[kind] = sorted(known)[len(known) // _SOONER]

    def early(self, kind: Hashable) -> float | None:
        """Seconds before which few such jobs end; None as long as too few are known."""
        return self._early.get(kind)
