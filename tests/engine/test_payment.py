from __future__ import annotations

import json
from dataclasses import replace

import pytest

from runner.artifacts.run_status import RunStatus
from runner.errors import (
    AuthenticationError,
    BadRequestError,
    ConfigError,
    HTTPConnectionError,
    ModelNotFoundError,
    QuotaError,
    RateLimitError,
    ServerError,
    UncertainError,
    UnexpectedAnswerError,
)


def test_submitting_is_on_disk_before_the_request_leaves_and_the_id_straight_after(engine, provider, runs, stored):
    (run,) = runs()
    seen = []
    provider.before_answer = lambda: seen.append(stored(run).status)
    engine.listeners.append(
        lambda event: seen.append(stored(run).job_id) if event.status is RunStatus.SUBMITTED else None
    )
    engine([run])
    assert seen[0] is RunStatus.SUBMITTING
    assert set(seen[1:]) == {"video_0"}


def test_a_lost_answer_makes_the_run_uncertain_and_is_never_repeated(engine, provider, runs, stored):
    provider.on_submit.append(UncertainError("the connection dropped"))
    (run,) = runs()
    outcome = engine([run])
    assert len(provider.sent) == 1
    assert stored(run).status is RunStatus.UNCERTAIN
    assert stored(run).error.type == "UncertainError"
    assert outcome.exit_code == 4


def test_a_server_error_on_a_paid_request_counts_as_uncertain(engine, provider, runs):
    provider.on_submit.append(ServerError("500", status_code=500))
    outcome = engine(runs())
    assert len(provider.sent) == 1
    assert outcome.results[0].status is RunStatus.UNCERTAIN


def test_a_bug_during_a_paid_request_leaves_it_uncertain(engine, provider, runs, caplog):
    provider.on_submit.append(ZeroDivisionError())
    assert engine(runs()).results[0].status is RunStatus.UNCERTAIN


@pytest.mark.parametrize("seconds", [3, 300, 90_000])
def test_retry_after_is_waited_out_within_the_deadline(engine, provider, runs, seconds):
    provider.on_submit.append(RateLimitError("slow down", retry_after=seconds))
    outcome = engine(runs(deadline_seconds=seconds + 60))
    assert outcome.exit_code == 0
    assert provider.sent[1] - provider.sent[0] == pytest.approx(seconds, abs=1)
    assert [attempt.error is None for attempt in outcome.results[0].attempts] == [False, True]


@pytest.mark.parametrize("seconds", [601, 1e9, 251_606_278_258.0, 1e300])
def test_a_wait_beyond_the_deadline_ends_submitting_at_once_and_leaves_all_to_be_resumed(
    engine, provider, runs, stored, seconds
):
    provider.on_submit.append(RateLimitError("slow down, says the server", retry_after=seconds))
    sweep = runs(20, max_concurrent_requests=1)
    outcome = engine(sweep)
    assert engine.seconds < 1
    assert len(provider.sent) == 1
    assert {result.status for result in outcome.results} == {RunStatus.PLANNED}
    assert outcome.exit_code == 4
    assert isinstance(outcome.stopped_by, RateLimitError)
    met = stored(sweep[0]).error
    assert "slow down, says the server" in met.message
    assert "nothing was sent" in met.message
    assert "provider.deadline_seconds" in met.hint


def test_jobs_that_exist_are_brought_home_although_the_wait_to_submit_has_no_end(engine, provider, runs):
    orders = iter([None, None, RateLimitError("slow down", retry_after=1e12)])
    provider.on_submit = type("Orders", (), {"popleft": lambda _: next(orders, None), "__bool__": lambda _: True})()
    outcome = engine(runs(5, max_concurrent_requests=1))
    assert sorted(result.status for result in outcome.results) == [*["planned"] * 3, *["verified"] * 2]
    assert engine.seconds < 60


def test_refusals_without_end_end_with_the_deadline(engine, provider, runs):
    provider.on_submit.extend(RateLimitError("busy") for _ in range(1000))
    outcome = engine(runs(3, deadline_seconds=300))
    assert 150 < engine.seconds < 400
    assert {result.status for result in outcome.results} == {RunStatus.PLANNED}
    assert outcome.exit_code == 4


