"""xAI: what is sent to it, and what its answers are taken for."""

from __future__ import annotations

import json

import httpx2
import pytest
from PIL import Image

from runner.engine.video import error_of_job
from runner.errors import BadRequestError, ConfigError, ContentModerationError, RunnerError
from runner.providers.base import JobStatus
from runner.providers.body import build, check_body

ENV = {"XAI_API_KEY": "xai-canary"}
JOB = "a0f59c75-6e36-4ae9-83a3-97161deb3e45"
FILE = b"\0\0\0\x18ftypmp42" + bytes(200)


@pytest.fixture
def picture(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    return str(tmp_path / "a.png")


@pytest.fixture
def at_xai(loaded, connect):
    def make(*overrides):
        config = loaded("provider=xai", "model=grok-imagine-video-1.5", *overrides)
        return config, connect(config, ENV)

    return make


def done(url: str, **more):
    video = {"url": url, "duration": 8, "respect_moderation": True}
    return {"status": "done", "progress": 100, "video": video, "usage": {"cost_in_usd_ticks": 11_200_000_000}, **more}


async def test_a_video_is_asked_for_in_json_and_known_by_its_request(at_xai, wire):
    config, provider = at_xai("request.duration_seconds=null", "request.generate_audio=false")
    wire.replies(200, json={"request_id": JOB})
    job = await provider.submit(config)
    assert (job.id, job.status) == (JOB, JobStatus.QUEUED)
    assert str(wire.sent.url) == "https://api.x.ai/v1/videos/generations"
    assert json.loads(wire.sent.content) == {
        "model": "grok-imagine-video-1.5", "prompt": config.request.prompt, "duration": 8, "resolution": "720p",
        "aspect_ratio": "16:9", "generate_audio": False,
    }  # fmt: skip


def test_each_image_has_the_field_of_its_role(loaded, picture):
    roles = (f"request.image_list=[{picture},{{role: first_frame, image: {picture}}},"
             f"{{role: last_frame, image: {picture}}},{{role: keyframe, image: {picture}, seconds: 2.5}}]")  # fmt: skip
    body = build(loaded("provider=xai", "model=grok-imagine-video-1.5", roles))
    document = body.document
    url = document["image"]["url"]
    assert url.startswith("data:image/png;base64,")
    assert document["last_frame"] == {"url": url}
    assert document["keyframes"] == [{"image": {"url": url}, "timestamp_s": 2.5}]
    assert document["reference_images"] == [{"url": url}]
    assert body.record["keyframes"][0]["image"]["url"].keys() == {"file", "bytes", "sha256"}


@pytest.mark.parametrize(
    ("word", "status"),
    [("pending", JobStatus.QUEUED), ("failed", JobStatus.FAILED), ("expired", JobStatus.EXPIRED)],
)
async def test_its_states(at_xai, wire, word, status):
    _, provider = at_xai()
    wire.replies(200, json={"status": word, "progress": 40})
    assert (await provider.retrieve(JOB)).status is status


async def test_a_finished_job_tells_its_cost_in_ticks_and_its_address_is_not_kept(at_xai, wire):
    _, provider = at_xai()
    wire.replies(200, json=done("https://vidgen.x.ai/secret-1.mp4"))
    job = await provider.retrieve(JOB)
    assert (job.status, job.usd, job.signed) == (JobStatus.COMPLETED, 1.12, ("https://vidgen.x.ai/secret-1.mp4",))
    assert "secret" not in json.dumps(job.raw) + repr(job)


async def test_what_moderation_keeps_back_is_no_file_that_is_waited_for(at_xai, wire):
    _, provider = at_xai()
    wire.replies(200, json=done("", video={"url": "", "duration": 0, "respect_moderation": False}))
    job = await provider.retrieve(JOB)
    assert job.status is JobStatus.FAILED
    assert isinstance(error_of_job(job, "compatible", "grok")[1], ContentModerationError)
    assert job.usd == 1.12


async def test_a_failed_job_says_why(at_xai, wire):
    _, provider = at_xai()
    wire.replies(200, json={"status": "failed", "error": {"code": "internal_error", "message": "no capacity"}})
    job = await provider.retrieve(JOB)
    assert (job.error_code, job.error_message) == ("internal_error", "no capacity")


async def read(provider, job) -> bytes:
    async with provider.content(job) as content:
        return b"".join([chunk async for chunk in content.chunks()])


@pytest.fixture
def files(wire):
    """Answer questions about the job with the newest address, whose number is counted up, and older ones with 403."""
    newest = [1]

    def answer(request):
        if request.url.host == "api.x.ai":
            newest[0] += 1
            return httpx2.Response(200, json=done(f"https://vidgen.x.ai/{newest[0]}.mp4"))
        fresh = request.url.path == f"/{newest[0]}.mp4"
        return httpx2.Response(200, content=FILE) if fresh else httpx2.Response(403, text="expired")

    wire.answer = answer
    return newest


async def test_the_file_is_fetched_where_it_lies_without_the_key(at_xai, wire, files):
    _, provider = at_xai()
    job = await provider.retrieve(JOB)
    wire.requests.clear()
    assert await read(provider, job) == FILE
    assert wire.sent.url.host == "vidgen.x.ai"
    assert "authorization" not in wire.sent.headers


async def test_an_address_that_has_expired_is_asked_for_anew(at_xai, wire, files):
    _, provider = at_xai()
    job = await provider.retrieve(JOB)
    files[0] += 5
    wire.requests.clear()
    assert await read(provider, job) == FILE
    assert [request.url.host for request in wire.requests] == ["vidgen.x.ai", "api.x.ai", "vidgen.x.ai"]


async def test_a_file_that_is_nowhere_is_an_error_without_the_address(at_xai, wire):
    _, provider = at_xai()
    wire.replies(200, json={"status": "done", "video": {}})
    job = await provider.retrieve(JOB)
    with pytest.raises(RunnerError, match="names no file"):
        await read(provider, job)


@pytest.mark.parametrize("number", [0, 1, 2])
async def test_images_and_edits_are_json(at_xai, wire, picture, number):
    images = [f"request.image_list=[{','.join([picture] * number)}]"]
    config, provider = at_xai("model=grok-imagine-image-2.0", "request=image", "request.quality=low",
                              "request.aspect_ratio='3:2'", *images)  # fmt: skip
    data = [{"b64_json": "data:image/jpeg;base64,aGk=", "mime_type": "image/jpeg"}]
    wire.replies(200, json={"data": data, "usage": {"cost_in_usd_ticks": 400_000_000}})
    batch = await provider.generate(config)
    assert (len(batch.images), batch.usd, batch.implausible_usage) == (1, 0.04, False)
    body = json.loads(wire.sent.content)
    assert wire.sent.url.path == ("/v1/images/edits" if number else "/v1/images/generations")
    assert wire.sent.headers["content-type"] == "application/json"
    assert {key: value for key, value in body.items() if key not in ("prompt", "image", "images")} == {
        "model": "grok-imagine-image-2.0", "n": 1, "quality": "low", "resolution": "1k", "aspect_ratio": "3:2",
        "response_format": "b64_json",
    }  # fmt: skip
    assert ("image" in body, len(body.get("images", []))) == (number == 1, number if number > 1 else 0)


def test_a_size_is_refused_and_never_sent(loaded):
    from runner.config.capability import check

    config = loaded("provider=xai", "model=veo-3.1", "request.size=1280x720")
    assert any("this server (xai) takes no exact size" in problem.message for problem in check(config))
    with pytest.raises(ConfigError, match="takes no size"):
        build(config)


def test_extra_parameters_never_replace_an_image(loaded):
    config = loaded("provider=xai", "model=grok-imagine-video", "+request.extra_params.image.url=x")
    assert "request.extra_params.image" in [problem.key for problem in check_body(config)]


async def test_it_has_no_list_of_jobs(at_xai, wire):
    _, provider = at_xai()
    with pytest.raises(BadRequestError, match="has no list of jobs"):
        await provider.jobs()
