"""Many jobs are heard of by the list; whatever a list lacks, each job is heard of all the same."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import replace

import pytest

from runner.errors import (
    BadRequestError,
    JobTimeoutError,
    RateLimitError,
    RunnerError,
    ServerError,
    UnexpectedAnswerError,
)
from runner.providers.base import JobPage, JobStatus

from .crowd import Crowd, Hall

INTERVAL = 5.0


def hall_of(count, shortest=20.0, longest=120.0, **options) -> Hall:
    dice = random.Random(count)
    return Hall({f"video_{number:05}": dice.uniform(shortest, longest) for number in range(count)}, **options)


def one_by_one(hall) -> float:
    """The requests that one GET per job per interval would have needed."""
    return sum(hall.ends.values()) / INTERVAL


@pytest.fixture
def crowd(clock, tmp_path) -> Crowd:
    clock.random = random.Random(1).random
    return Crowd(clock, tmp_path)


def quantile(values, part) -> float:
    return values[int(part * len(values))]


def assert_soon(crowd, hall) -> None:
    delays = crowd.delays(hall)
    assert not crowd.errors
    assert delays[0] >= 0
    assert quantile(delays, 0.5) <= 0.6
    assert quantile(delays, 0.95) <= 1.1


@pytest.mark.parametrize("shows", [True, False], ids=["with progress", "without progress"])
def test_a_thousand_jobs_cost_a_twentieth_of_the_requests_and_are_heard_of_in_time(crowd, shows):
    hall = hall_of(1000)
    hall.shows = shows
    crowd.wait_for(hall)
    assert_soon(crowd, hall)
    assert hall.requests <= one_by_one(hall) / 20


def test_few_jobs_are_asked_for_alone(crowd):
    hall = hall_of(8)
    crowd.wait_for(hall)
    assert not hall.listed
    assert quantile(crowd.delays(hall), 0.5) < 0.1, "progress has foretold their ends"


def test_every_job_is_told_of_about_once_an_interval(crowd):
    hall = hall_of(200, 100, 100)
    crowd.wait_for(hall)
    told = Counter(event.run.index for event in crowd.events)
    assert all(15 <= count <= 30 for count in told.values())


def test_jobs_that_end_together_are_heard_of_sooner(crowd):
    hall = hall_of(400, 60, 60 + 0.75 * INTERVAL)
    crowd.wait_for(hall)
    assert quantile(crowd.delays(hall), 0.5) < 0.2, "four times an interval instead of twice"
    assert hall.requests <= one_by_one(hall) / 20


def test_only_the_pages_that_jobs_are_on_are_read(crowd):
    hall = hall_of(1000)
    ours = list(hall.ends)[:100]
    crowd.wait_for(hall, only=ours)
    assert len(hall.listed) < 2 * 120 / INTERVAL + 3 * 10, "nine pages are walked through, and then no more"
    assert len(hall.retrieved) < 100


def test_jobs_that_newer_ones_push_down_the_list_are_found_again(crowd):
    hall = hall_of(600)
    arrive = {job_id: number * 0.05 for number, job_id in enumerate(hall.ends)}
    hall.ends = {job_id: end + arrive[job_id] for job_id, end in hall.ends.items()}
    hall.created = arrive
    crowd.wait_for(hall, arrive=arrive)
    assert_soon(crowd, hall)
    assert hall.requests <= one_by_one(hall) / 12


def test_completed_jobs_are_acted_on_without_another_question(crowd):
    hall = hall_of(100)
    crowd.wait_for(hall)
    assert len(hall.retrieved) < 30


def first_page(hall):
    newest = list(reversed(hall.created))[:100]
    return JobPage(tuple(hall._job(job_id) for job_id in newest), True, newest[-1])


def oldest_first(hall, after):
    oldest = list(hall.created)
    start = 0 if after is None else 1 + oldest.index(after)
    page = oldest[start : start + 100]
    return JobPage(tuple(hall._job(job_id) for job_id in page), len(oldest) > start + 100, page[-1] if page else None)


ODD = {
    "the first page again": lambda hall, page, after: (
        replace(page, more=True, last="video_00399") if after is None else first_page(hall)
    ),
    "no word on what follows": lambda hall, page, after: replace(page, more=len(page.jobs) >= 100),
    "nothing behind the first": lambda hall, page, after: replace(page, more=False),
    "the oldest first": lambda hall, page, after: oldest_first(hall, after),
    "an endless nothing": lambda hall, page, after: page if after is None else JobPage((), True, f"x{after}"[:50]),
    "the same cursor for ever": lambda hall, page, after: replace(page, more=True, last="video_00350"),
}


class TestAListThat:
    @pytest.mark.parametrize(
        "error", [BadRequestError("no"), UnexpectedAnswerError("a page"), ServerError("500")], ids=lambda e: e.message
    )
    def test_cannot_be_read_is_left_alone(self, crowd, error):
        hall = hall_of(50)
        hall.on_jobs.extend([error] * 1000)
        crowd.wait_for(hall)
        assert_soon(crowd, hall)
        assert len(hall.listed) == 3

    def test_fails_now_and_then_is_read_on(self, crowd):
        hall = hall_of(300)
        hall.on_jobs.extend([*[None] * 6, ServerError("502"), ServerError("502")] * 3)
        crowd.wait_for(hall)
        assert_soon(crowd, hall)
        assert len(hall.listed) > 20

    def test_leaves_jobs_out_leaves_these_to_be_asked_for_alone(self, crowd):
        hall = hall_of(200)
        hall.hidden = set(list(hall.ends)[::10])
        crowd.wait_for(hall)
        assert_soon(crowd, hall)
        asked = Counter(hall.retrieved)
        assert all(asked[job_id] > 2 for job_id in hall.hidden)
        assert sum(asked[job_id] for job_id in hall.ends if job_id not in hall.hidden) < 30

    def test_shows_new_jobs_late_is_trusted_with_them_later(self, crowd):
        hall = hall_of(200, 60, 120)
        late = set(list(hall.ends)[::2])
        listed = hall.jobs

        async def jobs(after=None, limit=100):
            hall.hidden = late if hall._now() < 8 else set()
            return await listed(after, limit)

        hall.jobs = jobs
        crowd.wait_for(hall)
        assert_soon(crowd, hall)
        assert hall.requests < one_by_one(hall) / 8

    def test_is_of_other_jobs_costs_little(self, crowd):
        hall = hall_of(50)
        hall.hidden = set(hall.ends)
        crowd.wait_for(hall)
        assert_soon(crowd, hall)
        assert len(hall.listed) < 12

    @pytest.mark.parametrize("odd", ODD)
    def test_pages_oddly_keeps_no_job_from_being_heard_of(self, crowd, odd):
        hall = hall_of(400)
        hall.page_as = lambda page, after: ODD[odd](hall, page, after)
        crowd.wait_for(hall)
        assert_soon(crowd, hall)
        assert hall.requests < 1.3 * one_by_one(hall)

    def test_forgets_where_a_page_began_is_begun_again(self, crowd):
        hall = hall_of(400)
        listed = hall.jobs

        async def jobs(after=None, limit=100):
            for job_id, end in hall.ends.items():
                if end + 10 < hall._now():
                    hall.created.pop(job_id, None)
            return await listed(after, limit)

        hall.jobs = jobs
        crowd.wait_for(hall)
        assert_soon(crowd, hall)
        assert hall.requests < one_by_one(hall) / 3

    def test_tells_less_of_a_completed_job_than_its_own_answer_is_not_enough(self, crowd):
        hall = hall_of(100)
        hall.listed_as = lambda job: replace(job, raw={"id": job.id, "status": job.raw_status})
        crowd.wait_for(hall)
        assert_soon(crowd, hall)
        assert all(job.raw["url"] for job in crowd.jobs.values())
        assert len(hall.retrieved) < 200

    def test_tells_of_failures_is_not_asked_why(self, crowd):
        hall = hall_of(50)
        hall.end_as = JobStatus.FAILED
        crowd.wait_for(hall)
        assert_soon(crowd, hall)
        assert set(hall.retrieved) == set(hall.ends)

    def test_is_no_page_at_all_holds_nobody_up(self, crowd, caplog):
        hall = hall_of(50)
        hall.on_jobs.append("nonsense")
        crowd.wait_for(hall)
        assert_soon(crowd, hall)
        assert len(hall.listed) == 1
        assert "no longer used" in caplog.text

    def test_takes_long_is_not_read_without_a_pause(self, crowd):
        hall = hall_of(100, latency=10)
        crowd.wait_for(hall, max_poll_attempts=1000)
        assert not crowd.errors
        assert hall.in_flight == 0
        assert len(hall.listed) < 12


def test_a_429_on_the_list_makes_everyone_wait(crowd):
    hall = hall_of(100, 60, 120)
    hall.on_jobs.append(RateLimitError("slow down", retry_after=40))
    crowd.wait_for(hall)
    refused = hall.listed[0]
    assert not [moment for moment in [*hall.listed, *hall.polled] if refused + 0.1 < moment < refused + 40]
    assert not crowd.errors
    assert len(hall.listed) > 10, "and the list is read on"


def test_a_deadline_ends_the_wait_although_the_list_makes_everyone_wait(crowd):
    hall = hall_of(20, 1e6, 1e6)
    hall.on_jobs.append(RateLimitError("slow down", retry_after=4000))
    crowd.wait_for(hall, deadline_seconds=100)
    assert all(isinstance(error, JobTimeoutError) for error in crowd.errors.values())
    assert max(crowd.heard.values()) < 110


def test_every_job_is_asked_for_alone_once_the_deadline_has_passed(crowd):
    hall = hall_of(20, 1e6, 1e6)
    crowd.wait_for(hall, deadline_seconds=100)
    assert len(crowd.errors) == 20
    assert Counter(hall.retrieved[-20:]) == Counter(hall.ends.keys())


def test_a_stalled_list_lets_jobs_be_asked_for_alone(crowd):
    hall = hall_of(30, 60, 120)
    hall.latency = 0.01
    answer, calls = hall.jobs, []

    async def jobs(after=None, limit=100):
        calls.append(after)
        if len(calls) == 2:
            await asyncio.sleep(10_000)
        return await answer(after, limit)

    hall.jobs = jobs
    crowd.wait_for(hall)
    assert not crowd.errors
    assert max(crowd.delays(hall)) < 31 / INTERVAL + 1
    assert len(calls) > 10


def test_a_job_that_is_not_found_parks_its_run_alone(crowd):
    hall = hall_of(30)
    del hall.created["video_00007"]
    crowd.wait_for(hall)
    assert set(crowd.errors) == {"video_00007"}
    assert "knows no such job" in str(crowd.errors["video_00007"])


def test_nobody_is_asked_for_before_the_server_wishes(crowd):
    hall = hall_of(100, 60, 120)
    crowd.wait_for(hall, first={"poll_after": 50})
    assert min([*hall.listed, *hall.polled]) >= 49
    assert not crowd.errors


def test_no_task_is_left_over(crowd):
    crowd.wait_for(hall_of(100))
    assert crowd.left_over == 0


def test_past_durations_tell_when_asking_is_worth_while(crowd, clock, tmp_path):
    hall = hall_of(60, 100, 110)
    hall.shows = False
    hall.on_jobs.extend(BadRequestError("no list") for _ in range(9))
    first, second = list(hall.ends)[:30], list(hall.ends)[30:]
    arrive = {**dict.fromkeys(first, 0.0), **dict.fromkeys(second, 150.0)}
    hall.created |= dict.fromkeys(second, 150.0)
    hall.ends |= {job_id: hall.ends[job_id] + 150 for job_id in second}
    crowd.wait_for(hall, arrive=arrive)
    assert not [error for error in crowd.errors.values() if isinstance(error, RunnerError)]
    asked = Counter(hall.retrieved)
    assert sum(asked[job_id] for job_id in second) < 0.6 * sum(asked[job_id] for job_id in first)
    assert_soon(crowd, hall)
