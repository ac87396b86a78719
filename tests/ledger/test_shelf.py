"""Whose job is it: what other sweeps and runs below `outputs/` have claimed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runner.ledger import jobs_elsewhere, shelved
from runner.ledger.shelf import written_at

LONG_AGO, NOW = 1_700_000_000.0, 1_795_000_000.0


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def aged(directory: Path, moment: float) -> Path:
    os.utime(directory / "ledger.sqlite3", (moment, moment))
    return directory


def test_all_sweeps_and_runs_are_found_once_and_hidden_folders_are_not(here, video, shelve):
    for place in ("outputs/2026/one", "outputs/multirun/two", "outputs/.emulator/three", "outputs/2026/one/0"):
        shelve(here / place, video, ["planned"])
    assert [*shelved(Path("outputs"))] == [Path("outputs/2026/one"), Path("outputs/multirun/two")]


def test_jobs_of_other_runs_are_claimed_unless_they_are_too_old(here, video, shelve):
    for name in ("own", "other", "old"):
        shelve(here / "outputs" / name, video, ["submitted"], job_id=f"video_{name}")
    aged(here / "outputs/old", LONG_AGO)
    assert jobs_elsewhere(Path("outputs/own"), NOW - 60) == {"video_other"}
    assert jobs_elsewhere(here / "outputs/own", LONG_AGO) == {"video_other", "video_old"}


def test_siblings_outside_outputs_are_strangers_to_each_other_too(here, video, shelve):
    """Under a launcher that is not ours each run of a sweep has its own ledger, wherever the sweep is."""
    for number in range(2):
        shelve(here / "sweep" / str(number), video, ["submitted"], job_id=f"video_{number}")
    assert jobs_elsewhere(here / "sweep/0", LONG_AGO) == {"video_1"}


def test_a_ledger_that_cannot_be_read_claims_nothing(here, video, shelve):
    (here / "outputs/broken").mkdir(parents=True)
    (here / "outputs/broken/ledger.sqlite3").write_bytes(b"no database " * 99)
    shelve(here / "outputs/sound", video, ["submitted"], job_id="video_1")
    assert jobs_elsewhere(here / "outputs/own", LONG_AGO) == {"video_1"}


def test_where_there_are_no_outputs_nothing_is_claimed(here):
    assert jobs_elsewhere(here / "somewhere", LONG_AGO) == set()


def test_what_a_process_has_just_written_counts_although_its_file_is_older(tmp_path, video, shelve):
    shelve(tmp_path, video, ["planned"])
    aged(tmp_path, LONG_AGO)
    (tmp_path / "ledger.sqlite3-wal").write_bytes(b"a change")
    assert written_at(tmp_path) > NOW - 60 or written_at(tmp_path) > LONG_AGO
