"""Tell runs apart by a key that is the same wherever they are shown, and find what people and metrics say of them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self

from runner.artifacts.picture import NAME as POSTER
from runner.artifacts.result import Artifact, Result
from runner.judging.judgements import FileJudgement, Judgements
from runner.judging.ratings_file import NAME, ReadRatings, read_ratings
from runner.ledger.discover import has_ledger
from runner.metrics.scores import ScoreTable, read_scores

if TYPE_CHECKING:
    from .reading import RunGroup


def run_key(name: str, result: Result) -> str:
    """Return what tells a run from others: the same on every page, but new where its directory was used again.

    `name` is what its directory is called from its sweep's, by `RelativePaths.name`.
    """
    return f"{name}/{work_mark(result)}"


def work_mark(result: Result) -> str:
    """Return the key's last part, which tells what was asked for: request, model and replica."""
    work = repr((dict(result.config.request), result.config.model.name, result.config.replica))
    return hashlib.sha256(work.encode("utf-8", "replace")).hexdigest()[:8]


class RelativePaths:
    """Return paths relative to a directory."""

    def __init__(self, directory: Path) -> None:
        self._here = os.getcwd()  # noqa: PTH109 - all of it is done for each of thousands of runs, and pathlib is slow
        self._directory = os.path.abspath(directory)  # noqa: PTH100
        self._inside = os.path.join(self._directory, "")  # noqa: PTH118

    def name(self, path: Path) -> str:
        """Return what a run in `path` is called from its sweep's directory, as in 09-30-00-x7k2/12.

        From its own or a strange one, by the last two parts of its path, as in 2026-11-23/09-30-00-x7k2.
        """
        place = os.path.abspath(path)  # noqa: PTH100
        if place.startswith(self._inside):
            below = place[len(self._inside) :].replace(os.sep, "/")
            return f"{os.path.basename(self._directory)}/{below}"  # noqa: PTH119
        return "/".join(place.split(os.sep)[-2:])  # noqa: PTH206

    def relative(self, path: Path) -> str:
        """Return the path from here; the whole one where there is no other, as between drives."""
        whole = os.path.join(self._here, path)  # noqa: PTH118
        if whole.startswith(self._inside) and ".." not in whole:
            return whole[len(self._inside) :] or "."
        try:
            return os.path.relpath(whole, self._directory)
        except ValueError:
            return whole


def scores_of(directory: Path, others: Iterable[Path]) -> ScoreTable:
    """Return what the files of the runs in a sweep's directory were given, by its `scores.jsonl`.

    Runs that have no ledger together, as under another launcher, may have theirs in `others`.
    """
    places = [directory, *(() if has_ledger(directory) else others)]
    return ScoreTable(score for place in dict.fromkeys(places) for score in read_scores(place))


def file_scores(scores: ScoreTable, result: Result, artifact: Artifact) -> Mapping[str, float | None]:
    """Return the values of one of a run's files by metric."""
    return scores.of(work_mark(result), artifact.path, artifact.sha256) if scores else {}


def main_scores(scores: ScoreTable, result: Result) -> Mapping[str, float | None]:
    """Return the values of the run's first file by metric."""
    files = media_of(result)
    return file_scores(scores, result, files[0]) if files else {}


def media_of(result: Result) -> list[Artifact]:
    """Return the files that a run was for: its video, or its images; no thumbnails or sprite sheets."""
    kind = result.config.request.kind
    return [each for each in result.artifacts if each.path != POSTER and each.media_type.startswith(f"{kind}/")]


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
