"""A pool of servers: how runs are spread, that jobs stay where they are, and what a server's failure does."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runner.artifacts.run_status import RunStatus
from runner.engine.store import ResultFiles
from runner.errors import (
    AuthenticationError,
    ContentModerationError,
    DiskError,
    HTTPConnectionError,
    RateLimitError,
    UncertainError,
)

URLS = ("http://gpu1.example/v1", "http://gpu2.example/v1")


class Servers:
    """The pool's providers by their addresses."""

    def __init__(self, make_provider, urls=URLS):
        self.all = {url: make_provider() for url in urls}
        for number, (url, provider) in enumerate(self.all.items()):
            provider.endpoint, provider.prefix = url, f"video_{number}"

    def __call__(self, config):
        return self.all[config.base_url]

    def __getitem__(self, number):
        return list(self.all.values())[number]

    @property
    def sent(self):
        return [len(provider.sent) for provider in self.all.values()]

    @property
    def created(self):
        return [len(provider.created) for provider in self.all.values()]


@pytest.fixture
def servers(make_provider):
    return Servers(make_provider)


@pytest.fixture
def pooled(runs, configs):
    """Runs of a pool, as `pooled(count, **provider)`."""

    def make(count=1, urls=URLS, **provider):
        return runs(count, configs[0](base_urls=urls, **provider))

    return make


def refuse_always(provider, make_error):
    class Refusals:
        def __bool__(self):
            return True

        def popleft(self):
            return make_error()

    provider.on_submit = Refusals()


def test_runs_are_spread_evenly(engine, servers, pooled, stored):
    made = pooled(10)
    outcome = engine(made, create=servers)
    assert outcome.exit_code == 0
    assert servers.created == [5, 5]
    assert sorted(stored(run).endpoint for run in made) == [URLS[0]] * 5 + [URLS[1]] * 5


def test_each_server_has_limits_of_its_own(engine, servers, pooled):
    outcome = engine(pooled(30, max_concurrent_jobs=4), create=servers)
    assert outcome.exit_code == 0
    assert [servers[0].most_jobs, servers[1].most_jobs] == [4, 4]


def test_a_member_s_own_limit_and_weight_count(engine, servers, pooled):
    urls = ({"base_url": URLS[0], "weight": 3}, {"base_url": URLS[1], "max_concurrent_jobs": 1})
    outcome = engine(pooled(8, urls), create=servers)
    assert outcome.exit_code == 0
    assert servers[1].most_jobs == 1
    assert servers.created in ([6, 2], [7, 1])


def test_the_next_run_goes_where_a_place_is_free(engine, servers, pooled):
    servers[0].seconds = 100
    outcome = engine(pooled(12, max_concurrent_jobs=1), create=servers)
    assert outcome.exit_code == 0
    assert servers.created[1] > 3 * servers.created[0]


def test_a_job_is_asked_for_only_where_it_was_made(engine, servers, pooled):
    first = pooled(6)
    outcome = engine.interrupted(first, 5, create=servers)
    assert all(result.status is RunStatus.SUBMITTED for result in outcome.results)
    before = [len(provider.sent) for provider in servers.all.values()]
    again = [replace(run, earlier=result) for run, result in zip(first, outcome.results, strict=True)]
    outcome = engine(again, create=servers)
    assert outcome.exit_code == 0
    assert servers.sent == before
    assert [len(provider.collected) for provider in servers.all.values()] == [3, 3]


@pytest.mark.parametrize(
    "make_error",
    [
        lambda: HTTPConnectionError("refused"),
        lambda: AuthenticationError("no such key", status_code=401),
    ],
)
def test_a_server_that_fails_rests_and_its_runs_go_to_the_other(engine, servers, pooled, stored, make_error):
    refuse_always(servers[0], make_error)
    made = pooled(20, max_concurrent_jobs=2)
    outcome = engine(made, create=servers)
    assert outcome.exit_code == 0
    assert servers.created == [0, 20]
    assert len(servers[0].sent) < 8
    assert {stored(run).endpoint for run in made} == {URLS[1]}
    notes = [note for note in engine.notes if "nothing more is sent to" in note]
    assert len(notes) == 1
    assert URLS[0] in notes[0]


def test_a_full_disk_ends_a_pool_in_order_and_a_run_that_would_go_elsewhere_with_it(
    engine, servers, pooled, monkeypatch
):
    def save(self, records):
        full = {id(each) for each in records if each.result.attempts and each.result.status is RunStatus.PLANNED}
        return [DiskError("No space left") if id(each) in full else files(self, [each])[0] for each in records]

    files = ResultFiles.save
    monkeypatch.setattr(ResultFiles, "save", save)
    refuse_always(servers[0], lambda: HTTPConnectionError("refused"))
    outcome = engine(pooled(4), create=servers)
    assert outcome.exit_code == 5
    assert isinstance(outcome.stopped_by, DiskError)
    assert len(outcome.results) == sum(event.result is not None for event in engine.events) == 4
    assert [note for note in engine.notes if "nothing more is submitted: No space left" in note]


