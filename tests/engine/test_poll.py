from __future__ import annotations

import asyncio
import itertools
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.artifacts.run_status import RunStatus
from runner.engine.endpoint import Durations
from runner.engine.poll import next_wait
from runner.errors import (
    AuthenticationError,
    ExpiredError,
    HTTPConnectionError,
    JobTimeoutError,
    RateLimitError,
    ServerError,
    UncertainError,
)
from runner.providers.base import Job, JobStatus


def gaps(moments):
    return [later - earlier for earlier, later in itertools.pairwise(moments)]


def test_a_job_is_asked_for_at_the_interval(engine, provider, runs):
    provider.seconds = 60
    engine(runs(poll_interval=5))
    *gone, last = gaps(provider.polled)
    assert gone == pytest.approx([5.05] * 10, abs=0.1)
    assert last < 4.95, "the last poll is moved to the moment that progress foretold"


def test_short_intervals_stretch_while_the_end_is_far(engine, provider, runs):
    provider.seconds = 30
    engine(runs(poll_interval=0.1, max_poll_attempts=1000))
    assert len(provider.polled) < 60
    assert max(gaps(provider.polled)) < 1.2
    assert provider.downloads[0] - 30 < 0.3


@pytest.mark.parametrize("error", [ServerError, HTTPConnectionError, UncertainError, RateLimitError])
def test_poll_errors_never_fail_a_run(engine, provider, runs, error):
    provider.on_retrieve.extend(error("no") for _ in range(6))
    outcome = engine(runs())
    assert outcome.exit_code == 0
    assert len(provider.sent) == 1


def test_failing_polls_back_off(engine, provider, runs):
    provider.on_retrieve.extend(ServerError("502") for _ in range(5))
    engine(runs(poll_interval=1))
    assert gaps(provider.polled)[:5] == pytest.approx([0.8, 1.55, 3.05, 6.05, 12.05], abs=0.1)


def test_failing_polls_are_mentioned_once_for_all_runs(engine, provider, runs):
    provider.on_retrieve.extend(ServerError("502") for _ in range(40))
    engine(runs(20))
    assert len([note for note in engine.notes if "502" in note]) == 1


def test_a_429_on_a_poll_makes_every_poll_wait_as_long_as_the_server_says(engine, provider, runs):
    provider.on_retrieve.append(RateLimitError("slow down", retry_after=200))
    engine(runs(5, max_concurrent_requests=1))
    assert sum(moment < 200 for moment in provider.polled) == 1


def test_the_deadline_parks_the_job_with_its_id(engine, provider, runs, stored):
    provider.seconds = 1e9
    (run,) = runs(poll_interval=5, max_poll_attempts=12)
    outcome = engine([run])
    error = outcome.errors[0]
    assert isinstance(error, JobTimeoutError)
    assert isinstance(error, TimeoutError)
    assert "video_0" in str(error)
    assert error.seconds == pytest.approx(60, abs=1)
    assert error.attempts == len(provider.polled)
    assert stored(run).status is RunStatus.SUBMITTED
    assert stored(run).job_id == "video_0"
    assert outcome.exit_code == 4


def test_the_deadline_may_be_given_in_seconds(engine, provider, runs):
    provider.seconds = 1e9
    error = engine(runs(poll_interval=5, max_poll_attempts=12, deadline_seconds=300)).errors[0]
    assert isinstance(error, JobTimeoutError)
    assert error.seconds == pytest.approx(300, abs=1)
    assert "provider.deadline_seconds=" in error.hint


def test_only_the_deadline_ends_a_run_whose_polls_all_fail(engine, provider, runs):
    provider.on_retrieve.extend(ServerError("502") for _ in range(10_000))
    outcome = engine(runs(poll_interval=5, max_poll_attempts=120))
    assert isinstance(outcome.errors[0], JobTimeoutError)
    assert engine.seconds == pytest.approx(600, abs=5)


def test_a_stalled_poll_is_given_up_and_repeated(engine, provider, runs):
    answer, stalled = provider.retrieve, []

    async def retrieve(job_id):
        if not stalled:
            stalled.append(job_id)
            await asyncio.sleep(10_000)
        return await answer(job_id)

    provider.retrieve = retrieve
    assert engine(runs()).exit_code == 0
    assert engine.seconds < 60


def test_a_system_clock_that_goes_backwards_does_not_matter(engine, clock, provider, runs):
    provider.seconds = 100

    def back(event):
        clock.jump = -86_400

    engine.listeners.append(back)
    outcome = engine(runs(poll_interval=5, max_poll_attempts=30))
    assert outcome.exit_code == 0
    assert engine.seconds < 110


def test_a_laptop_that_slept_past_the_deadline_still_collects_what_is_there(engine, clock, provider, runs):
    provider.seconds = 20

    def close_the_lid(event):
        if len(provider.polled) == 3:
            clock.asleep = 36_000
            provider.created = dict.fromkeys(provider.created, -1000000.0)

    engine.listeners.append(close_the_lid)
    assert engine(runs(max_poll_attempts=10)).exit_code == 0


def test_sleep_counts_towards_the_deadline(engine, clock, provider, runs):
    provider.seconds = 1e9
    engine.listeners.append(lambda _: setattr(clock, "asleep", 36_000) if len(provider.polled) == 3 else None)
    outcome = engine(runs(poll_interval=5, max_poll_attempts=1000))
    assert isinstance(outcome.errors[0], JobTimeoutError)
    assert len(provider.polled) == 4


