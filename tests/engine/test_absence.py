"""A paid job that is not found: asked for again, then parked; given up only where it cannot be an accident."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runner.artifacts.run_status import RunStatus
from runner.engine.collect import TRIES
from runner.engine.poll import ABSENT_SECONDS
from runner.engine.recorder import planned
from runner.errors import ExpiredError, JobNotFoundError, ServerError
from runner.ledger.recording import resumed_run
from runner.providers.base import Job, JobStatus

from .simulation import EPOCH

HOUR = 3600.0


def missing(at: float | None = EPOCH) -> JobNotFoundError:
    """A 404 that the server gave at a time of its own clock."""
    return JobNotFoundError("knows no job video_0 (404)", status_code=404, job_id="video_0", server_time=at)


@pytest.fixture
def absent_for(engine, provider, clock):
    """Go on with a run in a process that never finds its job, as another `hours` have passed on some clocks."""

    def visit(run, *, hours=0.0, server=0.0, system=0.0, sleeping=True):
        clock.asleep += hours * HOUR * sleeping
        clock.jump = system * HOUR
        provider.on_retrieve.extend(missing(EPOCH + server * HOUR) for _ in range(99))
        outcome = engine([run])
        provider.on_retrieve.clear()
        return replace(run, earlier=outcome.results[0]), outcome

    return visit


def test_a_job_that_is_not_found_for_a_while_is_asked_for_again(engine, provider, runs, stored):
    (run,) = runs()
    provider.on_retrieve.extend(missing() for _ in range(4))
    assert engine([run]).exit_code == 0
    assert stored(run).absence is None
    assert len([note for note in engine.notes if "knows no job" in note]) == 1


def test_a_job_that_stays_away_parks_its_run_and_no_other(engine, provider, runs, stored):
    lost, found = runs(2)
    asked = provider.retrieve

    async def retrieve(job_id):
        if job_id == "video_0":
            provider.polled.append(provider._now())
            raise missing()
        return await asked(job_id)

    provider.retrieve = retrieve
    outcome = engine([lost, found])
    assert outcome.exit_code == 4
    assert [result.status for result in outcome.results] == ["submitted", "verified"]
    result = stored(lost)
    assert isinstance(outcome.errors[0], JobNotFoundError)
    assert (result.job_id, result.absence.looks, result.spent_usd) == ("video_0", 1, pytest.approx(0.4))
    assert ABSENT_SECONDS <= engine.seconds <= ABSENT_SECONDS + 30
    assert len(provider.sent) == 2


def test_a_parked_run_goes_on_as_soon_as_its_job_is_found(engine, provider, runs, absent_for, stored):
    (run,) = runs()
    left, _ = absent_for(run)
    assert left.earlier.absence is not None
    assert engine([left]).exit_code == 0
    assert (stored(run).status, stored(run).absence) == (RunStatus.VERIFIED, None)
    assert len(provider.sent) == 1


def test_an_absence_that_outlasts_the_deadline_is_no_timeout_that_could_be_paid_for_elsewhere(engine, provider, runs):
    (run,) = runs(deadline_seconds=20)
    provider.on_retrieve.extend(missing() for _ in range(99))
    outcome = engine([run])
    assert isinstance(outcome.errors[0], JobNotFoundError)
    assert engine.seconds < 30


def test_errors_between_do_not_begin_the_minute_anew(engine, provider, runs):
    provider.on_retrieve.extend(ServerError("busy") if n % 2 else missing() for n in range(99))
    assert isinstance(engine(runs()).errors[0], JobNotFoundError)


def test_what_was_not_found_for_hours_by_several_processes_is_given_up(absent_for, runs, provider, stored):
    (run,) = runs()
    for hours in (0, 3):
        run, outcome = absent_for(run, hours=hours, server=hours)
        assert outcome.exit_code == 4
    run, outcome = absent_for(run, hours=4, server=7)
    assert (outcome.exit_code, stored(run).status) == (1, RunStatus.EXPIRED)
    assert isinstance(outcome.errors[0], ExpiredError)
    assert "not found by any of 3 processes in 7 h" in str(outcome.errors[0])
    assert len(provider.sent) == 1


@pytest.mark.parametrize(
    "passed",
    [
        {"system": 99},
        {"server": 99},
        {"hours": 99},
        {"hours": 99, "server": -99},
        {"system": 99, "server": 1, "hours": 1},
    ],
    ids=["our clock was set", "the server's was", "it stood still", "it went back", "an hour"],
)
def test_a_clock_that_was_set_makes_no_hours(absent_for, runs, passed):
    (run,) = runs()
    run, _ = absent_for(run)
    for _ in range(4):
        run, outcome = absent_for(run, **passed)
        passed = {**passed, "hours": 0}
        assert (outcome.exit_code, run.earlier.status) == (4, RunStatus.SUBMITTED)


def test_two_processes_are_too_few_to_give_a_job_up(absent_for, runs):
    (run,) = runs()
    run, _ = absent_for(run)
    _, outcome = absent_for(run, hours=99, server=99)
    assert outcome.exit_code == 4


def test_after_the_machine_was_started_anew_the_server_s_clock_tells(absent_for, runs, clock):
    (run,) = runs()
    for start, hours in (("first", 0), ("second", 5), ("third", 9)):
        clock.started = start
        run, outcome = absent_for(run, server=hours)
    assert outcome.exit_code == 1


@pytest.mark.parametrize("then", ["OPENAI_API_KEY#aaaa", "MY_KEY#aaaa"])
def test_another_account_s_key_is_named_and_gives_nothing_up(absent_for, runs, provider, engine, then):
    (run,) = runs()
    provider.credential = then
    provider.seconds = 1e9
    engine.interrupted([run], 5)
    from runner.artifacts.result_file import read_result

    run = replace(run, earlier=read_result(run.directory))
    provider.credential = "OPENAI_API_KEY#bbbb"
    for hours in (0, 9, 18, 27):
        run, outcome = absent_for(run, hours=9, server=hours)
        assert outcome.exit_code == 4
    assert f"another key, organization or project (from {then[:-5]}) than OPENAI_API_KEY" in str(outcome.errors[0])
    provider.credential = then
    run, outcome = absent_for(run, hours=9, server=36)
    assert run.earlier.absence.looks == 1, "what was seen with another key says nothing about this one"


def test_the_same_key_from_another_variable_is_the_same(absent_for, runs, provider):
    (run,) = runs()
    provider.credential = "OPENAI_API_KEY#aaaa"
    run, _ = absent_for(run)
    provider.credential = "MY_KEY#aaaa"
    _, outcome = absent_for(run)
    assert "another key" not in str(outcome.errors[0])


def test_another_endpoint_is_named(absent_for, runs, provider):
    (run,) = runs()
    run, _ = absent_for(run)
    provider.endpoint = "https://other.example/v1"
    _, outcome = absent_for(run)
    assert "created at https://fake.example/v1, and is asked for at https://other.example/v1" in str(outcome.errors[0])


@pytest.mark.parametrize(
    ("told", "status"),
    [
        ({"created_at": EPOCH, "expires_at": EPOCH + 9}, RunStatus.EXPIRED),
        ({"created_at": EPOCH, "expires_at": EPOCH + 9 * HOUR}, RunStatus.SUBMITTED),
        ({"created_at": EPOCH, "expires_at": 0}, RunStatus.SUBMITTED),
        ({"created_at": EPOCH, "expires_at": EPOCH - 1}, RunStatus.SUBMITTED),
    ],
)
def test_a_job_that_has_outlived_what_the_server_said_is_expired(absent_for, runs, told, status):
    (run,) = runs()
    run, _ = absent_for(run)
    run.earlier.raw_response = {"status": "in_progress", **told}
    _, outcome = absent_for(run, server=1)
    assert outcome.results[0].status is status


def test_a_file_that_is_not_found_parks_its_run_too(engine, provider, runs, stored):
    (run,) = runs()
    provider.on_content.extend(missing() for _ in range(99))
    assert engine([run]).exit_code == 4
    assert stored(run).status is RunStatus.COMPLETED
    provider.on_content.clear()
    assert engine([replace(run, earlier=stored(run))]).exit_code == 0
    assert len(provider.sent) == 1


def test_a_run_that_was_given_up_has_its_job_looked_for_again(engine, provider, runs, stored):
    (run,) = runs()
    engine([run])
    expired = stored(run).model_copy(update={"status": RunStatus.EXPIRED, "artifacts": []})
    again = resumed_run(run, replace(run, earlier=expired))
    assert (again.open, again.pays) == (True, False)
    assert engine([again]).exit_code == 0
    assert len(provider.sent) == 1


def test_a_run_that_expired_without_a_job_stays_as_it_is(runs):
    (run,) = runs()
    expired = planned(run, EPOCH).model_copy(update={"status": RunStatus.EXPIRED})
    assert not resumed_run(run, replace(run, earlier=expired)).open


def test_a_gateway_whose_clock_is_ahead_ends_no_job_that_it_misses_for_a_moment(engine, provider, runs):
    (run,) = runs()
    told = Job("video_0", JobStatus.IN_PROGRESS, "in_progress", created_at=EPOCH, expires_at=EPOCH + HOUR)
    provider.on_retrieve.extend([told, missing(EPOCH + 24 * HOUR), missing(EPOCH + 24 * HOUR)])
    assert engine([run]).exit_code == 0
    assert len(provider.sent) == 1


def completed(**times: float | None) -> Job:
    return Job("video_0", JobStatus.COMPLETED, "completed", **times)


def test_a_gateway_whose_clock_is_ahead_ends_no_file_that_it_misses_for_a_moment(engine, provider, runs):
    (run,) = runs()
    provider.on_retrieve.append(completed(created_at=EPOCH, expires_at=EPOCH + HOUR))
    provider.on_content.extend(missing(EPOCH + 24 * HOUR) for _ in range(TRIES - 1))
    assert engine([run]).exit_code == 0
    assert len(provider.sent) == 1


@pytest.mark.parametrize(
    ("expires_at", "server", "status"),
    [
        (EPOCH + HOUR, 2 * HOUR, RunStatus.EXPIRED),
        (EPOCH + HOUR, HOUR / 2, RunStatus.COMPLETED),
        (EPOCH + HOUR, None, RunStatus.COMPLETED),
        (EPOCH - HOUR, 2 * HOUR, RunStatus.COMPLETED),
        (0.0, 2 * HOUR, RunStatus.COMPLETED),
        (None, 2 * HOUR, RunStatus.COMPLETED),
    ],
    ids=["over", "not yet", "no server's clock", "before its creation", "zero", "never"],
)
def test_a_file_that_stays_away_is_expired_only_by_its_server_s_own_clock(
    engine, provider, runs, stored, expires_at, server, status
):
    (run,) = runs()
    provider.on_retrieve.append(completed(created_at=EPOCH, expires_at=expires_at))
    at = None if server is None else EPOCH + server
    provider.on_content.extend(missing(at) for _ in range(99))
    engine([run])
    assert stored(run).status is status
    assert len(provider.sent) == 1
