from __future__ import annotations

import asyncio

from runner.errors import QuotaError


def test_jobs_in_flight_are_bounded(engine, provider, runs):
    assert engine(runs(20, max_concurrent_jobs=3)).exit_code == 0
    assert provider.most_jobs == 3


def test_requests_in_flight_are_bounded_downloads_included(engine, provider, runs):
    provider.latency = 2
    assert engine(runs(40, max_concurrent_requests=4)).exit_code == 0
    assert provider.most_in_flight == 4


def test_one_request_at_a_time_is_enough(engine, provider, runs):
    assert engine(runs(5, max_concurrent_requests=1)).exit_code == 0
    assert provider.most_in_flight == 1


def test_downloads_do_not_starve_polls(engine, provider, runs, body, clip):
    slow = [body(clip) for _ in range(30)]
    for download in slow:
        download.seconds = 100
    provider.on_content.extend(slow)
    latest = []
    engine.listeners.append(
        lambda event: latest.append(event.run.index) if event.remote_status == "completed" else None
    )
    outcome = engine(runs(30, max_concurrent_requests=4))
    assert outcome.exit_code == 0
    assert max(provider.polled) < 60


def test_thousands_of_waiting_runs_are_no_tasks(engine, provider, runs):
    provider.on_submit.extend(QuotaError("that is enough") for _ in range(100))
    most = []
    provider.before_answer = lambda: most.append(len(asyncio.all_tasks()))
    outcome = engine(runs(2_000, max_concurrent_jobs=7))
    assert len(outcome.results) == 2_000
    assert max(most) <= 7 * 2 + 1


def test_each_endpoint_has_its_own_limits(engine, provider, runs, configs):
    video_config, _ = configs
    here = runs(5, video_config("https://one.example/v1", max_concurrent_jobs=1))
    there = runs(5, video_config("https://two.example/v1", max_concurrent_jobs=1))
    made = []
    engine([*here, *there], create=lambda config: made.append(config.base_url) or provider)
    assert made == ["https://one.example/v1", "https://two.example/v1"]
    assert provider.most_jobs == 2


def test_results_come_in_the_order_of_the_runs(engine, provider, runs):
    sweep = runs(10, max_concurrent_jobs=4)
    assert [result.index for result in engine(reversed(sweep)).results] == list(reversed(range(10)))


def test_no_runs_are_no_problem(engine):
    outcome = engine([])
    assert (outcome.results, outcome.exit_code) == ([], 0)
