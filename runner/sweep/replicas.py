"""`number_of_videos` in a sweep: so many runs instead of one, told apart by their replica."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from runner.compose.job import Job
from runner.config import RunConfig, VideoRequest

_KEYS = ("request.number_of_videos", "replica")

Batch = list[list[str]]


def replicated(batches: Sequence[Batch], jobs: Sequence[Job], size: int | None) -> list[Batch] | None:
    """The batches with each run as often as it asks for, `size` runs to a batch; None where each asks for one.

    One run stays one job in one directory, which can be resumed, repeated and priced alone.
    """
    asked = {job.num: job.config for job in jobs if number_of_videos(job.config) > 1}
    if not asked:
        return None
    runs = []
    for num, overrides in enumerate(overrides for batch in batches for overrides in batch):
        config = asked.get(num)
        runs += [list(overrides)] if config is None else _copies(overrides, config)
    rest = iter(runs)
    return [[*islice(rest, size)] for _ in range(-(-len(runs) // size))] if size else [runs]


def number_of_videos(config: RunConfig) -> int:
    """How many videos a run asks for; 1 for images."""
    return config.request.number_of_videos if isinstance(config.request, VideoRequest) else 1


def _copies(overrides: Sequence[str], config: RunConfig) -> Batch:
    kept = [line for line in overrides if line.lstrip("+").partition("=")[0] not in _KEYS]
    number = number_of_videos(config)
    first = config.replica * number
    return [[*kept, f"++{_KEYS[0]}=1", f"++{_KEYS[1]}={first + n}"] for n in range(number)]
