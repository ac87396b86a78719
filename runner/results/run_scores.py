"""Find what runs' files were given by metrics."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from runner.artifacts.picture import NAME as POSTER
from runner.artifacts.result import Artifact, Result
from runner.ledger.discover import has_ledger
from runner.metrics.scores import ScoreTable, read_scores

from .run_key import work_mark


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
