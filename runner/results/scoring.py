"""Score the files of runs: find what is missing in `scores.jsonl`, have it measured, and append it."""

from __future__ import annotations

import hashlib
import json
import os
import queue
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from runner.artifacts.result import Artifact, Result
from runner.config.problem import Problem
from runner.config.request import VideoRequest
from runner.config.run import RunConfig, video_seconds, video_size
from runner.metrics.catalog import is_own
from runner.metrics.measurer import SECONDS, Facts, Measurer
from runner.metrics.metric import Subject
from runner.metrics.scores import Score, append_scores, moment, read_scores
from runner.shell import command

from .loading import own_file
from .reading import Found
from .run_key import RelativePaths, media_of, run_key

Advance = Callable[[int, int], object]
"""Hears how many files are done, of how many."""

_MOST_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class _File:
    """Hold a file that is to be scored."""

    run: str
    name: str
    sha256: str
    subject: Subject
    siblings: tuple[str, ...]
    """The siblings' hashes."""


@dataclass(slots=True)
class Scored:
    """Describe what came of scoring.

    Attributes:
        files: how many files there are.
        computed: how many numbers were computed; `known`: were there before.
        problems: why others were not, as warnings.
        interrupted: whether it was ended before it was through.
        usable: whether each metric could be used at all.
    """

    files: int = 0
    computed: int = 0
    known: int = 0
    problems: list[Problem] = field(default_factory=list)
    interrupted: bool = False
    usable: bool = True


def score_runs(
    directory: Path,
    runs: Sequence[Found],
    names: Sequence[str],
    *,
    seconds: float = SECONDS,
    advance: Advance = lambda _done, _all: None,
) -> Scored:
    """Append to the directory's `scores.jsonl` what is missing of the metrics `names`.

    A file may take as many `seconds`. Ctrl-C ends it early; what was computed is kept. Raises `MeasuringError` where no
    child can be started, and `DiskError`.
    """
    scored = Scored()
    known = read_scores(directory)
    files = [*_files(directory, runs, scored, {(score.sha256, score.metric) for score in known}, names)]
    scored.files = len(files)
    # What one's own metrics take in memory and threads is unknown; the others take a core each.
    count = 1 if any(is_own(name) for name in names) else min(_MOST_AT_ONCE, os.cpu_count() or 1, max(1, len(files)))
    measurers = [Measurer(names, seconds) for _ in range(count)]
    failures = _Failures()
    try:
        facts, errors = measurers[0].facts()
        scored.usable = not errors
        for name, message in errors.items():
            scored.problems.append(Problem("metrics", f"{name} cannot be used: {message}", severity="warning"))
        missing = _Missing(known, facts)
        _append_known(directory, files, missing, scored)
        alike = missing.alike(files)
        done = len(files) - sum(map(len, alike))
        advance(done, len(files))
        for same, values, wrong in _measured(measurers, [(each, missing.of(each[0])) for each in alike]):
            done += len(same)
            scores = [missing.score(each, name, value) for each in same for name, value in values.items()]
            append_scores(directory, scores)
            scored.computed += len(scores)
            for name, message in wrong.items():
                failures.add(name, message, [each.subject.path for each in same])
            advance(done, len(files))
    except KeyboardInterrupt:
        scored.interrupted = True
    finally:
        for each in measurers:
            each.close()
    scored.problems += failures.problems()
    return scored


def score_after(directory: Path, runs: Sequence[Found], names: Sequence[str]) -> tuple[bool, list[Problem]]:
    """Score runs that have just ended; return whether each was measured, and what went wrong, as warnings."""
    again = command("score", directory, f"metrics=[{','.join(names)}]")
    try:
        scored = score_runs(directory, runs, names)
    except Exception as error:  # noqa: BLE001 - neither a full disk nor a bug here may fail what was paid
        message = f"metrics were not computed: {error}"
        return False, [Problem("", message, f"the runs are not affected; {again} tries again", "warning")]
    if scored.interrupted:
        return False, [Problem("", "computing metrics was interrupted", f"{again} goes on", "warning")]
    return scored.usable, scored.problems


def _measured(
    measurers: Sequence[Measurer], left: Sequence[tuple[list[_File], Sequence[str]]]
) -> Iterator[tuple[list[_File], Mapping[str, float | None], Mapping[str, str]]]:
    """Yield files of the same content with their values and what could not be computed, as they come."""
    free: queue.SimpleQueue[Measurer] = queue.SimpleQueue()
    for each in measurers:
        free.put(each)

    def measure(subject: Subject, names: Sequence[str]) -> tuple[Mapping[str, float | None], Mapping[str, str]]:
        measurer = free.get()
        try:
            return measurer.measure(subject, names)
        finally:
            free.put(measurer)

    pool = ThreadPoolExecutor(len(measurers), thread_name_prefix="runner-metrics")
    try:
        asked = {pool.submit(measure, files[0].subject, names): files for files, names in left}
        for answer in as_completed(asked):
            values, errors = answer.result()
            yield asked[answer], values, errors
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for each in measurers:
            each.close()
        pool.shutdown()


