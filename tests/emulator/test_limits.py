from __future__ import annotations

import openai
import pytest
from pydantic import ValidationError

from runner.emulator.settings import EmulatorSettings
from runner.emulator.surface import AzureSurface, Surface

PROMPT = "A timelapse of a city skyline from dawn to dusk"


def create(client):
    return client.videos.create(prompt=PROMPT)


def headers(client):
    return client.videos.with_raw_response.create(prompt=PROMPT).headers


@pytest.fixture
def limited(make_emulator, clock, connect):
    """A client of an emulator with limits whose clock stands still; jobs take 100 s, in real time."""

    def make(**limits):
        emulator = make_emulator(now=clock, time_scale=1, latency=100, **limits)
        return connect(emulator.base_url, _strict_response_validation=False)

    return make


@pytest.mark.parametrize("dialect", ["plain", "vllm_omni", "sglang", "litellm"])
def test_more_running_jobs_than_allowed_are_refused(limited, clock, dialect):
    client = limited(max_running_jobs=2, dialect=dialect)
    create(client), create(client)
    with pytest.raises(openai.RateLimitError) as caught:
        create(client)
    assert "Too many running tasks" in caught.value.response.text
    assert "retry-after" not in caught.value.response.headers
    clock.time += 100
    create(client)


def test_a_refused_job_was_never_made(make_emulator, connect):
    emulator = make_emulator(max_running_jobs=1, latency=1e6)
    client = connect(emulator.base_url)
    create(client)
    with pytest.raises(openai.RateLimitError):
        create(client)
    assert emulator.ledger()["jobs"] == 1


def test_a_stuck_job_runs_for_ever(limited, clock):
    client = limited(max_running_jobs=1)
    client.videos.create(prompt=PROMPT, extra_headers={"x-emulator-fault": "stuck"})
    clock.time += 1_000_000
    with pytest.raises(openai.RateLimitError):
        create(client)


def test_azure_refuses_in_its_own_envelope(make_emulator, connect):
    client = connect(f"{make_emulator(max_running_jobs=1, latency=1e6).azure_url}/openai/v1")
    client = client.with_options(default_headers={"api-key": "k"})
    create(client)
    with pytest.raises(openai.RateLimitError) as caught:
        create(client)
    assert caught.value.body["code"] == "429"


def test_answers_tell_what_remains_of_the_minute(limited, clock):
    client = limited(requests_per_minute=2)
    told = []
    for _ in range(2):
        answer = headers(client)
        told.append([answer[f"x-ratelimit-{name}-requests"] for name in ("limit", "remaining", "reset")])
        clock.time += 10
    assert told == [["2", "1", "1m0s"], ["2", "0", "50s"]]


def test_more_requests_than_a_minute_allows_are_refused_until_the_first_is_a_minute_old(limited, clock):
    client = limited(requests_per_minute=2)
    create(client), create(client)
    clock.time += 45
    with pytest.raises(openai.RateLimitError, match="requests per min") as caught:
        create(client)
    told = caught.value.response.headers
    assert (told["retry-after"], told["x-ratelimit-remaining-requests"]) == ("15", "0")
    clock.time += 15
    create(client)


def test_only_paid_requests_count(limited):
    client = limited(requests_per_minute=2)
    job = create(client)
    for _ in range(5):
        assert "x-ratelimit-limit-requests" not in client.videos.with_raw_response.retrieve(job.id).headers
    client.images.generate(prompt=PROMPT, model="gpt-image-2")
    with pytest.raises(openai.RateLimitError):
        client.images.generate(prompt=PROMPT, model="gpt-image-2")


def test_a_minute_is_an_emulated_one(make_emulator, clock, connect):
    client = connect(make_emulator(now=clock, time_scale=100, requests_per_minute=1).base_url)
    create(client)
    with pytest.raises(openai.RateLimitError) as caught:
        create(client)
    assert caught.value.response.headers["retry-after"] == "0.6"
    clock.time += 0.6
    create(client)


def test_without_limits_nothing_is_told(client):
    assert not [name for name in headers(client) if "ratelimit" in name]


@pytest.mark.parametrize(
    ("seconds", "openai_form", "azure_form"),
    [(0.012, "12ms", "1"), (1, "1s", "1"), (8.64, "8.64s", "9"), (360, "6m0s", "360"), (90.5, "1m30.5s", "91")],
)
def test_durations_have_each_servers_form(tmp_path, seconds, openai_form, azure_form):
    settings = EmulatorSettings(state_file=tmp_path / "state")
    assert Surface(settings).span(seconds) == openai_form
    assert AzureSurface(settings).span(seconds) == azure_form


@pytest.mark.parametrize("limit", ["max_running_jobs", "requests_per_minute"])
def test_a_limit_of_nothing_is_refused(tmp_path, limit):
    with pytest.raises(ValidationError, match=limit):
        EmulatorSettings(state_file=tmp_path / "state", **{limit: 0})
