"""Read what a host's answer tells beside its job: what the work has cost, and addresses that open without a key."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from typing import Any

from .allowance import number

_MOST_USD = 100_000.0
"""Beyond what any single request costs: a larger number is in another unit."""


def told_cost(raw: Any, place: Sequence[str]) -> float | None:  # Any: JSON
    """Return the US dollars that an answer says at `place` its work has cost; None where it tells none.

    Where the account pays the maker with a key of its own (`is_byok`), the host's part is not the whole cost.
    """
    *way, last = place or ("",)
    for key in way:
        raw = raw.get(key) if isinstance(raw, dict) else None
    if not isinstance(raw, dict) or raw.get("is_byok") is True:
        return None
    told = number(raw.get(last))
    return told if told is not None and 0 <= told <= _MOST_USD else None


def without(raw: Any, keys: Container[str]) -> Any:  # Any: JSON
    """Return the same JSON without these keys, at any depth."""
    if isinstance(raw, dict):
        return {key: without(value, keys) for key, value in raw.items() if key not in keys}
    return [without(each, keys) for each in raw] if isinstance(raw, list) else raw


def texts_below(raw: Any, keys: Container[str], *, within: bool = False) -> Iterator[str]:  # Any: JSON
    """Yield the texts that stand below these keys, at any depth."""
    if isinstance(raw, dict):
        for key, value in raw.items():
            yield from texts_below(value, keys, within=within or key in keys)
    elif isinstance(raw, list):
        for each in raw:
            yield from texts_below(each, keys, within=within)
    elif within and isinstance(raw, str):
        yield raw
