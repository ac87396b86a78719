"""`runner.log`: what is in it when, as whoever follows a run that seems stuck reads it."""

import datetime as dt
from pathlib import Path

import pytest

from runner.artifacts.run_status import RunStatus
from runner.compose.plan import Planner
from runner.engine.recorder import planned
from runner.engine.run import Event, Run
from runner.sweeps.execution import RunLog


@pytest.fixture
def run(planner: Planner, tmp_path: Path) -> Run:
    (found,) = planner.plan([["provider=emulator"]]).runs
    return Run(0, found.config, tmp_path)


def written(run: Run) -> list[str]:
    path = run.directory / "runner.log"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [line.split(" ", 2)[2] for line in lines]


def test_what_may_last_is_there_soon(run: Run) -> None:
    with RunLog(pause=0) as log:
        log(Event(run, RunStatus.SUBMITTING))
        while not written(run):
            continue
        assert written(run) == ["INFO submitting"]
        log(Event(run, RunStatus.SUBMITTED, job_id="video_1"))
        log(Event(run, RunStatus.SUBMITTED, 40, "video_1", "in_progress"))
    assert written(run)[1:] == ["INFO submitted video_1", "INFO submitted video_1 in_progress 40%"]


def test_a_line_that_says_nothing_new_is_not_repeated(run: Run) -> None:
    with RunLog() as log:
        for _ in range(3):
            log(Event(run, RunStatus.SUBMITTED, 0, "video_1", "queued"))
    assert written(run) == ["INFO submitted video_1 queued"]


def test_a_passing_status_is_written_with_the_next(run: Run) -> None:
    with RunLog(pause=0) as log:
        log(Event(run, RunStatus.COMPLETED, 100, "video_1"))
        log(Event(run, RunStatus.DOWNLOADED, 100, "video_1"))
        assert written(run) == []
        log(Event(run, RunStatus.VERIFIED, 100, "video_1", result=planned(run, 0.0)))
    assert [line.split()[1] for line in written(run)] == ["completed", "downloaded", "verified"]


def test_a_run_that_ends_in_a_passing_status_has_its_line(run: Run) -> None:
    with RunLog() as log:
        log(Event(run, RunStatus.DOWNLOADED, 100, "video_1"))
        log(Event(run, RunStatus.DOWNLOADED, 100, "video_1", note="interrupted", result=planned(run, 0.0)))
    assert [line.split()[1] for line in written(run)] == ["downloaded", "downloaded"]
    assert written(run)[1].endswith("interrupted")


def test_what_no_line_followed_is_there_at_the_end(run: Run) -> None:
    with RunLog() as log:
        log(Event(run, RunStatus.COMPLETED, 100, "video_1"))
    assert written(run) == ["INFO completed video_1 100%"]


def test_a_directory_that_is_gone_holds_up_nobody(run: Run) -> None:
    other_runs = Run(1, run.config, run.directory / "gone")
    with RunLog(pause=0) as log:
        log(Event(other_runs, RunStatus.SUBMITTING))
        log(Event(run, RunStatus.SUBMITTING))
    assert written(run) == ["INFO submitting"]


def test_a_run_that_goes_on_after_its_end_loses_no_line(run: Run) -> None:
    with RunLog(pause=60) as log:
        for note in ("first", "second", "third"):
            log(Event(run, RunStatus.FAILED, note=note, result=planned(run, 0.0)))
    assert [line.split()[-1] for line in written(run)] == ["first", "second", "third"]


def test_a_line_begins_with_the_local_time(run: Run) -> None:
    before = dt.datetime.now().astimezone()
    with RunLog() as log:
        log(Event(run, RunStatus.SUBMITTING))
    stamp = (run.directory / "runner.log").read_text().split(" INFO ")[0]
    told = dt.datetime.fromisoformat(stamp)
    assert dt.timedelta(milliseconds=-1) <= told - before < dt.timedelta(minutes=1)
    assert told.utcoffset() == before.utcoffset()
    assert stamp == told.isoformat(sep=" ", timespec="milliseconds")
