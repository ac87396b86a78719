"""Ids are chosen by servers: they never leave their place in an address, and what cannot be one is none."""

from __future__ import annotations

import httpx2
import pytest

from runner.errors import UncertainError
from runner.providers.base import Job, JobStatus

PATHS = ["../../admin/keys", "a/b", "..%2f..", "a?b=c", "a#b", "a b", "https://evil.example/", "~", "ä", "a\\..\\b"]
NO_IDS = ["", "..", "a\0b", "a\nb", "\x1b[31mred", "a\u202eb", "a\u2028b", "a" * 10_000, 0, -7, 1.5, None, ["a"]]


@pytest.mark.parametrize("name", PATHS)
async def test_an_id_stays_one_part_of_the_address(wire, connect, config_of, name):
    wire.replies(200, json={"id": name, "status": "completed"})
    client = connect(config_of())
    job = await client.submit(config_of())
    assert job.id == name
    await client.retrieve(job.id)
    wire.replies(200, content=b"mp4", headers={"content-type": "video/mp4"})
    async with client.content(job):
        pass
    _, asked, opened = wire.requests
    assert asked.url.host == opened.url.host == "api.openai.com"
    assert asked.url.raw_path.count(b"/") == 3, "/v1/videos/ID"
    assert opened.url.raw_path.partition(b"?")[0].count(b"/") == 4, "/v1/videos/ID/content"
    assert httpx2.URL(str(asked.url)).path.startswith("/v1/videos/")


@pytest.mark.parametrize("name", NO_IDS)
async def test_what_cannot_be_an_id_leaves_a_paid_request_uncertain(wire, connect, config_of, name):
    wire.replies(200, json={"id": name, "status": "queued"})
    with pytest.raises(UncertainError) as caught:
        await connect(config_of()).submit(config_of())
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 1000


async def test_an_answer_about_one_job_is_not_taken_for_another_s(wire, connect, config_of):
    wire.replies(200, json={"id": "video_of_a_stranger", "status": "completed"})
    assert (await connect(config_of()).retrieve("video_1")).id == "video_1"


async def test_a_request_s_id_is_one_short_line(wire, connect, config_of):
    wire.replies(200, json={"id": "v", "status": "queued"}, headers={"x-request-id": "r" * 5000})
    assert len((await connect(config_of()).submit(config_of())).request_id) == 200


@pytest.mark.parametrize("header", ["attachment; filename=../../evil.mp4", "inline; filename*=UTF-8''%2e%2e%2fevil"])
async def test_a_server_does_not_name_files(wire, connect, config_of, header):
    wire.replies(200, content=b"mp4", headers={"content-type": "video/mp4", "content-disposition": header})
    async with connect(config_of()).content(Job("v", JobStatus.COMPLETED, "completed")) as content:
        assert "evil" not in str([getattr(content, name) for name in dir(content) if not name.startswith("_")])
