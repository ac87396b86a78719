"""Jobs whose creation nobody saw answered: whose they are where others use the account; they are never deleted."""

from __future__ import annotations

import httpx2
import pytest

from runner.artifacts.result_file import read_result

from .resumable import again, created, states

LOST = {"match": {"operation": "create"}, "nth": 2, "fault": "drop_after_commit"}
KEY = {"Authorization": "Bearer x"}


@pytest.fixture
def left(sweep, here, make_emulator):
    """A sweep of two runs whose first lost its answer while somebody else made a video; the server and the job's id."""

    def build(*overrides: str, theirs: str = "a cat"):
        server = make_emulator(rules=[LOST])
        others = {"prompt": theirs, "model": "sora-2", "seconds": "4", "size": "720x1280"}
        httpx2.post(f"{server.base_url}/videos", data=others, headers=KEY).raise_for_status()
        assert sweep("replica=0,1", "provider.max_concurrent_requests=1", *overrides, server=server) == 4
        number = states(here / "out").index("uncertain")
        known = read_result(here / "out" / str(1 - number)).job_id
        (lost,) = [job["id"] for job in server.ledger()["created"][1:] if job["id"] != known]
        return server, number, lost

    return build


def test_on_an_account_that_others_use_the_user_says_whose_job_it_is(left, here, capsys):
    server, number, lost = left()
    said = capsys.readouterr().out
    assert f"1 job matches ({lost})" in said
    assert "others use this account, too" in said
    assert "--adopt RUN=JOB_ID" in said
    assert again() == 4
    assert again("--adopt", f"{number}={lost}") == 0
    assert states(here / "out") == ["verified"] * 2
    assert created(server) == 3
    (attempt,) = read_result(here / "out" / str(number)).attempts
    assert (attempt.job_id, attempt.adopted) == (lost, True)


REFUSED = {
    "9={lost}": "there is no run 9",
    "{done}={lost}": "run {done} is done, and only a video whose answer was lost",
    "{number}={known}": "job {known} belongs to run {done}",
    "{number}=..": "'..' cannot be a job's id",
    "{number}": "is no RUN=JOB_ID",
    "x={lost}": "is no RUN=JOB_ID",
    "{number}=": "is no RUN=JOB_ID",
}


def test_what_cannot_be_taken_over_is_refused_before_anything_is_sent(left, here, capsys):
    server, number, lost = left()
    done = 1 - number
    words = {"number": number, "done": done, "lost": lost, "known": read_result(here / "out" / str(done)).job_id}
    requests = server.ledger()["requests"]
    for named, said in REFUSED.items():
        assert again("--adopt", named.format(**words)) == 2, named
        assert said.format(**words) in capsys.readouterr().err
        assert server.ledger()["requests"] == requests, named


def test_one_job_cannot_be_two_runs(left, capsys):
    _, number, lost = left()
    assert again("--adopt", f"{number}={lost}", "--adopt", f"{1 - number}={lost}") == 2
    assert "names a run or a job twice" in capsys.readouterr().err


@pytest.mark.parametrize("flags", [(), ("--resubmit-uncertain",)])
def test_a_job_that_does_not_exist_or_does_not_fit_is_not_taken_over_and_nothing_is_paid(left, here, capsys, flags):
    server, number, _ = left()
    theirs = server.ledger()["created"][0]["id"]
    for job_id, said in (
        (theirs, "is of another prompt, model, size or length"),
        ("video_none", "could not be looked"),
    ):
        assert again("--adopt", f"{number}={job_id}", *flags) == 4
        assert said in capsys.readouterr().out
        assert states(here / "out")[number] == "uncertain"
    assert created(server) == 3


def test_a_job_that_was_taken_over_is_never_deleted_at_the_provider(sweep, here, rewind, make_emulator):
    server = make_emulator(rules=[{**LOST, "nth": 1}])
    assert sweep("replica=0,1", "delete_remote=true", "provider.max_concurrent_requests=1", server=server) == 0
    found = {job["id"]: job for job in server.ledger()["created"]}
    results = [read_result(here / "out" / str(number)) for number in range(2)]
    assert sorted(result.attempts[0].adopted for result in results) == [False, True]
    for result in results:
        adopted = result.attempts[0].adopted
        assert bool(found[result.job_id]["deleted"]) is not adopted
        assert result.remote_deleted is not adopted
        assert any("was not deleted at the provider" in warning for warning in result.warnings) is adopted
    (number,) = [result.index for result in results if result.attempts[0].adopted]
    rewind(number, "completed")
    assert again() == 0
    assert not {job["id"]: job for job in server.ledger()["created"]}[results[number].job_id]["deleted"]
