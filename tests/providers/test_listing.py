"""Lists of jobs: what is asked, what is read from servers that answer oddly, and the whole way over HTTP."""

from __future__ import annotations

import contextlib

import httpx2
import pytest

from runner.emulator.job import EmulatedJob
from runner.emulator.state import State
from runner.errors import (
    AuthenticationError,
    BadRequestError,
    JobNotFoundError,
    RateLimitError,
    RunnerError,
    ServerError,
    UnexpectedAnswerError,
)
from runner.providers.base import JobPage, JobStatus
from runner.providers.job import backend_id, read_page
from runner.providers.registry import create

ENV = {"OPENAI_API_KEY": "sk-1", "AZURE_OPENAI_API_KEY": "k-1", "LITELLM_API_KEY": "sk-2"}
ONE = {"id": "video_1", "status": "queued"}
TWO = {"id": "video_2", "status": "completed", "created_at": 7}


def facts(page: JobPage | None) -> tuple[list[str], bool, str | None]:
    assert page is not None
    return [job.id for job in page.jobs], page.more, page.last


@pytest.mark.parametrize(
    ("raw", "ids", "more", "last"),
    [
        ({"data": [ONE, TWO], "has_more": True, "last_id": "video_2"}, ["video_1", "video_2"], True, "video_2"),
        ({"data": [ONE, TWO], "has_more": False}, ["video_1", "video_2"], False, "video_2"),
        ({"data": [ONE, TWO]}, ["video_1", "video_2"], True, "video_2"),
        ({"data": [ONE]}, ["video_1"], False, "video_1"),
        ([ONE, TWO, ONE], ["video_1", "video_2", "video_1"], True, "video_1"),
        ({"data": [], "has_more": True}, [], False, None),
        ({"data": None}, [], False, None),
        (
            {"data": [None, "x", {"status": "queued"}, {"id": 5}, TWO], "has_more": "yes"},
            ["5", "video_2"],
            True,
            "video_2",
        ),
        ({"data": [ONE], "has_more": True, "last_id": 5}, ["video_1"], False, None),
        (
            {"code": 0, "data": {"items": [{"task_id": 1}, {"data": ONE}], "total": 2}},
            ["1", "video_1"],
            True,
            "video_1",
        ),
        ({"videos": [ONE]}, ["video_1"], False, "video_1"),
    ],
)
def test_a_page_is_read_however_it_is_told(raw, ids, more, last):
    assert facts(read_page(raw, 2)) == (ids, more, last)


@pytest.mark.parametrize("raw", [None, {}, {"object": "list"}, {"data": "none"}, "jobs", {"error": {"message": "no"}}])
def test_what_is_no_list_is_not_read_as_an_empty_one(raw):
    assert read_page(raw, 100) is None


def test_a_job_that_tells_neither_its_state_nor_its_time_is_listed_all_the_same():
    (job,) = read_page({"data": [{"id": "video_1", "status": None, "prompt": "a cat"}]}, 100).jobs
    assert (job.status, job.created_at, job.raw["prompt"]) == (JobStatus.UNKNOWN, None, "a cat")


@pytest.mark.parametrize(
    ("provider", "path"),
    [
        ({}, "/v1/videos"),
        ({"kind": "azure_openai", "base_url": "https://res.openai.azure.com"}, "/openai/v1/videos"),
    ],
)
async def test_the_newest_jobs_are_asked_for_first(wire, connect, config_of, provider, path):
    wire.replies(200, json={"data": [ONE]})
    client = connect(config_of(provider))
    await client.jobs()
    await client.jobs("video_9", 7)
    first, second = wire.requests
    assert (first.method, first.url.path, dict(first.url.params)) == ("GET", path, {"limit": "100", "order": "desc"})
    assert dict(second.url.params) == {"limit": "7", "order": "desc", "after": "video_9"}


@pytest.mark.parametrize(
    ("status", "body", "error", "said"),
    [
        (200, {"json": {"object": "list"}}, UnexpectedAnswerError, "no list of jobs"),
        (200, {"text": "<html>Sign in</html>"}, UnexpectedAnswerError, "page"),
        (200, {"text": '{"data": [{"id"'}, ServerError, "without what was asked"),
        (404, {"json": {"detail": "Not Found"}}, UnexpectedAnswerError, "no route to list the jobs"),
        (401, {"json": {"error": {"message": "no"}}}, AuthenticationError, "refused the credential"),
        (429, {"json": {"error": {"message": "slow down"}}}, RateLimitError, "asks to wait"),
        (503, {"text": "<html>busy</html>"}, ServerError, "could not list the jobs just now"),
    ],
)
async def test_a_list_that_cannot_be_had_is_an_error_of_ours(wire, connect, config_of, status, body, error, said):
    wire.replies(status, **body)
    with pytest.raises(RunnerError, match=said) as caught:
        await connect(config_of()).jobs()
    assert type(caught.value) is error
    assert len(wire.requests) == 1