def test_a_server_that_is_back_is_used_again(engine, servers, pooled):
    servers[0].on_submit.extend(HTTPConnectionError("refused") for _ in range(3))
    outcome = engine(pooled(40, max_concurrent_jobs=2), create=servers)
    assert outcome.exit_code == 0
    assert servers.created[0] > 10


def test_where_every_server_fails_the_sweep_stops_and_says_why(engine, servers, pooled):
    for provider in servers.all.values():
        refuse_always(provider, lambda: HTTPConnectionError("refused"))
    outcome = engine(pooled(20), create=servers)
    assert outcome.exit_code == 1
    assert isinstance(outcome.stopped_by, HTTPConnectionError)
    assert len(outcome.results) == 20
    assert sum(servers.sent) < 30
    assert {result.status for result in outcome.results} <= {RunStatus.PLANNED, RunStatus.FAILED}
    assert engine.seconds < 120


def test_a_server_that_is_full_is_not_waited_for(engine, servers, pooled):
    servers[0].on_submit.append(RateLimitError("slow down", retry_after=3000))
    outcome = engine(pooled(4, max_concurrent_jobs=1), create=servers)
    assert outcome.exit_code == 0
    assert servers.created == [0, 4]
    assert engine.seconds < 100


def test_a_pool_that_is_told_to_wait_waits(engine, servers, pooled):
    for provider in servers.all.values():
        provider.on_submit.append(RateLimitError("slow down", retry_after=60))
    outcome = engine(pooled(4), create=servers)
    assert outcome.exit_code == 0
    assert sum(servers.created) == 4
    assert 60 <= engine.seconds < 120


def test_a_pool_that_is_told_to_wait_too_long_gives_up(engine, servers, pooled):
    for provider in servers.all.values():
        refuse_always(provider, lambda: RateLimitError("slow down", retry_after=90_000))
    outcome = engine(pooled(4), create=servers)
    assert outcome.exit_code != 0
    assert isinstance(outcome.stopped_by, RateLimitError)
    assert sum(servers.created) == 0


def test_a_run_s_own_failure_is_its_own(engine, servers, pooled):
    servers[0].on_submit.append(ContentModerationError("not this"))
    outcome = engine(pooled(6), create=servers)
    assert outcome.exit_code == 1
    assert sum(error is not None for error in outcome.errors) == 1
    assert sum(servers.sent) == 6


def test_a_lost_answer_is_never_sent_elsewhere(engine, servers, pooled, stored):
    servers[1].on_submit.append(UncertainError("the answer was lost"))
    made = pooled(4)
    engine(made, create=servers)
    assert sum(servers.sent) == 4
    uncertain = [run for run in made if stored(run).status is RunStatus.UNCERTAIN]
    assert [stored(run).endpoint for run in uncertain] == [URLS[1]]


@pytest.mark.parametrize("more", [{}, {"job": "video_1_0"}, {"resubmit": True}], ids=["", "adopted", "resubmitted"])
def test_a_request_that_a_killed_process_left_is_looked_for_where_it_was_sent(engine, servers, pooled, more):
    made = pooled(2)
    results = engine(made, create=servers).results
    (left,) = (result for result in results if result.endpoint == URLS[1])
    attempt = left.attempts[0].model_copy(update={"job_id": None, "ended_at": None})
    update = {"status": RunStatus.SUBMITTING, "job_id": None, "artifacts": [], "attempts": [attempt]}
    lost = replace(made[left.index], earlier=left.model_copy(update=update), **more)
    outcome = engine([lost], create=servers)
    assert [result.status for result in outcome.results] == [RunStatus.VERIFIED]
    assert [result.endpoint for result in outcome.results] == [URLS[1]]
    assert servers.created == [1, 1]


def test_a_lost_job_is_looked_for_where_it_was_asked_for(engine, servers, pooled, stored):
    servers[1].answers_lost = 1
    made = pooled(4)
    outcome = engine(made, create=servers)
    assert outcome.exit_code == 0
    assert sum(servers.sent) == 4
    assert [len(provider.collected) for provider in servers.all.values()] == [2, 2]


def test_each_server_is_sent_the_name_it_gives_the_model(engine, servers, pooled, stored):
    urls = ({"base_url": URLS[0], "deployment": "sora-west"}, {"base_url": URLS[1], "deployment": "sora-east"})
    made = pooled(4, urls)
    outcome = engine(made, create=servers)
    assert outcome.exit_code == 0
    assert {config.model.deployment for config in servers[0].sent_configs} == {"sora-west"}
    assert {config.model.deployment for config in servers[1].sent_configs} == {"sora-east"}
    assert all(stored(run).config == run.config for run in made)
