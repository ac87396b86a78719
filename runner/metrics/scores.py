"""Keep scores in `scores.jsonl` of a sweep's directory, one a line, appended and never rewritten."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.artifacts.json_lines import JSONLinesReader, append_lines

NAME = "scores.jsonl"

VERSION = 1
"""Of the lines' form."""


@dataclass(frozen=True, slots=True)
class Score:
    """Hold one number of one file.

    Attributes:
        run: the run's key, as on its page.
        file: its name in the run's directory.
        sha256: of the file that was measured.
        metric: the metric's name.
        metric_version: of what was computed.
        context: a mark of what else the number depends on, empty if nothing.
        value: None where the file has no such number.
        at: when it was computed, in UTC, as ISO 8601.
    """

    run: str
    file: str
    sha256: str
    metric: str
    metric_version: int | str
    value: float | None
    context: str = ""
    at: str = ""

    @property
    def work(self) -> str:
        """Return what of the run's key stays the same when its directory gets another name."""
        return self.run.rpartition("/")[2]

    @property
    def cause(self) -> tuple[str, str, int | str, str]:
        """Return all that the value follows from."""
        return self.sha256, self.metric, self.metric_version, self.context

    @property
    def plain(self) -> dict[str, Any]:  # Any: JSON
        """Return the score as its line has it."""
        context = {"context": self.context} if self.context else {}
        return {
            "version": VERSION,
            "run": self.run,
            "file": self.file,
            "sha256": self.sha256,
            "metric": self.metric,
            "metric_version": self.metric_version,
            **context,
            "value": self.value,
            "at": self.at,
        }


def append_scores(directory: Path, scores: Iterable[Score]) -> None:
    """Append scores, and return when they are on the disk; raises `DiskError`."""
    append_lines(directory / NAME, [score.plain for score in scores])


def read_scores(directory: Path) -> list[Score]:
    """Return the directory's scores, the oldest first; lines that are none are left out.

    A file that cannot be read has none: what is missing is computed again.
    """
    try:
        found = JSONLinesReader(directory / NAME).read()
    except OSError:
        return []
    return [score for each in found if (score := _score(each)) is not None]


def _score(plain: Mapping[str, Any]) -> Score | None:  # Any: JSON that may come from anyone
    texts = [plain.get(name) for name in ("run", "file", "sha256", "metric")]
    version, value, context = plain.get("metric_version"), plain.get("value"), plain.get("context", "")
    if plain.get("version") != VERSION or not all(isinstance(text, str) for text in (*texts, context)):
        return None
    if not isinstance(version, int | str) or not (value is None or _is_number(value)) or "value" not in plain:
        return None
    at = plain.get("at")
    run, file, sha256, metric = map(str, texts)
    number = None if value is None else float(value)
    return Score(run, file, sha256, metric, version, number, context, at if isinstance(at, str) else "")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


class ScoreTable:
    """Find what the files of runs were given; of several values of one metric, the latest counts."""

    def __init__(self, scores: Iterable[Score]) -> None:
        """Take scores, the oldest first."""
        self._found: dict[tuple[str, str, str], dict[str, float | None]] = {}
        for score in scores:
            self._found.setdefault((score.work, score.file, score.sha256), {})[score.metric] = score.value

    def __bool__(self) -> bool:
        return bool(self._found)

    def of(self, work: str, file: str, sha256: str) -> Mapping[str, float | None]:
        """Return a file's values by metric; `work` is the last part of its run's key."""
        return self._found.get((work, file, sha256), {})

    def metrics(self) -> Iterator[str]:
        """Yield the metrics that there are, each once, in the order in which they came."""
        yield from dict.fromkeys(name for values in self._found.values() for name in values)


NO_SCORES = ScoreTable([])


def moment() -> str:
    """Return the time, in UTC, to the millisecond."""
    return dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
