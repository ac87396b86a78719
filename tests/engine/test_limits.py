from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from runner.artifacts.run_status import RunStatus
from runner.engine.clock import Clock
from runner.engine.endpoint import Endpoint
from runner.engine.scheduler import Scheduler
from runner.errors import BadRequestError, QuotaError, RateLimitError

from .configs import video_config
from .simulation import SimulatedLoop


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
    assert max(most) <= 7 * 2 + 2  # the workers with a request each, the scheduler and who called it


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


class Refusing:
    """Orders for a `FakeProvider`: refuses with 429 whenever `refuses` says so, and counts how often."""

    def __init__(self, refuses, **hints):
        self.refuses = refuses
        self.hints = hints
        self.count = 0

    def __bool__(self):
        return True

    def popleft(self):
        if not self.refuses():
            return None
        self.count += 1
        return RateLimitError("Too many running tasks", **{"crowded": True, **self.hints})


@pytest.fixture
def crowd(provider):
    """Let the provider run no more than so many jobs at once."""

    def make(most, **hints):
        def full():
            now = asyncio.get_running_loop().time()
            return sum(now - since < provider.seconds for since in provider.created.values()) >= most

        provider.on_submit = Refusing(full, **hints)
        return provider.on_submit

    return make


def between(moments, first, last):
    return [moment for moment in moments if first <= moment < last]


class TestJobsAtTheProvider:
    def test_settle_at_what_it_lets_run(self, engine, provider, runs, crowd):
        provider.seconds = 30
        refusals = crowd(5)
        assert engine(runs(60, max_concurrent_jobs=100)).exit_code == 0
        assert refusals.count <= 15
        assert engine.seconds < 1.5 * 60 * 30 / 5

    def test_stay_as_many_after_one_wave_that_says_nothing_of_jobs(self, engine, provider, runs):
        provider.seconds = 100
        provider.on_submit.extend(RateLimitError("slow down", retry_after=10) for _ in range(8))
        assert engine(runs(40, max_concurrent_requests=8)).exit_code == 0
        assert len(between(provider.sent, 0, 10)) == 8
        assert len(between(provider.sent, 10, 20)) == 40

    def test_are_what_runs_already_when_refusals_repeat_after_the_pause(self, engine, provider, runs, crowd):
        provider.seconds = 100
        refusals = crowd(5, crowded=False)
        assert engine(runs(10, max_concurrent_jobs=10)).exit_code == 0
        assert len(between(provider.sent, 20, 100)) == 0, "no place is left until a job ends"
        assert refusals.count <= 20

    def test_return_to_what_is_configured(self, engine, provider, runs):
        provider.on_submit.extend(RateLimitError("slow down", retry_after=1) for _ in range(6))
        engine(runs(80, max_concurrent_jobs=6))
        assert provider.most_jobs == 6

    def test_are_never_fewer_than_one(self, engine, provider, runs):
        provider.on_submit.extend(RateLimitError("slow down", retry_after=1) for _ in range(40))
        assert engine(runs(3)).exit_code == 0

    def test_include_those_that_an_earlier_process_had_sent(self, engine, provider, runs):
        provider.seconds = 100
        sent = runs(4, max_concurrent_jobs=20, max_concurrent_requests=8)
        results = engine.interrupted(sent, 1).results
        assert {result.status for result in results} == {RunStatus.SUBMITTED}
        earlier = [replace(run, earlier=result) for run, result in zip(sent, results, strict=True)]
        provider.sent.clear()
        provider.on_submit.extend(RateLimitError("too many jobs", retry_after=10, crowded=True) for _ in range(16))
        engine([*earlier, *runs(8, max_concurrent_jobs=20, max_concurrent_requests=8)])
        # Four are polled, and one or two more are tried once.
        assert len(between(provider.sent, 0, 10)) == 8
        assert len(between(provider.sent, 10, 90)) <= 2

    def test_stay_as_many_where_only_too_much_was_sent_in_a_time(self, engine, provider, runs):
        provider.seconds = 100
        refusals = [RateLimitError("requests per minute", retry_after=10, exhausted=True) for _ in range(8)]
        provider.on_submit.extend(refusals)
        engine(runs(30))
        assert len(between(provider.sent, 10, 10.09)) == 4, "half as many at once"
        assert len(between(provider.sent, 10, 20)) == 30


STRAY = {
    "rate": {"exhausted": True},
    "jobs": {"crowded": True},
    "neither": {},
}


class Nth:
    """Orders for a `FakeProvider`: refuses the nth request only."""

    def __init__(self, number, error):
        self.number, self.error = number, error

    def __bool__(self):
        return True

    def popleft(self):
        self.number -= 1
        return self.error if self.number == 0 else None


@pytest.mark.parametrize("kind", STRAY)
def test_one_429_in_a_sweep_costs_little_more_than_its_wait(engine, engine_for, make_provider, runs, kind):
    quick, refusing = make_provider(), make_provider()
    refusing.on_submit = Nth(12, RateLimitError("stray", retry_after=1, **STRAY[kind]))
    ideal, met = engine_for(quick), engine_for(refusing)
    assert ideal(runs(120, max_concurrent_jobs=120)).exit_code == 0
    assert met(runs(120, max_concurrent_jobs=120)).exit_code == 0
    assert met.seconds - ideal.seconds < 8
    assert len(refusing.sent) == 121


