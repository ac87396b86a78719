"""What is in the ledger and what in `result.json`, at each moment that a crash could come."""

import json
from pathlib import Path

import pytest

from runner.artifacts.atomic import disk_errors
from runner.artifacts.result import Result
from runner.artifacts.run_status import RunStatus
from runner.config.run import RunConfig
from runner.engine.recorder import planned
from runner.engine.run import Run
from runner.engine.store import Record
from runner.errors import DiskError
from runner.ledger.ledger import Ledger
from runner.ledger.recording import LedgerStore
from runner.ledger.reuse import fingerprint


@pytest.fixture
def run(tmp_path: Path, video: RunConfig) -> Run:
    return Run(0, video, tmp_path / "0", fingerprint=fingerprint(video))


@pytest.fixture
def kept(tmp_path: Path, run: Run):
    with Ledger(tmp_path) as ledger:
        ledger.add([run])
        yield ledger, LedgerStore({run.directory: ledger}, lambda made: made.directory.mkdir())


def at(run: Run, status: RunStatus) -> Result:
    return planned(run, 0.0).model_copy(update={"status": status})


def told(run: Run) -> str | None:
    path = run.directory / "result.json"
    return json.loads(path.read_bytes())["status"] if path.exists() else None


def test_a_passing_status_is_in_the_ledger_alone(kept, run: Run) -> None:
    ledger, store = kept
    assert store.save([Record(run, at(run, RunStatus.SUBMITTED))]) == [None]
    store.save([Record(run, at(run, RunStatus.COMPLETED), passing=True)])
    assert (told(run), ledger.run(0).status) == ("submitted", RunStatus.COMPLETED)
    store.save([Record(run, at(run, RunStatus.VERIFIED))])
    assert (told(run), ledger.run(0).status) == ("verified", RunStatus.VERIFIED)


def test_a_ledger_that_is_full_is_told_to_all_and_no_file_claims_more(kept, run: Run) -> None:
    ledger, store = kept
    ledger._db.execute(f"PRAGMA max_page_count = {ledger.ask('PRAGMA page_count')[0][0]}")
    long = at(run, RunStatus.SUBMITTED).model_copy(update={"warnings": ["x" * 100_000]})
    errors = store.save([Record(run, long), Record(run, long, passing=True)])
    assert all(isinstance(error, DiskError) for error in errors)
    assert (told(run), ledger.run(0).status) == (None, RunStatus.PLANNED)


def test_a_directory_that_cannot_be_made_troubles_its_run_alone(tmp_path: Path, video: RunConfig) -> None:
    runs = [Run(number, video, tmp_path / str(number), fingerprint=f"{number:064}") for number in range(3)]
    runs[1].directory.write_text("in the way")
    with Ledger(tmp_path) as ledger:
        ledger.add(runs)
        store = LedgerStore(dict.fromkeys((run.directory for run in runs), ledger), made)
        errors = store.save([Record(run, at(run, RunStatus.SUBMITTED)) for run in runs])
        assert [type(error) for error in errors] == [type(None), DiskError, type(None)]
        assert [run.status for run in ledger.runs()] == [RunStatus.SUBMITTED] * 3, "no id is lost"
    assert [told(run) for run in (runs[0], runs[2])] == ["submitted", "submitted"]


def test_a_record_that_cannot_be_written_keeps_no_other_from_being_known(tmp_path: Path, video: RunConfig) -> None:
    runs = [Run(number, video, tmp_path / str(number), fingerprint=f"{number:064}") for number in range(3)]
    with Ledger(tmp_path) as ledger:
        ledger.add(runs)
        store = LedgerStore(dict.fromkeys((run.directory for run in runs), ledger), made)
        records = [Record(run, at(run, RunStatus.SUBMITTED)) for run in runs]
        records[1].result.raw_response = {"no JSON": object()}
        errors = store.save(records)
        assert [error is None for error in errors] == [True, False, True]
        assert [run.status.value for run in ledger.runs()] == ["submitted", "planned", "submitted"]


def test_a_broken_ledger_troubles_no_run_of_another(tmp_path: Path, video: RunConfig) -> None:
    runs = [Run(0, video, tmp_path / name, fingerprint="f" * 64) for name in ("a", "b")]
    for run in runs:
        run.directory.mkdir()
    with Ledger(runs[0].directory) as broken, Ledger(runs[1].directory) as whole:
        for run, ledger in zip(runs, (broken, whole), strict=True):
            ledger.add([run])
        broken._db.execute("DROP TABLE runs")
        store = LedgerStore({runs[0].directory: broken, runs[1].directory: whole}, made)
        errors = store.save([Record(run, at(run, RunStatus.SUBMITTED)) for run in runs])
        assert [error is None for error in errors] == [False, True]
        assert whole.run(0).status is RunStatus.SUBMITTED


def made(run: Run) -> None:
    with disk_errors(run.directory):
        run.directory.mkdir(exist_ok=True)


def test_only_what_is_paid_already_passes() -> None:
    """A file that still says planned while a paid request is out would be paid again by whoever has only the file."""
    assert {status for status in RunStatus if status.passing} == {RunStatus.COMPLETED, RunStatus.DOWNLOADED}
    assert all(status.paid for status in RunStatus if status.passing)
