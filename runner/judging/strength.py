"""Fit how strong the things are that were compared in pairs: Bradley–Terry strengths with intervals by bootstrap."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

ASSUMED = 0.5
"""Wins each way that every two are assumed to have had, as one tie: then all are connected and no strength infinite."""

SAMPLES = 1000
_LEVEL = 95
"""Percent of the samples that the interval holds."""

_MOST_STEPS = 50
_LONGEST_STEP = 2.0
_TOLERANCE = 1e-9

Game = tuple[int, int, float]
"""Two places in a list, and what the first had of it: 1 for a win, 0 for a loss, 0.5 for a tie."""


@dataclass(frozen=True, slots=True)
class Strength:
    """Hold a strength as log odds: two that differ by d win against each other with the probability 1 / (1 + exp(-d)).

    The strengths of all have the mean 0. `low` and `high` bound what 95 % of the samples give.
    """

    value: float
    low: float
    high: float


def can_fit() -> bool:
    """Return whether what the fit needs is installed: the extra `rank`."""
    return find_spec("choix") is not None


def strengths(count: int, games: Sequence[Game], *, seed: int = 0, samples: int = SAMPLES) -> list[Strength]:
    """Return the strength of each of `count` things by their games; raises `ImportError` without the extra `rank`.

    The same games and the same seed give the same intervals.
    """
    import choix
    import numpy as np

    if count == 0:
        return []
    kinds = sorted(Counter(games).items())
    assumed = ASSUMED * (1 - np.eye(count))
    found = choix.ilsr_pairwise_dense(_wins(count, games) + assumed, max_iter=10_000)
    found -= found.mean()
    if not kinds:
        return [Strength(float(value), float(value), float(value)) for value in found]
    each = np.array([_wins(count, [game]) for game, _ in kinds])
    shares = np.array([number for _, number in kinds]) / len(games)
    drawn = np.random.default_rng(seed).multinomial(len(games), shares, size=samples)
    fitted = _fit(np.tensordot(drawn.astype(float), each, axes=1) + assumed, found)
    low, high = np.percentile(fitted, [(100 - _LEVEL) / 2, (100 + _LEVEL) / 2], axis=0)
    return [Strength(*map(float, values)) for values in zip(found, low, high, strict=True)]


def _wins(count: int, games: Iterable[Game]) -> Array:
    """Return how often the one of the row has won against the one of the column; a tie is half a win of both."""
    import numpy as np

    wins = np.zeros((count, count))
    for one, other, share in games:
        wins[one, other] += share
        wins[other, one] += 1 - share
    return wins


def _fit(wins: Array, start: Array) -> Array:
    """Return the likeliest strengths (samples × things) by `wins` (samples × things × things), by Newton's method.

    All samples are fitted at once: one after the other takes a hundred times as long.
    """
    import numpy as np

    count = wins.shape[1]
    games, total = wins + wins.swapaxes(1, 2), wins.sum(axis=2)
    found = np.tile(start, (len(wins), 1))
    for _ in range(_MOST_STEPS):
        chance = 1 / (1 + np.exp(found[:, None, :] - found[:, :, None]))
        slope = total - (games * chance).sum(axis=2)
        bend = games * chance * (1 - chance)
        # Strengths are known but for a constant; the added one keeps their sum.
        curve = np.eye(count) * bend.sum(axis=2)[:, :, None] - bend + 1 / count
        step = np.linalg.solve(curve, slope[:, :, None])[:, :, 0]
        found += np.clip(step, -_LONGEST_STEP, _LONGEST_STEP)
        if np.abs(step).max() < _TOLERANCE:
            break
    return np.asarray(found - found.mean(axis=1, keepdims=True))


def connected(count: int, games: Iterable[Game]) -> list[list[int]]:
    """Return the groups within which all were compared, directly or by way of others; one where all hang together."""
    group = [*range(count)]
    for one, other, _ in games:
        old, new = group[one], group[other]
        group = [new if each == old else each for each in group]
    return [[place for place, each in enumerate(group) if each == name] for name in dict.fromkeys(group)]