class _Missing:
    """Know what is missing of each file, and what is known already of the same content."""

    def __init__(self, scores: Sequence[Score], facts: Mapping[str, Facts]) -> None:
        self._facts = facts
        self._known = {score.cause: score.value for score in scores}
        self._own = {(score.work, score.file, score.cause) for score in scores}

    def of(self, file: _File) -> list[str]:
        """Return the metrics that have to be computed."""
        return [name for name in self._facts if self._score(file, name).cause not in self._known]

    def alike(self, files: Sequence[_File]) -> list[list[_File]]:
        """Return the files of which something is missing, those together whose numbers are the same."""
        found: dict[tuple[object, ...], list[_File]] = {}
        for file in files:
            if names := self.of(file):
                found.setdefault(tuple(self._score(file, name).cause for name in names), []).append(file)
        return [*found.values()]

    def copies(self, file: _File) -> list[Score]:
        """Return what another file of the same content was given and this one was not."""
        scores = [self._score(file, name) for name in self._facts]
        return [
            self.score(file, score.metric, self._known[score.cause])
            for score in scores
            if score.cause in self._known and (score.work, score.file, score.cause) not in self._own
        ]

    def known(self, file: _File) -> int:
        """Return how many of its numbers need not be computed."""
        return len(self._facts) - len(self.of(file))

    def score(self, file: _File, name: str, value: float | None) -> Score:
        """Return the score of a value that is known now."""
        return self._score(file, name, value, moment())

    def _score(self, file: _File, name: str, value: float | None = None, at: str = "") -> Score:
        facts = self._facts[name]
        return Score(file.run, file.name, file.sha256, name, facts.version, value, _context(file, facts), at)


def _append_known(directory: Path, files: Sequence[_File], missing: _Missing, scored: Scored) -> None:
    copies = [score for file in files for score in missing.copies(file)]
    append_scores(directory, copies)
    scored.known += sum(missing.known(file) for file in files)


def _context(file: _File, facts: Facts) -> str:
    """Return a mark of all that the metric depends on beside the file; paths count as what they hold."""
    if not facts.depends_on:
        return ""
    held: list[object] = []
    for name in facts.depends_on:
        value = getattr(file.subject, name)
        if name == "siblings":
            value = sorted(file.siblings)
        elif isinstance(value, Path):
            value = _digest(value)
        held.append([name, value])
    return hashlib.sha256(json.dumps(held).encode()).hexdigest()[:16]


@lru_cache(1024)
def _digest(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


class _Failures:
    """Collect what could not be computed, to say each reason once."""

    def __init__(self) -> None:
        self._first: dict[tuple[str, str], Path] = {}
        self._counts: Counter[tuple[str, str]] = Counter()

    def add(self, name: str, message: str, paths: Sequence[Path]) -> None:
        """Take a metric's failure on files."""
        self._first.setdefault((name, message), paths[0])
        self._counts[name, message] += len(paths)

    def problems(self) -> Iterator[Problem]:
        """Yield a warning for each metric and reason."""
        for (name, message), count in self._counts.items():
            first = self._first[name, message]
            where = f"{first}" if count == 1 else f"{count:,} files, as {first}"
            yield Problem("metrics", f"{name} could not be computed of {where}: {message}", severity="warning")


def _files(
    directory: Path, runs: Sequence[Found], scored: Scored, known: Collection[tuple[str, str]], metrics: Sequence[str]
) -> Iterator[_File]:
    """Yield the files to score, in the runs' order; one that is gone is a problem unless all its `metrics` are known.

    `known` are pairs of a file's sum and a metric. Once a file was measured, it may be removed where it was uploaded.
    """
    names = RelativePaths(directory)
    together: dict[str, list[tuple[Path, str]]] = {}
    found: list[tuple[str, Path, Result, Artifact, Path, str]] = []
    for where, result in runs:
        work = repr((dict(result.config.request), result.config.model.name))  # replicas of one request share it
        for artifact in media_of(result):
            path = own_file(where, artifact)
            if path is None and all((artifact.sha256, name) in known for name in metrics):
                continue
            if path is None:
                message = f"{where / artifact.path} is not there, and was not scored"
                scored.problems.append(Problem("metrics", message, severity="warning"))
                continue
            together.setdefault(work, []).append((path, artifact.sha256))
            found.append((work, where, result, artifact, path, run_key(names.name(where), result)))
    for work, where, result, artifact, path, key in found:
        others = [(each, sha256) for each, sha256 in together[work] if each != path]
        subject = _subject(result.config.choice(result.choice), where, artifact, path, [each for each, _ in others])
        yield _File(key, artifact.path, artifact.sha256, subject, tuple(sha256 for _, sha256 in others))


def _subject(config: RunConfig, where: Path, artifact: Artifact, path: Path, siblings: Sequence[Path]) -> Subject:
    request = config.request
    size = video_size(config)
    width, _, height = (size or "").partition("x")
    return Subject(
        path=path,
        media_type=artifact.media_type,
        prompt=request.prompt,
        width=int(width) if height else None,
        height=int(height) if height else None,
        seconds=video_seconds(config),
        fps=request.fps if isinstance(request, VideoRequest) else None,
        first_frame=_first_frame(request, where) if isinstance(request, VideoRequest) else None,
        siblings=tuple(siblings),
    )


def _first_frame(request: VideoRequest, where: Path) -> Path | None:
    """Return the image that the video was to begin with, as it was sent; None where there is none, or it is gone."""
    for number, (image, role) in enumerate(zip(request.images, request.image_roles, strict=True)):
        if role == "first_frame" and request.video is None:
            sent = next((each for each in where.glob(f"input-{number}.*") if each.suffix != ".part"), None)
            given = Path(image) if sent is None and os.path.isabs(image) else sent  # noqa: PTH117 - may be an address
            return given if given is not None and given.is_file() else None
    return None