async def test_a_list_that_repeats_the_key_does_not_bring_it_in(wire, connect, config_of, key):
    wire.replies(200, json={"data": [{**ONE, "prompt": f"a cat {key}"}]})
    (job,) = (await connect(config_of()).jobs()).jobs
    assert key not in str(job.raw)


async def test_a_dropped_connection_is_tried_no_second_time_here(wire, connect, config_of):
    wire.raises(httpx2.ReadError("reset"))
    with pytest.raises(ServerError):
        await connect(config_of()).jobs()
    assert len(wire.requests) == 1


@pytest.fixture
async def opened(loaded, make_emulator, tmp_path):
    """The provider of a preset on an emulator with that server's manners, with a config for it."""
    async with contextlib.AsyncExitStack() as stack:

        def build(preset="openai", *, overrides=(), **settings):
            dialect = preset if preset in ("vllm_omni", "sglang", "litellm") else "plain"
            server = make_emulator(dialect=dialect, state_file=tmp_path / "jobs.sqlite3", **settings)
            url = server.azure_url if preset == "azure_openai" else server.base_url
            named = ["provider.api_key_env=OPENAI_API_KEY"] if preset == "compatible" else []
            config = loaded(f"provider={preset}", f"provider.base_url={url}", "provider.retired_models=off", *named,
                            *overrides)  # fmt: skip
            provider = create(config.provider, ENV)
            stack.push_async_callback(provider.close)
            return provider, config

        yield build


@pytest.mark.parametrize("preset", ["openai", "azure_openai", "compatible", "vllm_omni", "sglang"])
async def test_every_job_is_listed_once_newest_first(opened, preset):
    provider, config = opened(preset)
    made = [(await provider.submit(config)).id for _ in range(5)]
    listed, after = [], None
    for _ in range(3):
        page = await provider.jobs(after, 2)
        assert page.more == (len(listed) + len(page.jobs) < 5)
        listed += page.jobs
        after = page.last
    assert [job.id for job in listed] == made[::-1]
    assert all(job.created_at is not None and job.raw["model"] == "sora-2" for job in listed)
    assert {job.raw.get("prompt") for job in listed} == {None if preset == "sglang" else config.request.prompt}


async def test_an_account_without_jobs_has_an_empty_list(opened):
    provider, _ = opened()
    assert await provider.jobs() == JobPage((), more=False, last=None)


async def test_a_gateway_lists_only_for_a_backend_and_says_so_unasked(opened):
    provider, _ = opened("litellm")
    with pytest.raises(BadRequestError, match=r"only for a backend that is named: provider\.custom_llm_provider=NAME"):
        await provider.jobs()


async def test_a_named_backend_s_jobs_are_listed_under_ids_of_their_own(opened):
    provider, config = opened("litellm", overrides=["provider.custom_llm_provider=hosted_vllm"])
    made = await provider.submit(config)
    (listed,) = (await provider.jobs()).jobs
    assert listed.id != made.id
    assert backend_id(listed.id) == backend_id(made.id)
    assert (listed.raw["prompt"], listed.raw["model"]) == (config.request.prompt, "sora-2")
    assert (await provider.retrieve(listed.id)).raw["prompt"] == config.request.prompt


async def test_a_page_behind_a_job_that_is_gone_is_told_as_such(opened):
    provider, _ = opened()
    with pytest.raises(JobNotFoundError, match="knows no job video_gone"):
        await provider.jobs("video_gone")


def fill(path, count: int) -> None:
    state = State(path)
    for number in range(count):
        state.add(EmulatedJob(f"video_{number:04}", 1_800_000_000 + number, 1.0, 1e9, "create", "sora-2",
                              f"take {number}", 4, "720x1280", 0.4))  # fmt: skip
        if number % 10 == 3:
            state.delete(f"video_{number:04}")
    state.close()


@pytest.mark.parametrize("preset", ["openai", "sglang"])
async def test_a_thousand_jobs_are_listed_in_ten_pages_without_those_that_were_deleted(opened, tmp_path, preset):
    provider, _ = opened(preset)
    fill(tmp_path / "jobs.sqlite3", 1111)
    ids, pages, after, more = [], 0, None, True
    while more:
        page = await provider.jobs(after)
        ids += [job.id for job in page.jobs]
        after, more, pages = page.last, page.more, pages + 1
    assert ids == [f"video_{number:04}" for number in reversed(range(1111)) if number % 10 != 3]
    assert len(ids) == 1000
    assert pages <= 11
