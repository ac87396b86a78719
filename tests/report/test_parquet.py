"""`results.parquet`: what the CSV has, with types."""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path

import pytest

from runner.results.files import PARQUET, write_parquet

pytest.importorskip("pyarrow", reason="pip install 'mediarunner[parquet]'")

ROW = {
    "request.duration_seconds": 4, "request.prompt": "p", "run": 0, "status": "verified", "estimated_usd": 0.4,
    "actual_usd": None, "submitting_at": "2026-11-23T09:30:00.123456+00:00", "artifact_fps": None, "error": None,
}  # fmt: skip


def read(directory: Path):
    from pyarrow import parquet

    return parquet.read_table(directory / PARQUET)


def written(directory: Path, *rows: dict[str, object]):
    assert write_parquet(directory, rows) is None
    return read(directory)


def test_columns_have_the_types_of_their_values(tmp_path: Path):
    table = written(tmp_path, ROW, {**ROW, "run": 1, "actual_usd": 1})
    assert {name: str(kind) for name, kind in zip(table.schema.names, table.schema.types, strict=True)} == {
        "request.duration_seconds": "int64", "request.prompt": "string", "run": "int64", "status": "string",
        "estimated_usd": "double", "actual_usd": "double", "submitting_at": "timestamp[us, tz=UTC]",
        "artifact_fps": "double", "error": "string",
    }  # fmt: skip
    assert table.column("submitting_at")[0].as_py() == dt.datetime(2026, 11, 23, 9, 30, 0, 123456, tzinfo=dt.UTC)
    assert table.column("actual_usd").to_pylist() == [None, 1.0]


@pytest.mark.parametrize(
    ("values", "kind", "kept"),
    [
        ([True, False], "bool", [True, False]),
        ([1, 2.5], "double", [1.0, 2.5]),
        ([1, None], "int64", [1, None]),
        ([1, True], "string", ["1", "true"]),
        ([2**63, 1], "string", [str(2**63), "1"]),
        ([float("nan"), 1.0], "string", ["NaN", "1.0"]),
        ([["a", 1], {"b": None}], "string", ['["a", 1]', '{"b": null}']),
        ([None, None], "string", [None, None]),
        (["4", 4], "string", ["4", "4"]),
    ],
)
def test_a_parameter_has_the_type_that_all_its_values_fit_into(tmp_path: Path, values, kind, kept):
    table = written(tmp_path, *({"x": value, "run": number} for number, value in enumerate(values)))
    assert str(table.schema.field("x").type) == kind
    assert table.column("x").to_pylist() == kept


@pytest.mark.parametrize("text", ["=1+1", "<script>\"'\u202e", "a\r\nb\n", "nul \0", "2026-11-23", "x" * 32_000, "🧀"])
def test_any_text_survives(tmp_path: Path, text: str):
    assert written(tmp_path, {"prompt": text, "run": 0}).column("prompt").to_pylist() == [text]


def test_half_of_a_surrogate_pair_is_replaced(tmp_path: Path):
    assert written(tmp_path, {"prompt": "a\ud83d", "run": 0}).column("prompt").to_pylist() == ["a?"]


def test_what_cannot_be_written_is_a_warning(tmp_path: Path):
    (tmp_path / PARQUET).mkdir()
    problem = write_parquet(tmp_path, [ROW])
    assert problem is not None
    assert problem.severity == "warning"
    assert "results.parquet could not be written" in problem.message


def test_without_pyarrow_no_older_file_stays_beside_the_new_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    written(tmp_path, ROW)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert write_parquet(tmp_path, [ROW]) is None
    assert not (tmp_path / PARQUET).exists()


def test_ten_thousand_rows_keep_their_order(tmp_path: Path):
    rows = [{**ROW, "run": number, "request.prompt": f"{number} " + "word " * 40} for number in range(10_000)]
    assert written(tmp_path, *rows).column("run").to_pylist() == [*range(10_000)]
