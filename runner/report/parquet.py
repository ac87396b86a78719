"""`results.parquet`: the rows of `results.csv` with their types, where pyarrow is installed."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from runner.artifacts.atomic import discard, write_bytes
from runner.config import Problem

from .finite import finite

PARQUET = "results.parquet"

_TYPES: Mapping[str, str] = {
    **dict.fromkeys(("run", "polls", "attempts", "artifacts"), "int64"),
    **dict.fromkeys(("artifact_bytes", "artifact_width", "artifact_height"), "int64"),
    **dict.fromkeys(("estimated_usd", "actual_usd", "seconds"), "float64"),
    **dict.fromkeys(("artifact_duration_seconds", "artifact_fps"), "float64"),
    **dict.fromkeys(("submitting_at", "ended_at"), "time"),
}
"""Those of the columns that every sweep has, so that two sweeps' files can be put together."""

_INT64 = 2**63


def write_parquet(directory: Path, rows: Iterable[Mapping[str, object]]) -> Problem | None:
    """Write the rows, which have the same keys, in one step, or say why not; no older file is left in any case."""
    path = directory / PARQUET
    known = [] if find_spec("pyarrow") is None else [*rows]
    if not known:
        discard(path)
        return None
    try:
        write_bytes(path, _encoded(known), durable=False)
    except Exception as error:  # noqa: BLE001 - whatever pyarrow raises; the same stands in two other files
        discard(path)
        message = f"{PARQUET} could not be written: {next(iter(str(error).splitlines()), type(error).__name__)}"
        return Problem("", message, "results.csv and results.jsonl hold the same", "warning")
    return None


def _encoded(rows: Sequence[Mapping[str, object]]) -> bytes:
    # Through its JSON reader, as its arrays of Python objects would import pandas, which takes longer than all else.
    import pyarrow as pa
    import pyarrow.json
    import pyarrow.parquet

    kinds = {name: _TYPES.get(name) or _kind([row[name] for row in rows]) for name in rows[0]}
    types = {"int64": pa.int64(), "float64": pa.float64(), "bool": pa.bool_(), "text": pa.string()}
    types["time"] = pa.timestamp("us", "UTC")
    schema = pa.schema([(name, types[kind]) for name, kind in kinds.items()])
    lines = "".join(json.dumps({name: _plain(row[name], kinds[name]) for name in kinds}) + "\n" for row in rows)
    table = pyarrow.json.read_json(
        io.BytesIO(lines.encode()),
        read_options=pyarrow.json.ReadOptions(use_threads=False, block_size=max(1, len(lines))),
        parse_options=pyarrow.json.ParseOptions(explicit_schema=schema),
    )
    buffer = io.BytesIO()
    with pyarrow.parquet.ParquetWriter(buffer, schema, compression="zstd") as writer:
        writer.write_table(table)
    return buffer.getvalue()


def _kind(values: Sequence[object]) -> str:
    given = [value for value in values if value is not None]
    if given and all(isinstance(value, bool) for value in given):
        return "bool"
    if not given or not all(_is_number(value) for value in given):
        return "text"
    return "int64" if all(isinstance(value, int) for value in given) else "float64"


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) and -_INT64 <= value < _INT64


def _plain(value: Any, kind: str) -> object:  # Any: what a row holds
    if value is None or kind != "text":
        return finite(value)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text.encode("utf-8", "replace").decode()  # half of a surrogate pair is no text there