def test_a_run_that_alone_is_refused_without_end_ends_alone(engine, provider, runs, configs):
    video_config, _ = configs
    submit = provider.submit

    async def picky(config, *_):
        if config.request.prompt == "disliked":
            raise RateLimitError("You are being rate limited")
        return await submit(config)

    provider.submit = picky
    config = video_config(deadline_seconds=60, max_concurrent_jobs=3)
    disliked = config.model_copy(update={"request": config.request.model_copy(update={"prompt": "disliked"})})
    outcome = engine([*runs(1, disliked), *runs(60, config)])
    statuses = [result.status for result in outcome.results]
    assert statuses == ["planned", *["verified"] * 60]


def test_an_answer_that_allows_no_more_for_days_leaves_the_rest_to_be_resumed(engine, provider, runs):
    submit = provider.submit

    async def limited(config, *_):
        return replace(await submit(config), submit_after=86_400.0)

    provider.submit = limited
    outcome = engine(runs(3, max_concurrent_requests=1))
    assert sorted(result.status for result in outcome.results) == ["planned", "planned", "verified"]
    assert "allows no more requests" in str(outcome.stopped_by)
    assert outcome.exit_code == 4


def test_the_server_s_words_are_told_once_while_it_is_waited_for(engine, provider, runs):
    provider.on_submit.extend(RateLimitError(f"too fast, says the server, request {n}") for n in range(8))
    engine(runs(4))
    assert len([note for note in engine.notes if "too fast, says the server" in note]) == 1


def test_without_retry_after_the_wait_doubles_with_jitter(engine, provider, runs):
    provider.on_submit.extend(RateLimitError("slow down") for _ in range(8))
    engine(runs())
    waits = [later - earlier - 0.05 for earlier, later in zip(provider.sent, provider.sent[1:], strict=False)]
    assert waits == pytest.approx([0.5, 1, 2, 4, 8, 16, 30, 30], abs=0.2)


def test_one_429_makes_every_run_of_the_endpoint_wait(engine, provider, runs):
    provider.on_submit.append(RateLimitError("slow down", retry_after=100))
    outcome = engine(runs(30, max_concurrent_requests=1))
    assert outcome.exit_code == 0
    assert provider.sent[1] >= 100
    assert len(provider.sent) == 31
    assert len([note for note in engine.notes if "rate limited" in note]) == 1


def test_requests_refused_together_count_as_one_refusal(engine, provider, runs):
    provider.on_submit.extend(RateLimitError("slow down") for _ in range(8))
    engine(runs(8))
    assert provider.sent[8] - provider.sent[7] == pytest.approx(0.55, abs=0.1)


def test_a_429_on_creating_does_not_keep_finished_videos_waiting(engine, provider, runs):
    seen = iter([None, RateLimitError("too many running jobs", retry_after=500)])
    provider.on_submit = type("Orders", (), {"popleft": lambda _: next(seen, None), "__bool__": lambda _: True})()
    assert engine(runs(2, max_concurrent_requests=1)).exit_code == 0
    assert provider.downloads[0] < 20
    assert provider.sent[2] >= 500


def test_a_run_refused_with_429_is_planned_again_on_disk(engine, provider, runs, stored):
    provider.on_submit.append(RateLimitError("slow down", retry_after=100))
    (run,) = runs()
    waiting = []
    engine.listeners.append(lambda event: waiting.append(stored(run).status) if event.note else None)
    engine([run])
    assert waiting == [RunStatus.PLANNED]


def test_an_endpoint_that_never_answered_is_given_up_soon_and_stops_submitting(engine, provider, runs):
    provider.on_submit.extend(HTTPConnectionError("no such host") for _ in range(99))
    outcome = engine(runs(5, max_concurrent_jobs=1))
    assert len(provider.sent) == 3
    assert provider.sent[-1] < 5
    assert [result.status for result in outcome.results] == ["failed"] + ["planned"] * 4
    assert isinstance(outcome.stopped_by, HTTPConnectionError)
    assert outcome.exit_code == 1


def test_an_outage_of_half_a_minute_is_survived(engine, provider, runs):
    outage = [HTTPConnectionError("connection refused") for _ in range(5)]
    provider.on_submit.extend([None, *outage])
    assert engine(runs(2, max_concurrent_jobs=1)).exit_code == 0
    assert len(provider.created) == 2
    assert provider.sent[-1] - provider.sent[1] > 20


