"""Aquiles-Image: OpenAI's four sizes and no other field, refused before they break the server."""

from __future__ import annotations

import pytest

from runner.config.capability import check
from runner.errors import UncertainError
from runner.providers.base import JobStatus
from runner.providers.registry import create

SMALL = ("model=wan2.2-t2v", "request.duration_seconds=1", "request.size=1280x720")


@pytest.fixture
def at(loaded):
    """A config for a server of one's own."""
    return lambda *overrides: loaded("provider=aquiles", *SMALL, *overrides)


async def test_a_video_is_asked_for_with_its_quality_and_nothing_else(at, wire, connect):
    config = at("+request.extra_params.quality=hd")
    assert check(config) == []
    await connect(config, {}).submit(config)
    assert str(wire.sent.url) == "http://127.0.0.1:5500/v1/videos"
    assert "authorization" not in wire.sent.headers
    assert wire.fields == {
        "prompt": config.request.prompt, "model": "Wan-AI/Wan2.2-T2V-A14B-Diffusers", "seconds": "1",
        "size": "1280x720", "quality": "hd",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("request.size=832x480", "832x480 is not among the sizes of this server (aquiles). Allowed values: 1024x1792,"),
        ("request.seed=1", "request.seed: is not a field of this server's API (aquiles)"),
        ("+request.extra_params.steps=4", "request.extra_params.steps: is no field of this server's API (aquiles)"),
        ("request.video=video_1", "this server makes new videos only (aquiles)"),
    ],
)
def test_what_it_would_not_read_is_refused(at, override, said):
    found = [str(problem) for problem in check(at(override))]
    assert any(said in each for each in found), found


async def test_a_failure_of_creating_is_uncertain_as_its_status_says_nothing(at, wire, connect):
    config = at()
    wire.replies(503, json={"detail": "no pipeline"})
    with pytest.raises(UncertainError):
        await connect(config, {}).submit(config)
    assert len(wire.requests) == 1


async def test_a_job_is_made_listed_downloaded_and_deleted_over_http(at, make_emulator, clock):
    server = make_emulator(dialect="aquiles", now=clock, latency=100, time_scale=1)
    config = at(f"provider.base_url={server.base_url}")
    provider = create(config.provider, {})
    job = await provider.submit(config)
    clock.time += 50
    job = await provider.retrieve(job.id)
    assert (job.raw_status, job.status) == ("processing", JobStatus.IN_PROGRESS)
    clock.time += 50
    job = await provider.retrieve(job.id)
    assert job.status is JobStatus.COMPLETED
    assert [each.id for each in (await provider.jobs()).jobs] == [job.id]
    async with provider.content(job) as content:
        assert b"ftyp" in b"".join([chunk async for chunk in content.chunks()])[:16]
    await provider.delete(job.id)
    assert (await provider.jobs()).jobs == ()
    await provider.close()