def test_an_unknown_status_is_polled_on_and_warned_of_once(engine, provider, runs, stored):
    strange = Job("video_0", JobStatus.UNKNOWN, "brewing", raw={})
    provider.on_retrieve.extend([strange] * 4)
    (run,) = runs()
    assert engine([run]).exit_code == 0
    assert len(stored(run).warnings) == 1
    assert "brewing" in stored(run).warnings[0]


def test_a_job_that_its_server_forgets_for_a_moment_is_asked_for_again(engine, provider, runs):
    provider.on_retrieve.extend(ExpiredError("knows no job") for _ in range(2))
    assert engine(runs()).exit_code == 0


def test_a_job_that_is_gone_is_expired(engine, provider, runs):
    provider.on_retrieve.extend(ExpiredError("knows no job") for _ in range(99))
    assert engine(runs()).results[0].status is RunStatus.EXPIRED


def test_a_key_revoked_while_polling_stops_submitting_and_fails_nothing(engine, provider, runs):
    provider.on_retrieve.append(AuthenticationError("revoked"))
    outcome = engine(runs(3, max_concurrent_jobs=1))
    assert [result.status for result in outcome.results] == ["verified", "planned", "planned"]
    assert outcome.exit_code == 4


def test_polls_are_counted_and_not_written_one_by_one(engine, provider, runs):
    (run,) = runs()
    written = set()
    engine.listeners.append(lambda _: written.add((run.directory / "result.json").stat().st_ino))
    provider.seconds = 500
    result = engine([run]).results[0]
    assert result.polls == len(provider.polled) > 90
    assert len(written) <= 6


class TestTheNextWait:
    def job(self, **facts):
        return Job("j", JobStatus.IN_PROGRESS, "in_progress", **facts)

    def test_has_a_little_jitter(self, clock):
        clock.random = lambda: 0.0
        early = next_wait(self.job(), 10, 5, clock)
        clock.random = lambda: 0.999
        assert (early, next_wait(self.job(), 10, 5, clock)) == pytest.approx((4.5, 5.5), abs=0.01)

    def test_is_the_servers_wish(self, clock):
        assert next_wait(self.job(poll_after=17), 10, 5, clock) == 17

    def test_lets_no_server_ask_to_be_hammered(self, clock):
        assert next_wait(self.job(poll_after=0), 10, 5, clock) == 0.5

    def test_does_not_stretch_long_intervals(self, clock):
        assert next_wait(self.job(progress=1), 60, 5, clock) == pytest.approx(5)

    def test_is_stretched_while_the_past_says_that_nothing_ends_yet(self, clock):
        assert next_wait(self.job(), 10, 5, clock, expected=100) == 20
        assert next_wait(self.job(), 10, 5, clock, expected=24) == 12

    def test_ends_when_the_past_says_that_such_jobs_begin_to_end(self, clock):
        assert next_wait(self.job(), 10, 5, clock, expected=3) == 3

    def test_trusts_progress_more_than_the_past(self, clock):
        assert next_wait(self.job(progress=50), 10, 5, clock, expected=100) == pytest.approx(5)


@given(
    progress=st.integers(0, 100),
    age=st.floats(0, 1e5),
    interval=st.floats(0.01, 600),
    expected=st.floats(0, 1e5),
    chance=st.floats(0, 1),
)
def test_no_wait_is_further_from_the_interval_than_conf_says(progress, age, interval, expected, chance):
    clock = SimpleNamespace(random=lambda: chance)
    job = Job("j", JobStatus.IN_PROGRESS, "in_progress", progress=progress)
    plain = next_wait(Job("j", JobStatus.QUEUED, "queued"), age, interval, clock)
    assert plain == pytest.approx(interval, rel=0.1 + 1e-9)
    wait = next_wait(job, age, interval, clock, expected)
    assert interval / 10 <= wait <= max(4 * interval, 1, 1.1 * interval) * (1 + 1e-9)


class TestPastDurations:
    def test_tell_nothing_before_eight_are_known(self):
        durations = Durations()
        for _ in range(7):
            durations.learn("kind", 60)
        assert durations.early("kind") is None

    def test_tell_when_the_first_of_ten_ended(self):
        durations = Durations()
        for seconds in range(20, 0, -1):
            durations.learn("kind", seconds)
        assert durations.early("kind") == 3
        assert durations.early("another") is None

    def test_follow_a_server_that_becomes_faster(self):
        durations = Durations()
        for seconds in [100] * 50 + [10] * 4:
            durations.learn("kind", seconds)
        assert durations.early("kind") == 10


def test_a_pause_beyond_the_deadline_parks_the_jobs_at_once_with_the_server_s_words(engine, provider, runs):
    provider.on_retrieve.append(RateLimitError("not before the year 9999", retry_after=2.5e11))
    outcome = engine(runs(3))
    assert engine.seconds < 60
    assert {result.status for result in outcome.results} == {RunStatus.SUBMITTED}
    assert "not before the year 9999" in str(outcome.errors[0])
    assert outcome.exit_code == 4


def test_a_stray_401_on_a_poll_stops_nothing(engine, provider, runs):
    provider.on_retrieve.append(AuthenticationError("stray", status_code=401))
    outcome = engine(runs(4, max_concurrent_jobs=1))
    assert outcome.exit_code == 0