def test_an_endpoint_that_worked_before_fails_runs_one_by_one(engine, provider, runs):
    outage = iter([None, *(HTTPConnectionError("connection refused") for _ in range(6))])
    provider.on_submit = type("Orders", (), {"popleft": lambda _: next(outage, None), "__bool__": lambda _: True})()
    outcome = engine(runs(3, max_concurrent_jobs=1))
    assert [result.status for result in outcome.results] == ["verified", "failed", "verified"]


@pytest.mark.parametrize("error", [AuthenticationError, ModelNotFoundError, QuotaError])
def test_an_error_that_every_sibling_would_meet_stops_submitting_and_is_said_once(engine, provider, runs, error):
    provider.on_submit.extend(error("no") for _ in range(50))
    sweep = runs(50, max_concurrent_requests=1)
    outcome = engine(sweep)
    assert len(provider.sent) == 1
    assert isinstance(outcome.stopped_by, error)
    assert [result.status for result in outcome.results].count("planned") == 49
    assert len([note for note in engine.notes if "nothing more is submitted" in note]) == 1
    assert outcome.exit_code == 1


def test_runs_under_way_finish_although_submitting_has_stopped(engine, provider, runs):
    orders = iter([None, None, QuotaError("no money left")])
    provider.on_submit = type("Orders", (), {"popleft": lambda _: next(orders, None), "__bool__": lambda _: True})()
    outcome = engine(runs(5, max_concurrent_requests=1))
    assert sorted(result.status for result in outcome.results) == ["failed", *["planned"] * 2, *["verified"] * 2]


def test_a_page_instead_of_the_api_stops_submitting_only_if_the_api_never_answered(engine, provider, runs):
    provider.on_submit.append(UnexpectedAnswerError("HTML"))
    assert [r.status for r in engine(runs(2, max_concurrent_jobs=1)).results] == ["failed", "planned"]


def told(provider, *orders):
    """Let the provider do one after the other of `orders`, then as usual."""
    left = iter(orders)
    provider.on_submit = type("Orders", (), {"popleft": lambda _: next(left, None), "__bool__": lambda _: True})()


PAGES = [
    UnexpectedAnswerError("a firewall page", unsure=True),
    AuthenticationError("no", status_code=403, unsure=True),
]


@pytest.mark.parametrize("error", PAGES)
def test_what_may_be_one_run_s_own_fails_it_alone(engine, provider, runs, error):
    told(provider, error, error)
    outcome = engine(runs(4, max_concurrent_jobs=1))
    assert [result.status for result in outcome.results] == ["failed", "failed", "verified", "verified"]
    assert outcome.stopped_by is None


@pytest.mark.parametrize("error", PAGES)
def test_what_may_be_one_run_s_own_stops_submitting_when_three_in_a_row_met_it(engine, provider, runs, error):
    told(provider, *[error] * 9)
    outcome = engine(runs(6, max_concurrent_jobs=1))
    assert [result.status for result in outcome.results] == [*["failed"] * 3, *["planned"] * 3]


@pytest.mark.parametrize("error", PAGES)
def test_what_was_served_before_is_never_everybody_s_for_a_page(engine, provider, runs, error):
    told(provider, None, *[error] * 4)
    outcome = engine(runs(6, max_concurrent_jobs=1))
    assert [result.status for result in outcome.results] == ["verified", *["failed"] * 4, "verified"]


def test_a_gateway_whose_backend_is_down_makes_no_more_than_three_runs_uncertain(engine, provider, runs):
    error = UncertainError("502, with a page")
    error.shared = None
    told(provider, *[error] * 9)
    outcome = engine(runs(6, max_concurrent_jobs=1))
    assert [result.status for result in outcome.results] == [*["uncertain"] * 3, *["planned"] * 3]


STRAY = AuthenticationError("Incorrect API key", status_code=401)


def test_a_stray_401_among_siblings_that_pass_is_sent_once_more(engine, provider, runs):
    told(provider, None, STRAY)
    outcome = engine(runs(3, max_concurrent_jobs=1))
    assert outcome.exit_code == 0
    assert len(provider.sent) == 4
    assert any("others passed with the same key" in note for note in engine.notes)


