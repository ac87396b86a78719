from __future__ import annotations

from dataclasses import replace

import pytest

from runner.artifacts.run_status import RunStatus
from runner.config.price import reserved
from runner.config.provider import OpenAIConfig
from runner.config.run import Fallback
from runner.engine.recorder import BudgetTracker
from runner.errors import (
    ArtifactError,
    AuthenticationError,
    ConfigError,
    ContentModerationError,
    GenerationFailedError,
    HTTPConnectionError,
    RateLimitError,
    UncertainError,
)
from runner.providers.base import Job, JobStatus

SECOND = OpenAIConfig(kind="openai", base_url="https://second.example/v1", max_concurrent_jobs=2)


@pytest.fixture
def second(make_provider):
    """The provider that is fallen back to."""
    return make_provider()


@pytest.fixture
def both(provider, second):
    return lambda config: second if config == SECOND else provider


@pytest.fixture
def chained(runs, configs):
    """Runs with one fallback."""

    def make(count: int = 1, **provider):
        config = configs[0](**provider)
        return runs(count, config.model_copy(update={"fallbacks": (Fallback(provider=SECOND, model=config.model),)}))

    return make


def failed(number: int = 0) -> Job:
    return Job(f"video_{number}", JobStatus.FAILED, "failed", error_message="the GPU melted")


def test_a_failed_job_is_made_elsewhere_and_every_attempt_recorded(engine, both, provider, second, chained, stored):
    provider.on_retrieve.append(failed())
    (run,) = chained()
    outcome = engine([run], create=both)
    result = stored(run)
    assert outcome.exit_code == 0
    assert outcome.errors == [None]
    assert (result.status, result.choice, result.error) == (RunStatus.VERIFIED, 1, None)
    assert [attempt.choice for attempt in result.attempts] == [0, 1]
    assert result.attempts[0].error.type == "GenerationFailedError"
    assert result.attempts[0].job_id == "video_0"
    assert result.config == run.config
    assert len(second.sent) == 1
    assert "fell back to openai" in result.warnings[0]
    assert sum(event.result is not None for event in engine.events) == 1


@pytest.mark.parametrize("error", [RateLimitError("slow down", retry_after=9000), HTTPConnectionError("refused")])
def test_what_was_provably_not_created_is_not_waited_for(engine, both, provider, second, chained, error):
    provider.on_submit.append(error)
    outcome = engine(chained(), create=both)
    assert outcome.exit_code == 0
    assert engine.seconds < 60
    assert (len(provider.sent), len(second.sent)) == (1, 1)


@pytest.mark.parametrize("error", [RateLimitError("slow down", retry_after=9), HTTPConnectionError("refused")])
def test_nor_is_it_where_the_caller_has_another_choice(engine, provider, runs, error):
    provider.on_submit.append(error)
    outcome = engine([replace(run, followed=True) for run in runs(1)])
    assert outcome.errors == [error]
    assert (outcome.results[0].status, len(provider.sent)) == (RunStatus.FAILED, 1)


def test_the_last_choice_waits_as_ever(engine, both, provider, second, chained):
    provider.on_submit.append(RateLimitError("slow down"))
    second.on_submit.append(RateLimitError("slow down", retry_after=500))
    assert engine(chained(), create=both).exit_code == 0
    assert engine.seconds > 500


@pytest.mark.parametrize(
    "error",
    [UncertainError("lost"), ContentModerationError("no"), AuthenticationError("no"), ArtifactError("half a file")],
)
def test_other_errors_end_the_run_where_it_is(engine, both, provider, second, chained, error):
    provider.on_submit.append(error)
    outcome = engine(chained(), create=both)
    (met,) = outcome.errors
    assert type(met) is type(error)
    assert str(met).startswith(str(error)), "of what stays uncertain it also says why no job was found"
    assert second.sent == []


def test_a_download_that_never_succeeds_is_not_paid_for_again(engine, both, provider, second, chained):
    provider.on_content.extend([ArtifactError("half a file")] * 20)
    outcome = engine(chained(), create=both)
    assert outcome.results[0].status is RunStatus.COMPLETED
    assert second.sent == []


def test_when_both_fail_the_run_has_the_last_error(engine, both, provider, second, chained, stored):
    provider.on_retrieve.append(failed())
    second.on_retrieve.append(failed())
    (run,) = chained()
    outcome = engine([run], create=both)
    assert isinstance(outcome.errors[0], GenerationFailedError)
    assert stored(run).status is RunStatus.FAILED
    assert len(stored(run).attempts) == 2


def test_the_limits_of_the_second_endpoint_hold(engine, both, provider, second, chained):
    provider.on_submit.extend([HTTPConnectionError("refused")] * 9)
    outcome = engine(chained(9), create=both)
    assert outcome.exit_code == 0
    assert second.most_jobs <= SECOND.max_concurrent_jobs


def test_siblings_are_not_stopped_by_what_a_run_falls_back_from(engine, both, provider, chained):
    provider.on_submit.append(HTTPConnectionError("refused"))
    outcome = engine(chained(3), create=both)
    assert outcome.exit_code == 0
    assert [result.choice for result in outcome.results].count(0) == 2


def test_a_fallback_that_cannot_be_opened_leaves_the_first_error(engine, provider, chained):
    def create(config):
        if config == SECOND:
            raise ConfigError("no key")
        return provider

    provider.on_retrieve.append(failed())
    outcome = engine(chained(), create=create)
    assert isinstance(outcome.errors[0], GenerationFailedError)
    assert outcome.exit_code == 1


def test_both_clients_are_closed(engine, both, provider, second, chained):
    provider.on_retrieve.append(failed())
    engine(chained(), create=both)
    assert (provider.closed, second.closed) == (True, True)


def test_runs_that_lack_only_money_for_their_next_choice_all_wait_for_it(
    engine, both, provider, second, chained, stored
):
    """Also the one whose job fails when the sweep is being stopped already."""
    slow = Job("video_1", JobStatus.IN_PROGRESS, "in_progress")
    jobs = {"video_0": [failed(0)], "video_1": [slow, slow, failed(1)]}

    async def retrieve(job_id):
        return jobs[job_id].pop(0)

    provider.retrieve = retrieve
    first, other = chained(2)
    price = reserved(first.config)
    outcome = engine([first, other], create=both, budget_tracker=BudgetTracker(2.5 * price))
    assert outcome.exit_code == 3
    assert len(provider.sent) == 2
    assert second.sent == []
    assert [(stored(run).status, stored(run).choice) for run in (first, other)] == [(RunStatus.PLANNED, 1)] * 2
