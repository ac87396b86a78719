"""The free question that goes before a paid request which starts from a finished video."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runner.artifacts.run_status import RunStatus
from runner.config.provider import CompatibleConfig
from runner.config.run import Fallback
from runner.errors import BadRequestError, HTTPConnectionError, RateLimitError


@pytest.fixture
def derived(runs, configs):
    """A run that starts from a finished video, at a host that takes its address."""

    def make(**provider):
        config = configs[0]()
        host = CompatibleConfig(kind="compatible", dialect="xai", base_url="https://fake.example/v1",
                                api_key_env=None, **provider)  # fmt: skip
        request = config.request.model_copy(update={"video": "video_before", "operation": "edit"})
        (run,) = runs(1, config.model_copy(update={"provider": host, "request": request}))
        return run

    return make


def test_it_is_asked_once_the_turn_has_come_and_its_answer_is_sent(engine, provider, derived, stored):
    run = derived()
    assert engine([run]).exit_code == 0
    assert provider.sources == ["https://files.example/1.mp4"]
    assert "files.example" not in (run.directory / "result.json").read_text()


def test_an_endpoint_that_takes_one_request_at_a_time_is_no_deadlock(engine, provider, derived):
    assert engine([derived(max_concurrent_requests=1)]).exit_code == 0


@pytest.mark.parametrize("error", [HTTPConnectionError("down"), RateLimitError("wait", retry_after=5)])
def test_what_passes_is_asked_again_and_a_fresh_address_is_sent(engine, provider, derived, stored, error):
    provider.on_source.append(error)
    run = derived()
    assert engine([run]).exit_code == 0
    assert provider.sources == ["https://files.example/2.mp4"]
    assert len(stored(run).attempts) == 1


def test_what_does_not_pass_is_a_failed_run_that_sent_and_paid_nothing(engine, provider, derived, stored):
    provider.on_source += [HTTPConnectionError("down; nothing was sent or paid")] * 9
    run = derived()
    assert engine([run]).exit_code == 1
    assert (stored(run).status, stored(run).attempts, provider.sent) == (RunStatus.FAILED, [], [])
    assert stored(run).error.retryable


def test_a_source_that_is_gone_is_not_asked_for_again(engine, provider, derived, stored):
    provider.on_source.append(BadRequestError("has no video"))
    run = derived()
    assert engine([run]).exit_code == 1
    assert (len(provider.looked), provider.sent, stored(run).error.retryable) == (1, [], False)


def test_no_answer_in_time_is_no_request_that_was_sent(engine, provider, derived, stored):
    provider.latency = 1e6
    run = derived()
    engine([run])
    assert (stored(run).status, stored(run).attempts, provider.sent) == (RunStatus.FAILED, [], [])
    assert "about the video to start from" in stored(run).error.message


@pytest.mark.parametrize("times", [(10,), (10, 20)])
def test_ctrl_c_meanwhile_leaves_the_run_planned(engine, provider, derived, stored, times):
    provider.latency = 15
    run = derived()
    engine.interrupted([run], *times)
    assert (stored(run).status, stored(run).attempts, provider.sent) == (RunStatus.PLANNED, [], [])


def test_a_run_whose_source_cannot_be_told_goes_to_its_next_choice(engine, provider, derived, stored, configs):
    provider.on_source.append(HTTPConnectionError("down"))
    run, other = derived(), configs[0]()
    fallback = Fallback(provider=other.provider, model=other.model)
    run = replace(run, config=run.config.model_copy(update={"fallbacks": (fallback,)}))
    assert engine([run]).exit_code == 0
    assert stored(run).choice == 1
    assert provider.sources == [None], "there the job is named by its id"
