"""Find what people think of runs: where it lies, what of it counts, and what is told of each run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from runner.artifacts.picture import NAME as POSTER
from runner.artifacts.result import Result
from runner.judging.ratings_file import ReadRatings, read_ratings

from .reading import RunGroup


def homes_of(groups: Sequence[RunGroup]) -> dict[str, list[Path]]:
    """Return, by each run's key, the directories that new records about it are written to."""
    homes: dict[str, list[Path]] = {}
    for group in groups:
        for key, (where, _) in zip(group.run_keys(), group.runs, strict=True):
            homes.setdefault(key, []).append(group.resumed_by(where))
    return homes


def places_of(groups: Sequence[RunGroup]) -> dict[Path, list[str]]:
    """Return where judgements of the runs may lie, each with the keys of the runs that they may be about."""
    places: dict[Path, list[str]] = {}
    for group in groups:
        for place, keys in group.judged_in().items():
            places.setdefault(place, []).extend(keys)
    return places


def ratings_of(groups: Sequence[RunGroup]) -> ReadRatings:
    """Return the records that lie with the runs."""
    return read_ratings(places_of(groups))


def file_names(result: Result) -> tuple[str, ...]:
    """Return the names of the files that a run was for, its video or its images, the main one first."""
    kind = f"{result.config.request.kind}/"
    return tuple(each.path for each in result.artifacts if each.path != POSTER and each.media_type.startswith(kind))
