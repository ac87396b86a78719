"""`results.csv`, `results.jsonl`, `results.parquet`: one row a run, what varies between the runs first."""

from __future__ import annotations

import csv
import io
import json
import os
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path

from runner.artifacts.atomic import write_text
from runner.artifacts.result import Result
from runner.display import print_problems
from runner.sweep.varying import varying

from .parquet import write_parquet

CSV = "results.csv"
JSONL = "results.jsonl"

_FORMULA = frozenset("=+-@\uff1d\uff0b\uff0d\uff20")
"""What a spreadsheet takes for the beginning of a formula, some in its wide form, too; prompts come from strangers."""

_PASSED_OVER = ("C", "Z")
"""Unicode's categories of what a spreadsheet may leave out before it looks: control characters, marks and spaces."""

Row = dict[str, object]


def write_results(directory: Path, runs: Sequence[tuple[Path, Result]]) -> None:
    """Write the files for runs with their directories, each in one step; raises `DiskError`."""
    rows = result_rows(directory, runs)
    write_text(directory / CSV, _csv(rows))
    write_text(directory / JSONL, "".join(json.dumps(row, ensure_ascii=False, default=str) + "\n" for row in rows))
    if problem := write_parquet(directory, rows):
        print_problems([problem])


def result_rows(directory: Path, runs: Sequence[tuple[Path, Result]]) -> list[Row]:
    """The rows, their artifacts' paths relative to `directory`."""
    results = [result for _, result in runs]
    differing = varying([result.overrides for result in results], [result.config for result in results])
    return [
        dict(zip(differing.keys, values, strict=True)) | _facts(result, os.path.relpath(where, directory))
        for values, (where, result) in zip(differing.rows, runs, strict=True)
    ]


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
    times = result.timestamps
    begin, end = times.get("submitting"), max(times.values(), default=None)
    return {
        "submitting_at": begin.isoformat() if begin else None,
        "ended_at": end.isoformat() if begin and end else None,
        "seconds": round((end - begin).total_seconds(), 3) if begin and end else None,
    }


def _artifact(result: Result, where: str) -> Row:
    """The first artifact, and how many there are."""
    first = result.artifacts[0] if result.artifacts else None
    names = ("bytes", "sha256", "media_type", "width", "height", "duration_seconds", "fps", "revised_prompt")
    facts: Mapping[str, object] = first.model_dump(include={*names}) if first else {}
    path = f"{where}/{first.path}" if first else None
    return {
        "artifacts": len(result.artifacts),
        "artifact": path,
        **{f"artifact_{name}": facts.get(name) for name in names},
    }


def _csv(rows: Sequence[Row]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(
        text, list(rows[0]) if rows else ["run"]
    )  # \r\n, or a bare \r in a prompt would end its row
    writer.writeheader()
    writer.writerows({key: _cell(value) for key, value in row.items()} for row in rows)
    return text.getvalue()


def _cell(value: object) -> object:
    if value is None or isinstance(value, int | float):
        return value
    text = str(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return f"'{text}" if text[:1] in ("\t", "\r") or _first_seen(text) in _FORMULA else text


def _first_seen(text: str) -> str:
    return next((letter for letter in text if not unicodedata.category(letter).startswith(_PASSED_OVER)), "")
