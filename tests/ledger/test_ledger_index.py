"""What ledgers already say about directories that runs are to be written to."""

from __future__ import annotations

import pytest

from runner.artifacts.run_status import RunStatus
from runner.ledger.ledger import LedgerError
from runner.ledger.other_runs import LedgerIndex


@pytest.fixture
def sweep(tmp_path, video, shelve):
    """A sweep of two runs."""
    shelve(tmp_path / "sweep", video, ["verified", "planned"])
    return tmp_path / "sweep"


def test_a_run_is_known_in_its_own_directory_and_nowhere_else(sweep):
    ledgers = LedgerIndex()
    place, known = ledgers.find(sweep / "0")
    assert (place, known.status) == (sweep, RunStatus.VERIFIED)
    assert ledgers.find(sweep / "1")[1].status is RunStatus.PLANNED
    assert ledgers.find(sweep / "0")[1].fingerprint != ledgers.find(sweep / "1")[1].fingerprint
    for stranger in (sweep, sweep / "2", sweep / "0" / "0", sweep.parent / "0"):
        assert ledgers.find(stranger) is None


def test_a_sweep_knows_all_its_runs(sweep):
    assert set(LedgerIndex().runs_of(sweep)) == {sweep / "0", sweep / "1"}
    assert LedgerIndex().runs_of(sweep.parent) == {}


def test_a_ledger_is_read_once(sweep):
    ledgers = LedgerIndex()
    assert ledgers.find(sweep / "0") is not None
    (sweep / "ledger.sqlite3").unlink()
    assert ledgers.find(sweep / "0") is not None
    assert LedgerIndex().find(sweep / "0") is None


def test_one_that_cannot_be_read_is_said(sweep):
    (sweep / "ledger.sqlite3").write_bytes(b"no ledger " * 99)
    with pytest.raises(LedgerError, match=r"ledger\.sqlite3"):
        LedgerIndex().find(sweep / "0")


def test_a_name_that_no_disk_takes_is_unknown(tmp_path):
    assert LedgerIndex().find(tmp_path / ("x" * 300)) is None
