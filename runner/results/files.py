"""Write `results.csv`, `results.jsonl` and `results.parquet`: one row a run, what varies between the runs first."""

from __future__ import annotations

import csv
import io
import itertools
import json
import math
import os
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from runner.artifacts.atomic import discard, write_bytes, write_pieces
from runner.artifacts.result import Result
from runner.config.problem import Problem
from runner.config.run import METRIC

from .run_key import RunJudgements, main_scores, scores_of
from .state import state_of
from .varying import varying


def finite(value: Any) -> Any:  # Any: JSON in, the same JSON out
    """Return the same JSON with null for what is no JSON number: NaN and the infinities."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: finite(child) for key, child in value.items()}
    return [finite(child) for child in value] if isinstance(value, list | tuple) else value


PARQUET = "results.parquet"

_TYPES: Mapping[str, str] = {
    **dict.fromkeys(("run", "polls", "attempts", "artifacts"), "int64"),
    **dict.fromkeys(("artifact_bytes", "artifact_width", "artifact_height"), "int64"),
    **dict.fromkeys(("estimated_usd", "actual_usd", "seconds"), "float64"),
    **dict.fromkeys(("artifact_duration_seconds", "artifact_fps"), "float64"),
    **dict.fromkeys(("submitting_at", "ended_at"), "time"),
    "ratings": "int64",
    "rating_mean": "float64",
}
"""Those of the columns that every sweep has, so that two sweeps' files can be put together."""

_INT64 = 2**63


def write_parquet(directory: Path, rows: Iterable[Mapping[str, object]]) -> Problem | None:
    """Write the rows, which have the same keys, in one step, or say why not; no older file is left in any case.

    `rows` are gone through twice, a thousand at a time.
    """
    path = directory / PARQUET
    if find_spec("pyarrow") is None:
        discard(path)
        return None
    try:
        content = _encoded(rows)
        if content is None:
            discard(path)
        else:
            write_bytes(path, content, durable=False)
    except Exception as error:  # noqa: BLE001 - whatever pyarrow raises; the same stands in two other files
        discard(path)
        message = f"{PARQUET} could not be written: {next(iter(str(error).splitlines()), type(error).__name__)}"
        return Problem("", message, "results.csv and results.jsonl hold the same", "warning")
    return None


_GROUP = 1000
"""Rows that are encoded at once."""


def _encoded(rows: Iterable[Mapping[str, object]]) -> bytes | None:
    """Return the file's content; None where there are no rows."""
    # Through its JSON reader, as its arrays of Python objects would import pandas, which takes longer than all else.
    import pyarrow as pa
    import pyarrow.json
    import pyarrow.parquet

    kinds = _kinds(rows)
    if not kinds:
        return None
    types = {"int64": pa.int64(), "float64": pa.float64(), "bool": pa.bool_(), "text": pa.string()}
    types["time"] = pa.timestamp("us", "UTC")
    schema = pa.schema([(name, types[kind]) for name, kind in kinds.items()])
    buffer, left = io.BytesIO(), iter(rows)
    with pyarrow.parquet.ParquetWriter(buffer, schema, compression="zstd") as writer:
        while group := [*itertools.islice(left, _GROUP)]:
            lines = "".join(
                json.dumps({name: _plain(row[name], kinds[name]) for name in kinds}) + "\n" for row in group
            )
            table = pyarrow.json.read_json(
                io.BytesIO(lines.encode()),
                read_options=pyarrow.json.ReadOptions(use_threads=False, block_size=max(1, len(lines))),
                parse_options=pyarrow.json.ParseOptions(explicit_schema=schema),
            )
            writer.write_table(table)
    return buffer.getvalue()


def _kinds(rows: Iterable[Mapping[str, object]]) -> dict[str, str]:
    """Return the kind of each column."""
    found: dict[str, str | None] = {}
    for row in rows:
        for name, value in row.items():
            found[name] = _joined(found.get(name), value)
    return {name: _type(name) or kind or "text" for name, kind in found.items()}


def _type(name: str) -> str | None:
    return "float64" if name.startswith(METRIC) else _TYPES.get(name)


def _joined(known: str | None, value: object) -> str | None:
    """Return the kind of a column of the kind `known` (None: of nulls alone) with one more value in it."""
    if value is None or known == "text":
        return known
    if isinstance(value, bool) or not _is_number(value):
        kind = "bool" if isinstance(value, bool) else "text"
        return kind if known in (None, kind) else "text"
    kind = "int64" if isinstance(value, int) else "float64"
    if known in (None, kind):
        return kind
    return "float64" if known in ("int64", "float64") else "text"


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) and -_INT64 <= value < _INT64


def _plain(value: Any, kind: str) -> object:  # Any: what a row holds
    if value is None or kind != "text":
        return finite(value)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text.encode("utf-8", "replace").decode()  # half of a surrogate pair is no text there


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


def result_rows(directory: Path, runs: Sequence[tuple[Path, Result]], *, busy: bool = False) -> list[Row]:
    """Return the rows, their artifacts' paths relative to `directory`; `busy`: whether someone is at work on them."""
    return [*_Rows(directory, runs, busy=busy)]


class _Rows:
    """Make rows when they are asked for: those of ten thousand runs take as much memory as the runs."""

    def __init__(self, directory: Path, runs: Sequence[tuple[Path, Result]], *, busy: bool = False) -> None:
        self._directory = directory
        self._runs = runs
        self._busy = busy
        results = [result for _, result in runs]
        self._differing = varying([result.overrides for result in results], [result.config for result in results])
        self._judged = RunJudgements.below(directory, runs)
        self._scores = scores_of(directory, (where for where, _ in runs))
        self._metrics = [*self._scores.metrics()]

    def __iter__(self) -> Iterator[Row]:
        for values, (where, result) in zip(self._differing.rows, self._runs, strict=True):
            facts = _facts(result, os.path.relpath(where, self._directory), busy=self._busy)
            # Of two deployments of one model, only what was swept tells which.
            names = [f"swept.{key}" if key in facts else key for key in self._differing.keys]
            judged = self._judged.columns(where, result) if self._judged else {}
            yield dict(zip(names, values, strict=True)) | facts | self._scored(result) | judged

    def _scored(self, result: Result) -> Row:
        """Return what the run's first file was given."""
        found = main_scores(self._scores, result) if self._metrics else {}
        return {f"{METRIC}{name}": found.get(name) for name in self._metrics}


def _facts(result: Result, where: str, *, busy: bool) -> Row:
    cost = result.cost
    return {
        "run": result.index,
        "state": state_of(result.status, busy=busy).value,
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
