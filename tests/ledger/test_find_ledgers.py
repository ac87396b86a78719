"""Whose job is it: what other sweeps and runs below `outputs/` have claimed."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path

import pytest

from runner.artifacts.result import Attempt, ErrorRecord
from runner.engine.matching import OtherRuns
from runner.engine.run import Run
from runner.ledger.discover import find_ledgers, written_at
from runner.ledger.other_runs import jobs_elsewhere
from runner.ledger.reuse import fingerprint
from runner.sweeps.consent import reuse_of

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
    assert [*find_ledgers(Path("outputs"))] == [Path("outputs/2026/one"), Path("outputs/multirun/two")]


def test_results_on_another_disk_are_found_through_their_links_and_each_once(here, video, shelve):
    shelve(here / "disk/multirun/two", video, ["planned"])
    (here / "outputs/2026").mkdir(parents=True)
    (here / "outputs/multirun").symlink_to(here / "disk/multirun")
    (here / "outputs/again").symlink_to(here / "disk/multirun")
    (here / "disk/multirun/two/back").symlink_to(here / "outputs")
    (here / "outputs/2026/nowhere").symlink_to(here / "gone")
    assert [*find_ledgers(Path("outputs"))] == [Path("outputs/again/two")]


def test_jobs_of_other_runs_are_claimed_unless_they_are_too_old(here, video, shelve):
    for name in ("own", "other", "old"):
        shelve(here / "outputs" / name, video, ["submitted"], job_id=f"video_{name}")
    aged(here / "outputs/old", LONG_AGO)
    assert jobs_elsewhere(Path("outputs/own"), NOW - 60).jobs == {"video_other"}
    assert jobs_elsewhere(here / "outputs/own", LONG_AGO).jobs == {"video_other", "video_old"}


def test_siblings_outside_outputs_are_strangers_to_each_other_too(here, video, shelve):
    """Under a launcher that is not ours each run of a sweep has its own ledger, wherever the sweep is."""
    for number in range(2):
        shelve(here / "sweep" / str(number), video, ["submitted"], job_id=f"video_{number}")
    assert jobs_elsewhere(here / "sweep/0", LONG_AGO).jobs == {"video_1"}


def damaged(ledger: Path) -> None:
    ledger.write_bytes(b"no database " * 99)


def behind_a_closed_door(ledger: Path) -> None:
    (ledger.parent / "elsewhere").mkdir()
    ledger.symlink_to(ledger.parent / "elsewhere/ledger.sqlite3")


@pytest.mark.parametrize("break_it", [damaged, Path.touch, behind_a_closed_door])
def test_a_ledger_that_cannot_be_read_leaves_open_whose_a_job_is(here, video, shelve, closed, break_it):
    (here / "outputs/broken").mkdir(parents=True)
    break_it(here / "outputs/broken/ledger.sqlite3")
    for place in here.glob("outputs/broken/elsewhere"):
        closed(place)
    shelve(here / "outputs/sound", video, ["submitted"], job_id="video_1")
    found = jobs_elsewhere(here / "outputs/own", LONG_AGO)
    assert found.jobs == {"video_1"}
    assert "outputs/broken/ledger.sqlite3" in found.unknown


@pytest.mark.parametrize("mode", [0o000, 0o444, 0o111])
def test_a_directory_that_cannot_be_looked_into_leaves_open_whose_a_job_is(here, video, shelve, closed, mode):
    shelve(here / "outputs/2026/one", video, ["submitted"], job_id="video_1")
    shelve(here / "outputs/sound", video, ["submitted"], job_id="video_2")
    closed(here / "outputs/2026", mode)
    found = jobs_elsewhere(here / "outputs/own", LONG_AGO)
    assert found.jobs == {"video_2"}
    assert "outputs/2026" in found.unknown
    assert "cannot be looked into, and may hold runs: Permission denied" in found.unknown


def test_nothing_is_reused_from_a_directory_that_cannot_be_looked_into_and_that_is_said(here, video, shelve, closed):
    shelve(here / "outputs/one", video, ["verified"])
    closed(here / "outputs/one")
    known = reuse_of(here / "outputs/multirun/new")
    assert known.find(Run(0, video, here / "outputs/multirun/new/0", fingerprint=fingerprint(video))) is None
    (problem,) = dict.fromkeys(known.problems)
    assert problem.severity == "warning"
    assert problem.text.startswith("nothing is reused from outputs/one: outputs/one cannot be looked into")


def test_what_other_users_have_beside_a_run_and_the_disk_s_own_folder_are_no_runs(here, closed, monkeypatch):
    for name in ("tmp/theirs", "outputs/lost+found"):
        (here / name).mkdir(parents=True)
        closed(here / name)
    assert "tmp/theirs cannot be" in jobs_elsewhere(here / "tmp/own", LONG_AGO).unknown, "it is ours yet"
    another = os.geteuid() + 1
    monkeypatch.setattr("os.geteuid", lambda: another)
    assert jobs_elsewhere(here / "tmp/own", LONG_AGO) == OtherRuns()


def test_a_link_that_leads_nowhere_hides_nothing_beside_it(here, video, shelve):
    shelve(here / "outputs/one", video, ["planned"])
    (here / "outputs/round").symlink_to(here / "outputs/round")
    assert [*find_ledgers(Path("outputs"))] == [Path("outputs/one")]


def test_a_ledger_that_cannot_be_read_is_none_of_a_request_s_that_left_long_after(here):
    (here / "outputs/broken").mkdir(parents=True)
    (here / "outputs/broken/ledger.sqlite3").write_bytes(b"no database " * 99)
    aged(here / "outputs/broken", LONG_AGO)
    assert jobs_elsewhere(here / "outputs/own", NOW) == OtherRuns()


def test_where_there_are_no_outputs_nothing_is_claimed(here):
    assert jobs_elsewhere(here / "somewhere", LONG_AGO).jobs == set()


def test_what_a_process_has_just_written_counts_although_its_file_is_older(tmp_path, video, shelve):
    shelve(tmp_path, video, ["planned"])
    aged(tmp_path, LONG_AGO)
    (tmp_path / "ledger.sqlite3-wal").write_bytes(b"a change")
    assert written_at(tmp_path) > NOW - 60 or written_at(tmp_path) > LONG_AGO


def test_where_a_ledger_has_gone_nothing_was_written(tmp_path):
    assert written_at(tmp_path) == 0


def test_a_ledger_whose_log_is_gone_was_written_when_its_file_was(tmp_path, video, shelve):
    shelve(tmp_path, video, ["planned"])
    assert written_at(aged(tmp_path, LONG_AGO)) == LONG_AGO


@pytest.mark.parametrize("place", ["elsewhere", "outputs/2026"])
def test_who_is_a_neighbour_does_not_depend_on_where_the_command_is_given(here, video, shelve, monkeypatch, place):
    shelve(here / "outputs/2027/B/y", video, ["submitted"], job_id="video_1")
    (here / place).mkdir(parents=True)
    monkeypatch.chdir(here / place)
    assert jobs_elsewhere(here / "outputs/2026/A/x", LONG_AGO).jobs == {"video_1"}


@pytest.mark.parametrize("own", ["outputs/one", "outputs"])
def test_a_run_in_outputs_itself_hides_no_other(here, video, shelve, own):
    for place in ("outputs", "outputs/one", "outputs/2026/two"):
        shelve(here / place, video, ["submitted"], job_id=f"video_{Path(place).name}")
    assert [*find_ledgers(Path("outputs"))] == [Path("outputs"), Path("outputs/2026/two"), Path("outputs/one")]
    expected = {"video_outputs", "video_one", "video_two"} - {f"video_{Path(own).name}"}
    assert jobs_elsewhere(here / own, LONG_AGO).jobs == expected


@pytest.mark.parametrize(
    ("status", "job_id", "error", "count"),
    [
        ("submitting", None, None, 1),
        ("uncertain", None, "UncertainError", 1),
        ("verified", None, "UncertainError", 1),
        ("submitted", "video_1", None, 0),
        ("failed", None, "InvalidRequestError", 0),
    ],
)
def test_requests_that_nobody_knows_an_answer_to_are_told_with_their_place(
    here, video, shelve, status, job_id, error, count
):
    record = error and ErrorRecord(type=error, code=None, message="no answer", hint=None, retryable=False)
    attempt = Attempt(number=1, started_at=dt.datetime.fromtimestamp(NOW, dt.UTC), job_id=job_id, error=record)
    shelve(here / "outputs/other", video, [status], attempts=[attempt])
    found = jobs_elsewhere(here / "outputs/own", LONG_AGO).open
    assert [place for place, _ in found] == [Path("outputs/other")] * count
