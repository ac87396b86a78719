"""Together: what is sent to it, and what its answers are taken for."""

from __future__ import annotations

import base64
import json

import httpx2
import pytest

from runner.config.capability import check
from runner.errors import BadRequestError, ConfigError, QuotaError, UncertainError
from runner.providers.base import JobStatus
from runner.providers.body import build, check_body
from runner.providers.registry import create

ENV = {"TOGETHER_API_KEY": "tg-canary"}
ADDRESS = "https://storage.example/v.mp4?signature=secret-5d1f"


@pytest.fixture
def at(loaded, connect):
    """A config for Together and its provider on the wire."""

    def make(*overrides, model="seedance-2.5"):
        usual = ["model.offers={}", "model.sizes=null", "model.deployment=ByteDance/Seedance-2.5"]
        config = loaded("provider=together", f"model={model}", "request.duration_seconds=6", *usual, *overrides)
        return config, connect(config, ENV)

    return make


async def test_a_video_is_asked_for_in_json(at, wire):
    config, provider = at("request.seed=7", "request.resolution=720p", "request.generate_audio=false")
    assert check(config) == []
    await provider.submit(config)
    assert (wire.sent.method, str(wire.sent.url)) == ("POST", "https://api.together.ai/v2/videos")
    assert wire.sent.headers["authorization"] == "Bearer tg-canary"
    assert json.loads(wire.sent.content) == {
        "model": "ByteDance/Seedance-2.5", "prompt": config.request.prompt, "seconds": "6", "ratio": "16:9",
        "resolution": "720p", "generate_audio": False, "seed": 7,
    }  # fmt: skip


def test_a_size_is_width_and_height_and_knobs_have_its_names(at):
    knobs = ["request.negative_prompt=rain", "request.fps=24", "request.num_inference_steps=20"]
    knobs += ["request.guidance_scale=7"]
    knobs += ["model.parameters=[negative_prompt,fps,num_inference_steps,guidance_scale]"]
    config, _ = at("request.size=1280x720", *knobs)
    assert check(config) == []
    document = build(config).document
    assert {key: document[key] for key in document.keys() - {"prompt", "model", "generate_audio", "resolution"}} == {
        "seconds": "6", "width": 1280, "height": 720, "negative_prompt": "rain", "fps": 24, "steps": 20,
        "guidance_scale": 7,
    }  # fmt: skip


def test_images_are_media_by_their_roles(at, make_picture):
    first, last = make_picture("a.png"), make_picture("bb.png")
    config, _ = at(f"request.image_list=[{{role: first_frame, image: {first}}},{{role: last_frame, image: {last}}}]")
    parts = build(config).document["media"]["frame_images"]
    assert [part["frame"] for part in parts] == ["first", "last"]
    data = parts[0]["input_image"].removeprefix("data:image/png;base64,")
    assert base64.b64decode(data).startswith(b"\x89PNG")
    assert build(config).record["media"]["frame_images"][0]["input_image"].keys() == {"file", "bytes", "sha256"}
    config, _ = at(f"request.image_list=[{first},{last}]")
    assert [*build(config).document["media"]] == ["reference_images"]


async def test_images_are_at_another_version_of_its_api(loaded, wire, connect):
    config = loaded("provider=together", "model=qwen-image-3", "request=image", "request.size=1024x768", "request.n=2")
    wire.replies(200, json={"data": [{"index": 0, "b64_json": "aGk=", "type": "b64_json"}] * 2})
    batch = await connect(config, ENV).generate(config)
    assert len(batch.images) == 2
    assert str(wire.sent.url) == "https://api.together.ai/v1/images/generations"
    assert wire.sent.headers["authorization"] == "Bearer tg-canary"
    assert json.loads(wire.sent.content) == {
        "model": "qwen-image-3", "prompt": config.request.prompt, "n": 2, "width": 1024, "height": 768,
        "response_format": "base64",
    }  # fmt: skip


def test_no_image_is_edited_there(loaded, make_picture):
    images = f"request.image_list=[{make_picture('a.png')}]"
    with pytest.raises(ConfigError, match="no image is sent to Together"):
        build(loaded("provider=together", "model=qwen-image-3", "request=image", images))


@pytest.mark.parametrize("name", ["seconds", "width", "media", "ratio", "steps"])
def test_extra_parameters_never_replace_a_key_of_the_request(at, name):
    config, _ = at(f"+request.extra_params.{name}=1")
    assert f"request.extra_params.{name}" in [problem.key for problem in check_body(config)]


async def test_the_file_lies_where_the_job_says_and_its_address_is_kept_nowhere(at, wire):
    _, provider = at()
    told = {"id": "v-1", "status": "completed", "outputs": {"cost": 84, "video_url": ADDRESS}}
    wire.replies(200, json=told)
    job = await provider.retrieve("v-1")
    assert str(wire.sent.url) == "https://api.together.ai/v2/videos/v-1"
    assert (job.status, job.usd, job.signed) == (JobStatus.COMPLETED, None, (ADDRESS,))
    assert "secret" not in repr(job)
    assert job.raw["outputs"] == {"cost": 84}
    wire.requests.clear()
    wire.answer = lambda _: httpx2.Response(200, content=b"\0\0\0\x18ftypmp42" + bytes(200))
    async with provider.content(job) as content:
        assert b"ftyp" in b"".join([chunk async for chunk in content.chunks()])
    assert [request.url.host for request in wire.requests] == ["storage.example"]
    assert "authorization" not in wire.requests[0].headers


async def test_it_has_no_list_of_jobs_and_is_not_asked_for_one(at, wire):
    _, provider = at()
    with pytest.raises(BadRequestError, match="has no list of jobs"):
        await provider.jobs()
    assert wire.requests == []


@pytest.mark.parametrize(("status", "error"), [(402, QuotaError), (502, UncertainError)])
async def test_a_paid_request_is_sent_once_whatever_is_answered(at, wire, status, error):
    config, provider = at()
    wire.replies(status, json={"error": {"message": "no", "code": "x"}})
    with pytest.raises(error):
        await provider.submit(config)
    assert len(wire.requests) == 1


async def test_a_video_is_made_and_downloaded_over_http(loaded, make_emulator, make_picture):
    server = make_emulator(dialect="together", latency=0)
    there = server.base_url.replace("/v1", "/v2")  # as its videos are
    config = loaded("provider=together", f"provider.base_url={there}", "model=sora-2",
                    "request.duration_seconds=1", "request.size=128x96", "model.validation=off",
                    f"request.image_list=[{make_picture('a.png')}]")  # fmt: skip
    provider = create(config.provider, ENV)
    job = await provider.retrieve((await provider.submit(config)).id)
    assert job.status is JobStatus.COMPLETED
    async with provider.content(job) as content:
        assert b"ftyp" in b"".join([chunk async for chunk in content.chunks()])[:16]
    await provider.close()
