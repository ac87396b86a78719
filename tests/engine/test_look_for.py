"""Looking for lost requests in an endpoint's list: how far it is read, and the whole way over HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import time

import pytest

from runner.artifacts.run_status import RunStatus
from runner.emulator.job import EmulatedJob
from runner.emulator.state import State
from runner.engine.clock import Clock
from runner.engine.endpoint import Endpoint
from runner.engine.matching import AROUND, Lost, OtherRuns
from runner.engine.reattachment import MAX_PAGES, TRIES, look_for
from runner.errors import AuthenticationError, RateLimitError, ServerError, UncertainError
from runner.providers.base import Job, JobPage, JobStatus
from runner.providers.job import backend_id
from runner.providers.registry import create

from .configs import video_config
from .simulation import EPOCH, SimulatedLoop

ENV = {"OPENAI_API_KEY": "sk-1", "AZURE_OPENAI_API_KEY": "k-1", "LITELLM_API_KEY": "sk-2"}
SENT = {"operation": "create", "prompt": "A paper boat at sea", "model": "sora-2", "seconds": "4"}


def job(number: int, *, age: float, prompt: str = "Another") -> Job:
    raw = {"prompt": prompt, "model": "sora-2", "seconds": "4"}
    return Job(f"video_{number}", JobStatus.QUEUED, "queued", created_at=EPOCH - age, raw=raw)


def pages(*groups: list[Job]) -> list[JobPage]:
    return [JobPage(tuple(group), group is not groups[-1], group[-1].id) for group in groups]


def lost(index: int = 0, *, age: float = 1000) -> Lost:
    return Lost(index, SENT, frozenset({"sora-2"}), EPOCH - age, EPOCH - age + 60)


@pytest.fixture
def look(provider, clock):
    """Look for runs in what the fake provider lists, in simulated time."""

    def search(*runs: Lost, claimed=OtherRuns):
        endpoint = Endpoint(provider, video_config().provider, clock)
        with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
            return runner.run(look_for(endpoint, runs, claimed))

    return search


def ids(findings) -> dict[int, str]:
    return {index: found.id for index, found in findings.reattached.items()}


MINE = job(7, age=990, prompt=SENT["prompt"])


def test_the_list_is_read_no_further_back_than_the_earliest_request(look, provider):
    provider.on_jobs.extend(
        pages([job(1, age=10), MINE], [job(2, age=1001 + AROUND), job(3, age=9000)], [job(4, age=9999)])
    )
    assert ids(look(lost())) == {0: "video_7"}
    assert len(provider.listed) == 2


def test_what_was_claimed_while_the_list_was_read_is_not_taken(look, provider):
    provider.on_jobs.extend(pages([MINE]))
    found = look(lost(), claimed=lambda: OtherRuns(frozenset({MINE.id} if provider.listed else ())))
    assert found.reattached == {}


def test_nothing_is_asked_where_nothing_was_lost(look, provider):
    assert look().reattached == {}
    assert provider.listed == []


def test_a_list_in_the_wrong_order_is_read_to_its_end(look, provider):
    provider.on_jobs.extend(pages([job(1, age=9999), job(2, age=9000)], [job(3, age=5000), MINE]))
    assert ids(look(lost())) == {0: "video_7"}


def test_a_server_that_repeats_its_first_page_is_not_asked_for_ever(look, provider):
    page = JobPage((job(1, age=10), MINE), more=True, last="video_7")
    provider.on_jobs.extend([page] * 10)
    found = look(lost())
    assert found.reattached == {}
    assert found.reasons[0] == "only the newest 2 jobs could be listed, and the run's may be an older one"
    assert len(provider.listed) == 2


def test_a_list_without_end_is_left_after_some_pages(look, provider):
    endless = [JobPage((job(n, age=10),), more=True, last=f"video_{n}") for n in range(2 * MAX_PAGES)]
    provider.on_jobs.extend(endless)
    assert "could be listed" in look(lost()).reasons[0]
    assert len(provider.listed) == MAX_PAGES


def test_errors_are_waited_out(look, provider):
    provider.on_jobs.extend([ServerError("busy"), RateLimitError("wait", retry_after=300), *pages([MINE])])
    assert ids(look(lost())) == {0: "video_7"}
    assert provider.listed[-1] > 300


def test_a_list_that_cannot_be_read_is_a_reason_and_no_error(look, provider):
    provider.on_jobs.extend([ServerError("busy")] * TRIES)
    assert look(lost()).reasons == {0: "the list of jobs could not be read: busy"}
    assert len(provider.listed) == TRIES


def test_a_wrong_key_is_not_tried_again(look, provider):
    provider.on_jobs.append(AuthenticationError("no such key"))
    assert "no such key" in look(lost()).reasons[0]
    assert len(provider.listed) == 1


def test_a_server_that_stalls_is_given_up(look, provider):
    provider.latency = 1e6
    assert "no list of jobs within" in look(lost()).reasons[0]


def test_what_was_read_before_an_error_decides_on_the_younger_requests(look, provider):
    young = job(8, age=20, prompt=SENT["prompt"])
    first = JobPage((young, job(1, age=1000)), more=True, last="video_1")
    provider.on_jobs.extend([first, *[ServerError("busy")] * TRIES])
    found = look(lost(0, age=30), lost(1, age=1000))
    assert ids(found) == {0: "video_8"}
    assert "busy" in found.reasons[1]


def test_a_run_whose_answer_was_lost_goes_on_with_the_job_that_was_made(engine, provider, runs):
    provider.answers_lost = 1
    outcome = engine(runs(3))
    assert [result.status for result in outcome.results] == ["verified"] * 3
    assert {result.job_id for result in outcome.results} == set(provider.created)
    assert len(provider.created) == 3


def test_ctrl_c_ends_the_search_and_leaves_the_run_uncertain(engine, provider, runs, stored):
    provider.answers_lost, provider.latency = 1, 20
    (run,) = runs()
    outcome = engine.interrupted([run], 30)
    assert outcome.exit_code == 130
    assert engine.seconds == pytest.approx(30, abs=1), "the list was asked for at 20 s, and would have come at 40 s"
    assert stored(run).status is RunStatus.UNCERTAIN
    assert len(provider.created) == 1


class Impatient(Clock):
    """The real time, in which every wait is over at once."""

    skipped = 0.0

    def elapsed(self) -> float:
        return super().elapsed() + self.skipped

    async def sleep(self, seconds: float) -> None:
        self.skipped += seconds
        await asyncio.sleep(0)


@pytest.fixture
async def opened(loaded, make_emulator, tmp_path):
    """A preset's endpoint on an emulator with that server's manners, and configs for it."""
    async with contextlib.AsyncExitStack() as stack:

        def build(preset="openai", *, rules=(), overrides=(), **settings):
            dialect = preset if preset in ("vllm_omni", "sglang", "litellm") else "plain"
            server = make_emulator(dialect=dialect, rules=rules, state_file=tmp_path / "jobs.sqlite3", **settings)
            url = server.azure_url if preset == "azure_openai" else server.base_url

            def config(*more):
                return loaded(f"provider={preset}", f"provider.base_url={url}", "provider.retired_models=off",
                              *overrides, *more)  # fmt: skip

            provider = create(config().provider, ENV)
            stack.push_async_callback(provider.close)
            return Endpoint(provider, config().provider, Impatient()), config, server

        yield build


LOSE = {"match": {"operation": "create"}, "fault": "drop_after_commit"}


async def lose(endpoint: Endpoint, config, index: int = 0) -> Lost:
    """Send a request whose answer does not come."""
    started = time.time()
    with pytest.raises(UncertainError):
        await endpoint.provider.submit(config)
    models = frozenset({config.sent_model, config.model.name})
    return Lost(index, endpoint.provider.body(config), models, started, time.time())


@pytest.mark.parametrize("preset", ["openai", "azure_openai", "vllm_omni"])
async def test_a_job_whose_answer_was_lost_is_found_again(opened, preset):
    endpoint, config, server = opened(preset, rules=[{**LOSE, "nth": 2}])
    known = await endpoint.provider.submit(config("request.prompt=Another"))
    gone = await lose(endpoint, config("model.deployment=prod") if preset == "azure_openai" else config())
    found = await look_for(endpoint, [gone], lambda: OtherRuns(frozenset({known.id})))
    assert ids(found) == {0: server.ledger()["created"][1]["id"]}


async def test_a_gateway_s_backend_finds_a_lost_job_and_takes_no_other_run_s(opened):
    endpoint, config, server = opened("litellm", rules=[{**LOSE, "nth": 2}],
                                      overrides=["provider.custom_llm_provider=hosted_vllm"])  # fmt: skip
    known = await endpoint.provider.submit(config())
    gone = await lose(endpoint, config())
    found = await look_for(endpoint, [gone], lambda: OtherRuns(frozenset({known.id})))
    (job,) = found.reattached.values()
    assert backend_id(job.id) == backend_id(server.ledger()["created"][1]["id"])
    both = await look_for(endpoint, [gone], OtherRuns)
    assert both.reattached == {}, "one of two jobs that fit is another's, and nobody knows which"


async def test_a_gateway_s_other_runs_keep_their_jobs_though_it_lists_them_under_other_ids(opened):
    endpoint, config, server = opened("litellm", rules=[{**LOSE, "fault": "drop_before_commit", "nth": 2}],
                                      overrides=["provider.custom_llm_provider=hosted_vllm"])  # fmt: skip
    known = await endpoint.provider.submit(config())
    gone = await lose(endpoint, config())
    found = await look_for(endpoint, [gone], lambda: OtherRuns(frozenset({known.id})))
    assert (found.reattached, found.reasons) == ({}, {0: "no job matches among 1 listed, 1 of other runs"})
    assert server.ledger()["jobs"] == 1


async def test_a_request_that_never_arrived_finds_nothing(opened):
    endpoint, config, server = opened(rules=[{**LOSE, "fault": "drop_before_commit"}])
    found = await look_for(endpoint, [await lose(endpoint, config())], OtherRuns)
    assert (found.reattached, found.reasons) == ({}, {0: "no job matches among 0 listed"})
    assert server.ledger()["jobs"] == 0


async def test_replicas_find_as_many_jobs_as_were_made(opened):
    rules = [{**LOSE, "nth": [1, 3]}, {**LOSE, "nth": 2, "fault": "drop_before_commit"}]
    endpoint, config, server = opened(rules=rules)
    gone = [await lose(endpoint, config(), index) for index in range(3)]
    found = await look_for(endpoint, gone, OtherRuns)
    assert set(ids(found).values()) == {made["id"] for made in server.ledger()["created"]}
    assert (len(found.reattached), len(found.reasons)) == (2, 1)


async def test_a_lost_remix_is_told_from_another_video_of_the_same_prompt(opened):
    rules = [{"match": {"operation": "remix"}, "fault": "drop_after_commit"}]
    endpoint, config, server = opened(rules=rules, latency=0)
    source = await endpoint.provider.submit(config())
    await endpoint.provider.submit(config("request.prompt=Snow"))
    gone = await lose(endpoint, config(f"request.video={source.id}", "request.prompt=Snow"))
    found = await look_for(endpoint, [gone], lambda: OtherRuns(frozenset({source.id})))
    (remixed,) = [made["id"] for made in server.ledger()["created"] if made["operation"] == "remix"]
    assert ids(found) == {0: remixed}


async def test_a_deleted_job_is_found_no_more(opened):
    endpoint, config, server = opened(rules=[LOSE], latency=0)
    gone = await lose(endpoint, config())
    await endpoint.provider.delete(server.ledger()["created"][0]["id"])
    assert (await look_for(endpoint, [gone], OtherRuns)).reattached == {}


@pytest.mark.parametrize(
    ("preset", "said"),
    [("sglang", "1 may, but the list does not tell enough"), ("litellm", "lists jobs only for a backend")],
)
async def test_a_server_that_does_not_tell_leaves_the_run_uncertain(opened, preset, said):
    endpoint, config, _ = opened(preset, rules=[LOSE])
    found = await look_for(endpoint, [await lose(endpoint, config())], OtherRuns)
    assert found.reattached == {}
    assert said in found.reasons[0]


@pytest.mark.parametrize(
    "fault",
    [
        {"fault": "status", "status": 503},
        {"fault": "rate_limit", "retry_after": 300},
        {"fault": "drop_after_commit"},
        {"fault": "html", "status": 200},
    ],
)
async def test_trouble_with_the_list_delays_the_finding(opened, fault):
    trouble = {"match": {"operation": "list"}, "nth": [1, 2], **fault}
    endpoint, config, server = opened(rules=[LOSE, trouble])
    found = await look_for(endpoint, [await lose(endpoint, config())], OtherRuns)
    assert ids(found) == {0: server.ledger()["created"][0]["id"]}
    assert server.ledger()["requests"]["GET /v1/videos"] == 3


async def test_a_job_is_found_among_a_thousand(opened, tmp_path):
    endpoint, config, server = opened(rules=[LOSE])
    gone = await lose(endpoint, config())
    mine = server.ledger()["created"][0]
    state = State(tmp_path / "jobs.sqlite3")
    for number in range(999):
        state.add(EmulatedJob(f"video_{number:04}", mine["created"] + 1, 1.0, 1e9, "create", mine["model"],
                              f"take {number}", mine["seconds"], mine["size"], 0.4))  # fmt: skip
    state.close()
    known = frozenset(f"video_{number:04}" for number in range(999))
    assert ids(await look_for(endpoint, [gone], lambda: OtherRuns(known))) == {0: mine["id"]}
    assert server.ledger()["requests"]["GET /v1/videos"] == 10
