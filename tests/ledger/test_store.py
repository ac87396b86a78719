"""What is in the ledger and what in `result.json`, at each moment that a crash could come."""

import json
from pathlib import Path

import pytest

from runner.artifacts.result import Result, RunStatus
from runner.config import RunConfig
from runner.engine.journal import planned
from runner.engine.run import Run
from runner.ledger import Entry, Ledger, LedgerStore, fingerprint


@pytest.fixture
def run(tmp_path: Path, video: RunConfig) -> Run:
    return Run(0, video, tmp_path / "0")


@pytest.fixture
def kept(tmp_path: Path, run: Run):
    with Ledger(tmp_path) as ledger:
        ledger.add([Entry(0, "0", fingerprint(run.config), run.config)])
        yield ledger, LedgerStore({run.directory: ledger}, lambda made: made.directory.mkdir())


def at(run: Run, status: RunStatus) -> Result:
    return planned(run, 0.0).model_copy(update={"status": status})


def told(run: Run) -> str | None:
    path = run.directory / "result.json"
    return json.loads(path.read_bytes())["status"] if path.exists() else None


def test_a_passing_status_is_in_the_ledger_alone(kept, run: Run) -> None:
    ledger, store = kept
    store.save(run, at(run, RunStatus.SUBMITTED), durable=True)
    store.save(run, at(run, RunStatus.COMPLETED), durable=True, passing=True)
    assert (told(run), ledger.entry(0).status) == ("submitted", RunStatus.COMPLETED)
    store.save(run, at(run, RunStatus.VERIFIED), durable=True)
    assert (told(run), ledger.entry(0).status) == ("verified", RunStatus.VERIFIED)


def test_only_what_is_paid_already_passes() -> None:
    """A file that still says planned while a paid request is out would be paid again by whoever has only the file."""
    assert {status for status in RunStatus if status.passing} == {RunStatus.COMPLETED, RunStatus.DOWNLOADED}
    assert all(status.paid for status in RunStatus if status.passing)