@pytest.mark.parametrize("kind", ["rate", "neither"])
def test_a_sweep_takes_no_longer_than_a_server_s_rate_asks(engine, provider, runs, kind):
    served = []

    def refuses():
        now = asyncio.get_running_loop().time()
        if len(between(served, now - 60, now + 1)) >= 20:
            return True
        served.append(now)
        return False

    provider.on_submit = Refusing(refuses, **{"crowded": False, **STRAY[kind]})
    assert engine(runs(60, max_concurrent_jobs=60)).exit_code == 0
    assert engine.seconds < 1.5 * (120 + provider.seconds)
    assert provider.on_submit.count < 100


@pytest.mark.parametrize("kind", ["rate", "jobs", "neither"])
@pytest.mark.parametrize("most", [1, 4])
def test_a_sweep_takes_no_longer_than_a_server_s_jobs_ask(engine, provider, runs, crowd, kind, most):
    provider.seconds = 30
    crowd(most, **{"crowded": False, **STRAY[kind]})
    assert engine(runs(6 * most, max_concurrent_jobs=100)).exit_code == 0
    assert engine.seconds < 1.35 * 6 * 30 + 10


def test_refused_polls_halve_the_requests_in_flight_until_others_are_served(engine, provider, runs):
    provider.latency, provider.seconds = 2, 200
    seen = []
    wave = iter([True] * 8)

    def refuses():
        seen.append((asyncio.get_running_loop().time(), provider.in_flight))
        return next(wave, False)

    provider.on_retrieve = Refusing(refuses, retry_after=20)
    provider.on_jobs.extend(BadRequestError("no list") for _ in range(3))
    assert engine(runs(40)).exit_code == 0
    begun = min(moment for moment, _ in seen if moment > seen[0][0] + 20)
    assert max(in_flight for moment, in_flight in seen if begun <= moment < begun + 3) == 4
    assert max(in_flight for moment, in_flight in seen if moment > begun + 3) == 8


def test_submissions_wait_when_an_answer_says_that_nothing_more_is_allowed_yet(engine, provider, runs):
    submit, waits = provider.submit, iter([None, 30.0, None])

    async def limited(config, *_):
        return replace(await submit(config), submit_after=next(waits))

    provider.submit = limited
    assert engine(runs(3, max_concurrent_requests=1)).exit_code == 0
    first, second, third = provider.sent
    assert second - first < 5
    assert third - second == pytest.approx(30, abs=1)


def test_a_refusal_that_tells_to_wait_for_no_time_at_all_is_backed_off_from(engine, provider, runs):
    provider.on_submit.extend(RateLimitError("slow down", retry_after=0) for _ in range(6))
    engine(runs())
    assert provider.sent[-1] > 10


class Hurried(Clock):
    """A second passes in five milliseconds."""

    def elapsed(self):
        return 200 * super().elapsed()

    async def sleep(self, seconds):
        await asyncio.sleep(seconds / 200)


@pytest.fixture
def key(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary-7f3a")


async def test_a_sweep_finds_out_how_many_jobs_a_server_runs(make_emulator, configs, runs, key):
    video_config, _ = configs
    emulator = make_emulator(max_running_jobs=5, latency=25)
    config = video_config(emulator.base_url, thumbnail=False, max_concurrent_jobs=100, poll_interval=4)
    outcome = await Scheduler(runs(60, config), observer=lambda event: None, clock=Hurried()).run()
    assert outcome.exit_code == 0, outcome.errors
    ledger = emulator.ledger()
    assert ledger["jobs"] == 60
    # Real time: how few refusals are enough is held above. Who learns nothing from them asks 103 to 125 times.
    assert 60 < ledger["requests"]["POST /v1/videos"] < 100


async def test_a_sweep_keeps_to_the_rate_that_a_server_tells_of(make_emulator, configs, runs, key):
    video_config, _ = configs
    # Its minute lasts a fifth of a second.
    emulator = make_emulator(requests_per_minute=10, time_scale=300)
    config = video_config(emulator.base_url, thumbnail=False, poll_interval=0.05)
    outcome = await Scheduler(runs(40, config), observer=lambda event: None).run()
    assert outcome.exit_code == 0, outcome.errors
    ledger = emulator.ledger()
    assert ledger["jobs"] == 40
    assert ledger["requests"]["POST /v1/videos"] <= 80


def test_a_run_that_waits_for_its_turn_among_other_processes_keeps_no_other_request_from_leaving(provider, clock):
    class Elsewhere:
        async def take(self, _holder):
            await asyncio.Event().wait()

        def leave(self, _holder):
            pass

    async def story():
        endpoint = Endpoint(provider, video_config(max_concurrent_requests=1).provider, clock, Elsewhere())

        async def submit():
            async with endpoint.submission("a run", "a-model"):
                pass

        waiting = asyncio.ensure_future(submit())
        await asyncio.sleep(1)
        provider.on_retrieve.append(BadRequestError("asked"))
        with pytest.raises(BadRequestError, match="asked"):
            await asyncio.wait_for(endpoint.retrieve("video_0"), 60)
        waiting.cancel()

    with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
        runner.run(story())
