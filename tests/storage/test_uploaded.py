"""What a sweep and a run leave in a storage, and here."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from runner.app import run


def files_below(place: Path) -> dict[str, str]:
    """Every file that is not hidden or of the ledger, by its name, with its hash."""
    return {
        path.relative_to(place).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in place.rglob("*")
        if path.is_file() and not path.name.startswith((".", "ledger"))
    }


def test_a_sweep_lies_in_the_storage_as_it_lies_here(here, sweep, bucket, capsys):
    assert sweep("replica=0,1,2", f"storage.url=file://{bucket}") == 0

    out, there = here / "out", bucket / "out"
    assert files_below(there) == files_below(out)
    assert {"index.html", "results.csv", "results.jsonl", "multirun.yaml", "0/result.json"} <= files_below(there).keys()
    assert (there / "ledger.sqlite3").is_file()
    assert f"uploaded: 3 runs to file://{there}" in capsys.readouterr().out


def test_a_single_run_lies_there_too(here, single, bucket):
    assert single(f"storage.url=file://{bucket}") == 0
    assert files_below(bucket / "out") == files_below(here / "out")
    assert json.loads((bucket / "out" / "result.json").read_text())["status"] == "verified"


def test_resume_sends_no_run_again_that_is_there(here, sweep, bucket, capsys):
    assert sweep("replica=0,1", f"storage.url=file://{bucket}") == 0
    before = {path: path.stat().st_mtime_ns for path in (bucket / "out").glob("*/*") if path.is_file()}

    assert run(["resume", "out"]) == 0

    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert "uploaded: 2 runs" in capsys.readouterr().out


def test_resume_uploads_a_sweep_that_had_no_storage(here, sweep, bucket):
    assert sweep("replica=0,1") == 0
    assert run(["resume", "out", f"storage.url=file://{bucket}"]) == 0
    assert files_below(bucket / "out") == files_below(here / "out")
