"""`results.csv`, `results.jsonl`, `results.parquet`: one row a run, what varies between the runs first."""

from __future__ import annotations

import csv
import io
import json
import os
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from runner.artifacts.atomic import write_pieces
from runner.artifacts.result import Result
from runner.config import Problem
from runner.config.varying import varying

from .finite import finite
from .parquet import write_parquet

CSV = "results.csv"
JSONL = "results.jsonl"

_FORMULA = frozenset("=+-@\uff1d\uff0b\uff0d\uff20")
"""What a spreadsheet takes for the beginning of a formula, some in its wide form, too; prompts come from strangers."""

_PASSED_OVER = ("C", "Z")
"""Unicode's categories of what a spreadsheet may leave out before it looks: control characters, marks and spaces."""

Row = dict[str, object]


def write_results(directory: Path, runs: Sequence[tuple[Path, Result]]) -> list[Problem]:
    """Write the files for runs with their directories, each in one step; what one could not be made of is returned.

    Raises `DiskError`.
    """
    rows = _Rows(directory, runs)
    write_pieces(directory / CSV, _csv(rows))
    write_pieces(directory / JSONL, (f"{_json(row)}\n".encode() for row in rows))
    problem = write_parquet(directory, rows)
    return [] if problem is None else [problem]


def result_rows(directory: Path, runs: Sequence[tuple[Path, Result]]) -> list[Row]:
    """Return the rows, their artifacts' paths relative to `directory`."""
    return [*_Rows(directory, runs)]


class _Rows:
    """Rows that are made when they are asked for: those of ten thousand runs take as much memory as the runs."""

    def __init__(self, directory: Path, runs: Sequence[tuple[Path, Result]]) -> None:
        self._directory = directory
        self._runs = runs
        results = [result for _, result in runs]
        self._differing = varying([result.overrides for result in results], [result.config for result in results])

    def __iter__(self) -> Iterator[Row]:
        for values, (where, result) in zip(self._differing.rows, self._runs, strict=True):
            facts = _facts(result, os.path.relpath(where, self._directory))
            # Of two deployments of one model, only what was swept tells which.
            names = [f"swept.{key}" if key in facts else key for key in self._differing.keys]
            yield dict(zip(names, values, strict=True)) | facts


def _facts(result: Result, where: str) -> Row:
    cost = result.cost
    return {
        "run": result.index,
        "status": result.status.value,
        "provider": result.provider,
        "model": result.model,
        "estimated_usd": cost.estimated_usd,
        "actual_usd": cost.actual_usd,
        **_times(result),
        "polls": result.polls,
        "attempts": len(result.attempts),
        "job_id": result.job_id,
        **_artifact(result, where),
        "error_type": result.error.type if result.error else None,
        "error_code": result.error.code if result.error else None,
        "error": result.error.message if result.error else None,
        "directory": where,
    }


def _times(result: Result) -> Row:
    begin, end = result.span
    return {
        "submitting_at": begin.isoformat() if begin else None,
        "ended_at": end.isoformat() if begin and end else None,
        "seconds": result.latency_seconds,
    }


def _artifact(result: Result, where: str) -> Row:
    """Return the first artifact, and how many there are."""
    first = result.artifacts[0] if result.artifacts else None
    names = ("bytes", "sha256", "media_type", "width", "height", "duration_seconds", "fps", "revised_prompt")
    facts: Mapping[str, object] = first.model_dump(include={*names}) if first else {}
    path = f"{where}/{first.path}" if first else None
    return {
        "artifacts": len(result.artifacts),
        "artifact": path,
        **{f"artifact_{name}": facts.get(name) for name in names},
    }


def _json(row: Row) -> str:
    return json.dumps(finite(row), ensure_ascii=False, default=str, allow_nan=False)


def _csv(rows: Iterable[Row]) -> Iterator[bytes]:
    text = io.StringIO()
    writer = csv.writer(text)  # \r\n, or a bare \r in a prompt would end its row
    for number, row in enumerate(rows):
        if number == 0:
            writer.writerow(row)
        writer.writerow(_cell(value) for value in row.values())
        yield text.getvalue().encode()
        text.seek(0)
        text.truncate()


def _cell(value: object) -> object:
    if value is None or isinstance(value, int | float):
        return value
    text = str(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return f"'{text}" if text[:1] in ("\t", "\r") or _first_seen(text) in _FORMULA else text


def _first_seen(text: str) -> str:
    return next((letter for letter in text if not unicodedata.category(letter).startswith(_PASSED_OVER)), "")
