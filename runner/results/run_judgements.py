"""Find what people think of runs: where it lies, what of it counts, and what is told of each run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self

from runner.artifacts.result import Result
from runner.judging.judgements import FileJudgement, Judgements
from runner.judging.ratings_file import NAME, ReadRatings, read_ratings
from runner.ledger.discover import has_ledger

from .run_key import RelativePaths, run_key
from .run_scores import media_of

if TYPE_CHECKING:
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
    return tuple(each.path for each in media_of(result))


class RunJudgements:
    """Hold what is thought of runs, by their directories."""

    def __init__(self, keys: Mapping[Path, str], judgements: Judgements) -> None:
        """Take the runs' keys, by which records name them."""
        self._keys = keys
        self._judgements = judgements

    @classmethod
    def below(cls, directory: Path, runs: Sequence[tuple[Path, Result]]) -> Self:
        """Read what lies in a sweep's directory about its runs, which come with theirs."""
        # Runs that have no ledger together may have been looked at by themselves.
        others = () if has_ledger(directory) else (where for where, _ in runs)
        places = [place for place in (directory, *others) if (place / NAME).is_file()]
        paths = RelativePaths(directory)
        keys = {where: run_key(paths.name(where), result) for where, result in runs if places}
        return cls(keys, Judgements(read_ratings(dict.fromkeys(places, keys.values())).records))

    @classmethod
    def of_group(cls, group: RunGroup) -> Self:
        """Read what lies with runs that are shown together."""
        if not any((place / NAME).is_file() for place in group.judged_places()):
            return cls({}, Judgements(()))
        keys = zip((where for where, _ in group.runs), group.run_keys(), strict=True)
        return cls(dict(keys), Judgements(ratings_of([group]).records))

    def __bool__(self) -> bool:
        """Return whether any file of any run was rated."""
        return bool(self._judgements.ratings)

    def of(self, where: Path, result: Result) -> Mapping[str, FileJudgement]:
        """Return what is thought of a run's files, by their names."""
        names = file_names(result)
        if where not in self._keys:
            return {name: FileJudgement({}) for name in names}
        return dict(zip(names, self._judgements.of_run(self._keys[where], names), strict=True))

    def columns(self, where: Path, result: Result) -> dict[str, float | int | bool | None]:
        """Return what tables tell of a run: of all its files together."""
        judged = self.of(where, result).values()
        numbers = [number for each in judged for number in each.numbers]
        return {
            "rating_mean": round(sum(numbers) / len(numbers), 4) if numbers else None,
            "ratings": len(numbers),
            "star": any(each.starred for each in judged),
            "kept": any(each.kept for each in judged),
        }