def test_a_run_whose_401_repeats_is_left_to_be_resumed_and_its_siblings_go_on(engine, provider, runs, stored):
    told(provider, None, STRAY, STRAY)
    sweep = runs(4, max_concurrent_jobs=1)
    outcome = engine(sweep)
    assert [result.status for result in outcome.results] == ["verified", "planned", "verified", "verified"]
    assert "Incorrect API key" in stored(sweep[1]).error.message
    assert outcome.exit_code == 4


def test_a_key_that_is_revoked_stops_submitting_after_three_runs(engine, provider, runs):
    told(provider, None, *[STRAY] * 99)
    outcome = engine(runs(20, max_concurrent_jobs=1))
    assert [result.status for result in outcome.results] == ["verified", *["planned"] * 19]
    assert len(provider.sent) == 1 + 3 * 2
    assert isinstance(outcome.stopped_by, AuthenticationError)


def test_a_key_that_never_was_right_stops_submitting_at_once(engine, provider, runs):
    told(provider, *[STRAY] * 99)
    outcome = engine(runs(20, max_concurrent_jobs=1))
    assert [result.status for result in outcome.results] == ["failed", *["planned"] * 19]
    assert len(provider.sent) == 1


def test_a_refused_request_fails_its_run_only(engine, provider, runs):
    provider.on_submit.append(BadRequestError("bad size"))
    outcome = engine(runs(3))
    assert sorted(result.status for result in outcome.results) == ["failed", "verified", "verified"]
    assert outcome.stopped_by is None


def test_fail_fast_stops_submitting_everywhere_after_the_first_failure(engine, provider, runs, configs):
    video_config, _ = configs
    provider.on_submit.append(BadRequestError("bad size"))
    here = runs(3, max_concurrent_jobs=1)
    there = runs(3, video_config("https://other.example/v1", max_concurrent_jobs=1))
    outcome = engine([*here, *there], fail_fast=True)
    assert sorted(result.status for result in outcome.results) == ["failed", *["planned"] * 4, "verified"]
    assert isinstance(outcome.stopped_by, BadRequestError)


def test_submissions_keep_to_requests_per_minute(engine, provider, runs):
    engine(runs(4, requests_per_minute=2))
    gaps = [later - earlier for earlier, later in zip(provider.sent, provider.sent[1:], strict=False)]
    assert gaps == pytest.approx([30, 30, 30], abs=0.1)


def test_a_provider_that_cannot_be_made_leaves_everything_planned_and_unsent(engine, runs, stored):
    def create(config):
        raise ConfigError("OPENAI_API_KEY is not set")

    sweep = runs(2)
    outcome = engine(sweep, create=create)
    assert isinstance(outcome.stopped_by, ConfigError)
    assert [result.status for result in outcome.results] == ["planned", "planned"]
    assert outcome.exit_code == 2
    assert stored(sweep[1]).status is RunStatus.PLANNED


def test_result_json_is_never_half_written(engine, runs):
    (run,) = runs()
    contents = []
    engine.listeners.append(lambda _: contents.append((run.directory / "result.json").read_bytes()))
    engine([run])
    assert all(json.loads(content)["index"] == 0 for content in contents)


def test_a_model_that_is_not_there_stops_its_own_runs_and_no_other_model_s(engine, provider, runs, configs):
    video_config, _ = configs
    good = video_config(max_concurrent_jobs=1)
    bad = good.model_copy(update={"model": good.model.model_copy(update={"name": "mistyped"})})
    submit = provider.submit

    async def knowing(config, *_):
        if config.sent_model == "mistyped":
            provider.sent.append(-1.0)
            raise ModelNotFoundError("no such deployment")
        return await submit(config)

    provider.submit = knowing
    outcome = engine([run for _ in range(3) for run in (*runs(1, bad), *runs(1, good))])
    assert [result.status for result in outcome.results] == ["failed", "verified", *["planned", "verified"] * 2]
    assert provider.sent.count(-1.0) == 1
    assert len([note for note in engine.notes if "nothing more is submitted with mistyped" in note]) == 1
    assert outcome.exit_code == 1
