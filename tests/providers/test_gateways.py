"""Eden AI and new-api: what is sent to them, and what their answers are taken for."""

from __future__ import annotations

import json

import pytest
from PIL import Image

from runner.config.capability import check
from runner.errors import BadRequestError, QuotaError, UncertainError
from runner.providers.base import JobStatus
from runner.providers.registry import create

ENV = {"EDENAI_API_KEY": "ed-canary", "NEW_API_API_KEY": "na-canary"}
ADDRESSES = {"edenai": "https://api.edenai.run/v3", "new_api": "https://gateway.example/v1"}
HOSTS = [*ADDRESSES]


@pytest.fixture
def at(loaded, connect):
    """A config for one of them and its provider on the wire."""

    def make(provider, *overrides):
        given = [f"provider.base_url={ADDRESSES[provider]}"] if provider == "new_api" else []
        config = loaded(f"provider={provider}", *given, "model=sora-2", "request.duration_seconds=4",
                        "request.size=720x1280", *overrides)  # fmt: skip
        return config, connect(config, ENV)

    return make


@pytest.mark.parametrize("provider", HOSTS)
async def test_a_video_is_asked_for_with_openai_s_fields(at, wire, provider):
    config, runner = at(provider, "model.deployment=maker/video-1")
    assert check(config) == []
    await runner.submit(config)
    assert (wire.sent.method, str(wire.sent.url)) == ("POST", f"{ADDRESSES[provider]}/videos")
    assert wire.sent.headers["authorization"] == f"Bearer {ENV[f'{provider.upper()}_API_KEY']}"
    assert wire.fields == {
        "prompt": config.request.prompt, "model": "maker/video-1", "seconds": "4", "size": "720x1280",
    }  # fmt: skip


async def test_what_new_api_has_no_field_for_travels_in_its_metadata(at, wire):
    given = "+request.extra_params={cfg_scale: 0.5, camera: {type: simple}, metadata: {watermark: false}}"
    config, runner = at("new_api", given)
    await runner.submit(config)
    assert json.loads(wire.fields["metadata"]) == {"cfg_scale": 0.5, "camera": {"type": "simple"}, "watermark": False}
    assert wire.fields.keys() == {"prompt", "model", "seconds", "size", "metadata"}


@pytest.mark.parametrize("provider", HOSTS)
async def test_a_first_frame_is_uploaded(at, wire, provider, tmp_path):
    Image.new("RGB", (720, 1280), "teal").save(tmp_path / "a.png")
    config, runner = at(provider, f"request.image_list=[{tmp_path / 'a.png'}]")
    await runner.submit(config)
    assert [(name, file) for name, file, *_ in wire.form if file] == [("input_reference", "a.png")]


async def test_eden_ai_fetches_an_image_from_its_address(at, wire):
    config, runner = at("edenai", "request.image_list=['https://images.example/a.png']")
    await runner.submit(config)
    assert json.loads(wire.sent.content)["input_reference"] == {"image_url": "https://images.example/a.png"}


@pytest.mark.parametrize(
    ("provider", "overrides", "said"),
    [
        ("new_api", ["request.seed=1", "model.parameters=[seed]"], "is not a field of this server's API (new_api)"),
        ("edenai", ["request.video=video_1"], "this server makes new videos only (edenai)"),
        ("new_api", ["request.variants=[thumbnail]"], "this server gives no thumbnail of a video (new_api)"),
        ("edenai", ["delete_remote=true"], "this server has no way to delete a video (edenai)"),
    ],
)
def test_what_they_have_no_field_for_is_refused(at, provider, overrides, said):
    config, _ = at(provider, *overrides)
    assert any(said in str(problem) for problem in check(config)), [*map(str, check(config))]


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("queued", JobStatus.QUEUED), ("in_progress", JobStatus.IN_PROGRESS), ("completed", JobStatus.COMPLETED),
        ("failed", JobStatus.FAILED), ("unknown", JobStatus.UNKNOWN),
    ],
)  # fmt: skip
async def test_new_api_s_jobs_are_read_with_all_that_they_add(at, wire, word, status):
    _, runner = at("new_api")
    wire.replies(200, json={
        "id": "task_1", "task_id": "task_1", "object": "video", "status": word, "progress": 30,
        "created_at": 1790000000123, "metadata": {"url": "https://storage.example/v.mp4"},
        "usage": {"completion_tokens": 87300},
    })  # fmt: skip
    job = await runner.retrieve("task_1")
    assert (job.id, job.status, job.created_at, job.usd) == ("task_1", status, 1790000000.123, None)


@pytest.mark.parametrize(
    ("status", "told", "usd"),
    [("queued", 0, None), ("completed", 0.42, 0.42), ("failed", 0, 0.0), ("completed", None, None)],
)
async def test_eden_ai_s_cost_is_what_it_tells_of_a_job_that_has_ended(at, wire, status, told, usd):
    _, runner = at("edenai")
    wire.replies(200, json={"id": "v", "status": status, "cost": told})
    assert (await runner.retrieve("v")).usd == usd


async def test_eden_ai_s_images_tell_their_cost(loaded, wire, connect):
    config = loaded("provider=edenai", "model=gpt-image-2", "request=image")
    wire.replies(200, json={"data": [{"b64_json": "aGk="}], "cost": 0.05})
    assert (await connect(config, ENV).generate(config)).usd == 0.05
    assert str(wire.sent.url) == "https://api.edenai.run/v3/images/generations"


async def test_new_api_is_not_asked_for_a_list(at, wire):
    _, runner = at("new_api")
    with pytest.raises(BadRequestError, match="has no list of jobs"):
        await runner.jobs()
    assert wire.requests == []


@pytest.mark.parametrize("provider", HOSTS)
@pytest.mark.parametrize(("status", "error"), [(402, QuotaError), (502, UncertainError)])
async def test_a_paid_request_is_sent_once_whatever_is_answered(at, wire, provider, status, error):
    config, runner = at(provider)
    wire.replies(status, json={"error": {"message": "no", "code": "x"}})
    with pytest.raises(error):
        await runner.submit(config)
    assert len(wire.requests) == 1


@pytest.mark.parametrize("provider", HOSTS)
async def test_a_video_is_made_and_downloaded_over_http(loaded, make_emulator, provider):
    server = make_emulator(dialect=provider, latency=0)
    config = loaded(f"provider={provider}", f"provider.base_url={server.base_url}", "model=sora-2",
                    "request.duration_seconds=1", "request.size=128x96", "model.validation=off")  # fmt: skip
    runner = create(config.provider, ENV)
    job = await runner.retrieve((await runner.submit(config)).id)
    assert (job.status, job.usd is not None) == (JobStatus.COMPLETED, provider == "edenai")
    async with runner.content(job) as content:
        assert b"ftyp" in b"".join([chunk async for chunk in content.chunks()])[:16]
    await runner.close()
