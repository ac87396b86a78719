"""Read what a host's answer tells beside its job: its cost, what a filter took, and addresses that need no key."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from runner.config.dialect import Dialect

from .allowance import number
from .base import Job, JobStatus

_MOST_USD = 100_000.0
"""Beyond what any single request costs: a larger number is in another unit."""


def as_told(job: Job, dialect: Dialect, headers: Mapping[str, str]) -> Job:
    """Return the job with what its host tells of it, its signed addresses apart from what is written down.

    A cost of nothing is none yet while the job has not ended.
    """
    signed = tuple(filter(None, texts_below(job.raw, dialect.signed)))
    header = dialect.cost_header
    # In a header, nothing is what a question costs, also that about a finished job.
    cost = told_cost(job.raw, dialect.cost, dialect.cost_units) if header is None else usd(headers.get(header)) or None
    job = replace(
        job, usd=cost if job.status.terminal else cost or None, signed=signed, raw=without(job.raw, dialect.signed)
    )
    video = job.raw.get("video")
    if isinstance(video, dict) and video.get("respect_moderation") is False and not signed:
        said = "the video was made, and moderation keeps it back"
        return replace(job, status=JobStatus.FAILED, error_code="content_filter", error_message=said)
    return job


def told_cost(raw: Any, place: Sequence[str], units: float = 1) -> float | None:  # Any: JSON
    """Return the US dollars, each of so many `units`, that an answer says at `place` its work has cost; None for none.

    Where the account pays the maker with a key of its own (`is_byok`), the host's part is not the whole cost.
    """
    *way, last = place or ("",)
    for key in way:
        raw = raw.get(key) if isinstance(raw, dict) else None
    if not isinstance(raw, dict) or raw.get("is_byok") is True:
        return None
    return usd(raw.get(last), units)


def usd(told: object, units: float = 1) -> float | None:
    """Return the US dollars, each of so many `units`, that a server's word means; None if it can mean none."""
    amount = number(told)
    return amount / units if amount is not None and 0 <= amount <= _MOST_USD * units else None


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
