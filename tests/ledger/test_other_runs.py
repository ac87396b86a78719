"""Which jobs are other sweeps', also where those are at work."""

from __future__ import annotations

from runner.artifacts.result import Attempt
from runner.artifacts.run_status import RunStatus
from runner.ledger import other_runs
from runner.ledger.ledger import Ledger
from runner.ledger.other_runs import jobs_elsewhere


def test_a_job_that_is_recorded_while_the_ledgers_are_read_is_taken(tmp_path, monkeypatch, video, shelve):
    monkeypatch.chdir(tmp_path)
    shelve(tmp_path / "outputs/theirs", video, ["submitting"])
    with Ledger(tmp_path / "outputs/theirs") as ledger:
        (run,) = ledger.runs()
        assert run.earlier is not None
        begun = run.earlier.timestamps["planned"]
        run.earlier.attempts = [Attempt.made(number=1, started_at=begun)]
        ledger.save(0, run.earlier)

        def asked(entry):
            run.earlier.status, run.earlier.job_id = RunStatus.SUBMITTED, "video_1"
            run.earlier.attempts[0].job_id = "video_1"
            ledger.save(0, run.earlier)
            return doubtful(entry)

        own = tmp_path / "outputs/own"
        assert [result.index for _, result in jobs_elsewhere(own, 0).open] == [0]
        doubtful = other_runs._doubtful
        monkeypatch.setattr(other_runs, "_doubtful", asked)
        found = jobs_elsewhere(own, 0)
    assert (found.jobs, found.open, found.unknown) == ({"video_1"}, (), "")
