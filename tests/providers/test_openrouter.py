"""OpenRouter: what is sent to it, and what its answers are taken for."""

from __future__ import annotations

import base64
import io
import json

import httpx2
import pytest
from PIL import Image

from runner.engine.video import error_of_job
from runner.errors import (
    AuthenticationError,
    BadRequestError,
    ContentModerationError,
    ExpiredError,
    ModelNotFoundError,
    QuotaError,
    RateLimitError,
    ServerError,
    UncertainError,
)
from runner.providers.base import JobStatus
from runner.providers.body import build, check_body

ENV = {"OPENROUTER_API_KEY": "sk-or-v1-canary"}
JOB = "gen-vid-1790000000-0123456789abcdefghij"
SIGNED = "https://storage.example/out.mp4?signature=secret-5d1f"


@pytest.fixture
def at_host(loaded, connect):
    """A config for OpenRouter and its provider on the wire."""

    def make(*overrides):
        config = loaded("provider=openrouter", "model=veo-3.1", *overrides)
        return config, connect(config, ENV)

    return make


def told(status, **more):
    return {"id": JOB, "polling_url": f"/api/v1/videos/{JOB}", "status": status, **more}


async def test_a_video_is_asked_for_in_json_with_its_sound_said(at_host, wire):
    config, provider = at_host("request.seed=7", "+request.extra_params.provider={options: {google-vertex: {a: 1}}}")
    wire.replies(202, json=told("pending"))
    job = await provider.submit(config)
    assert (job.id, job.status, job.raw_status) == (JOB, JobStatus.QUEUED, "pending")
    assert str(wire.sent.url) == "https://openrouter.ai/api/v1/videos"
    assert wire.sent.headers["authorization"] == "Bearer sk-or-v1-canary"
    assert json.loads(wire.sent.content) == {
        "model": "google/veo-3.1", "prompt": config.request.prompt, "duration": 8, "resolution": "720p",
        "aspect_ratio": "16:9", "generate_audio": True, "seed": 7, "provider": {"options": {"google-vertex": {"a": 1}}},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("overrides", "shape"),
    [
        (["request.size=1920x1080"], {"size": "1920x1080"}),
        (["request.resolution=4k"], {"resolution": "4K", "aspect_ratio": "16:9"}),
        (["request.aspect_ratio=null"], {"resolution": "720p"}),
        (["model=gen-4.5", "request.generate_audio=null"], {"resolution": "720p", "aspect_ratio": "16:9"}),
    ],
)
def test_the_shape_is_a_size_or_resolution_and_ratio(loaded, overrides, shape):
    body = build(loaded("provider=openrouter", "model=veo-3.1", *overrides)).document
    assert {key: body[key] for key in ("size", "resolution", "aspect_ratio") if key in body} == shape
    assert ("generate_audio" in body) is ("model=gen-4.5" not in overrides)


def test_images_travel_as_data_urls_and_are_recorded_by_their_hashes(loaded, make_picture):
    first, last = make_picture("a.png"), make_picture("bb.png")
    roles = f"request.image_list=[{{role: first_frame, image: {first}}},{{role: last_frame, image: {last}}}]"
    body = build(loaded("provider=openrouter", "model=veo-3.1", roles))
    parts = body.document["frame_images"]
    assert [part["frame_type"] for part in parts] == ["first_frame", "last_frame"]
    content = base64.b64decode(parts[0]["image_url"]["url"].removeprefix("data:image/png;base64,"))
    assert Image.open(io.BytesIO(content)).size == (8, 8)
    recorded = body.record["frame_images"][0]["image_url"]["url"]
    assert recorded.keys() == {"file", "bytes", "sha256"}
    assert "base64" not in json.dumps(body.record)


@pytest.mark.parametrize("given", ["plain", "role"])
def test_one_plain_image_is_the_first_frame(loaded, make_picture, given):
    entry = make_picture("a.png") if given == "plain" else f"{{role: first_frame, image: {make_picture('a.png')}}}"
    body = build(loaded("provider=openrouter", "model=veo-3.1", f"request.image_list=[{entry}]")).document
    assert [part["frame_type"] for part in body["frame_images"]] == ["first_frame"]
    assert "input_references" not in body


def test_several_plain_images_are_references_and_addresses_stay(loaded, make_picture):
    images = f"request.image_list=[{make_picture('a.png')},'https://images.example/b.png']"
    body = build(loaded("provider=openrouter", "model=veo-3.1", images))
    assert [part.keys() for part in body.document["input_references"]] == [{"type", "image_url"}] * 2
    assert body.record["input_references"][1]["image_url"]["url"] == "https://images.example/b.png"
    assert "frame_images" not in body.document


@pytest.mark.parametrize("name", ["duration", "frame_images", "generate_audio", "aspect_ratio"])
def test_extra_parameters_never_replace_a_key_of_the_request(loaded, name):
    config = loaded("provider=openrouter", "model=veo-3.1", f"+request.extra_params.{name}=1")
    assert f"request.extra_params.{name}" in [problem.key for problem in check_body(config)]


async def test_a_completed_job_tells_its_cost_and_its_signed_address_is_not_kept(at_host, wire):
    _, provider = at_host()
    usage = {"cost": 3.2, "is_byok": False}
    wire.replies(200, json=told("completed", urls=[SIGNED], unsigned_urls=["/x"], usage=usage))
    job = await provider.retrieve(JOB)
    assert (job.status, job.usd, job.signed) == (JobStatus.COMPLETED, 3.2, (SIGNED,))
    assert "secret" not in repr(job)
    assert job.raw["unsigned_urls"] == ["/x"]


@pytest.mark.parametrize(
    "usage", [None, {"cost": None}, {"cost": -1}, {"cost": True}, {"cost": 1e9}, {"cost": 0.1, "is_byok": True}]
)
async def test_a_cost_that_is_not_told_or_not_the_whole_is_unknown(at_host, wire, usage):
    _, provider = at_host()
    wire.replies(200, json=told("completed", usage=usage))
    assert (await provider.retrieve(JOB)).usd is None


@pytest.mark.parametrize(
    ("word", "status", "kind"),
    [("failed", JobStatus.FAILED, ContentModerationError), ("expired", JobStatus.EXPIRED, ExpiredError)],
)
async def test_an_error_that_is_a_text_is_the_job_s_reason(at_host, wire, word, status, kind):
    _, provider = at_host()
    wire.replies(200, json=told(word, error="Rejected by the provider's content policy"))
    job = await provider.retrieve(JOB)
    assert (job.status, job.error_message) == (status, "Rejected by the provider's content policy")
    assert isinstance(error_of_job(job, "compatible", "veo-3.1")[1], kind)


async def read(provider, job) -> bytes:
    async with provider.content(job) as content:
        return b"".join([chunk async for chunk in content.chunks()])


async def completed(provider, wire, **more):
    wire.replies(200, json=told("completed", **more))
    job = await provider.retrieve(JOB)
    wire.requests.clear()
    return job


async def test_the_file_comes_by_its_route_with_the_key(at_host, wire):
    _, provider = at_host()
    job = await completed(provider, wire, urls=[SIGNED])
    wire.replies(200, content=b"\0\0\0\x18ftypmp42" + bytes(200), headers={"content-type": "video/mp4"})
    assert (await read(provider, job))[4:8] == b"ftyp"
    assert str(wire.sent.url) == f"https://openrouter.ai/api/v1/videos/{JOB}/content?index=0"
    assert wire.sent.headers["authorization"] == "Bearer sk-or-v1-canary"


async def test_the_signed_address_is_the_last_resort_and_gets_no_key(at_host, wire):
    _, provider = at_host()
    job = await completed(provider, wire, urls=[SIGNED])

    def answer(request):
        if request.url.host == "openrouter.ai":
            return httpx2.Response(502, json={"error": {"code": 502, "message": "no copy"}})
        return httpx2.Response(200, content=b"\0\0\0\x18ftypmp42" + bytes(200))

    wire.answer = answer
    assert (await read(provider, job))[4:8] == b"ftyp"
    assert [request.url.host for request in wire.requests] == ["openrouter.ai", "storage.example"]
    assert "authorization" not in wire.requests[1].headers


async def test_a_signed_address_that_fails_is_not_in_the_error(at_host, wire):
    _, provider = at_host()
    job = await completed(provider, wire, urls=[SIGNED])
    wire.replies(502, json={"error": {"code": 502, "message": "no copy"}})
    with pytest.raises(ServerError) as failed:
        await read(provider, job)
    assert "secret" not in str(failed.value) + str(failed.value.hint) + repr(failed.value.raw_response)


@pytest.mark.parametrize("editing", [False, True])
async def test_images_come_from_one_route_with_their_cost(at_host, wire, make_picture, editing):
    images = [f"request.image_list=[{make_picture('a.png')}]"] if editing else []
    config, provider = at_host("model=seedream-5-5", "request=image", "request.n=2", "request.resolution=2k",
                               "request.aspect_ratio='16:9'", "request.background=transparent", *images)  # fmt: skip
    usage = {"prompt_tokens": 0, "completion_tokens": 4175, "total_tokens": 4175, "cost": 0.07}
    wire.replies(
        200, json={"created": 1, "data": [{"b64_json": "aGk=", "media_type": "image/png"}] * 2, "usage": usage}
    )
    batch = await provider.generate(config)
    assert (len(batch.images), batch.usd, batch.implausible_usage) == (2, 0.07, False)
    assert wire.sent.url.path == "/api/v1/images"
    body = json.loads(wire.sent.content)
    assert ("input_references" in body) is editing
    assert {key: value for key, value in body.items() if key not in ("prompt", "input_references")} == {
        "model": "bytedance-seed/seedream-5-5", "n": 2, "resolution": "2K", "aspect_ratio": "16:9",
        "background": "transparent",
    }  # fmt: skip
    assert provider.body(config)["operation"] == ("edit" if editing else "generate")


def refusal(status, kind, message="no"):
    return {"error": {"code": status, "message": message, "metadata": {"error_type": kind}}}


@pytest.mark.parametrize(
    ("status", "kind", "error"),
    [
        (400, "invalid_request", BadRequestError),
        (400, "invalid_prompt", BadRequestError),
        (401, None, AuthenticationError),
        (402, "payment_required", QuotaError),
        (403, "content_policy_violation", ContentModerationError),
        (413, "payload_too_large", BadRequestError),
        (429, "rate_limit_exceeded", RateLimitError),
        (429, "provider_overloaded", RateLimitError),
        (500, None, UncertainError),
        (503, "provider_overloaded", UncertainError),
    ],
)
@pytest.mark.parametrize("request_", ["video", "image"])
async def test_refusals_are_errors_of_ours_and_nothing_that_may_be_accepted_counts_as_refused(
    at_host, wire, status, kind, error, request_
):
    model = "veo-3.1" if request_ == "video" else "qwen-image-3"
    config, provider = at_host(f"request={request_}", f"model={model}")
    wire.replies(status, json=refusal(status, kind), headers={"retry-after": "7"})
    with pytest.raises(error) as met:
        await (provider.submit(config) if request_ == "video" else provider.generate(config))
    assert type(met.value) is error
    assert len(wire.requests) == 1
    if kind is not None:
        assert met.value.code == kind
    if error is RateLimitError:
        assert met.value.retry_after == 7
    assert (met.value.shared is True) is (error in (QuotaError, AuthenticationError))


async def test_a_model_that_it_does_not_have_is_named_with_what_to_type(at_host, wire):
    config, provider = at_host("model.deployment=veo")
    wire.replies(400, json=refusal(400, None, "veo is not a valid model ID"))
    with pytest.raises(ModelNotFoundError, match="has no model 'veo'") as met:
        await provider.submit(config)
    assert "model.deployment" in met.value.hint


async def test_a_server_that_says_when_it_will_be_back_is_asked_again_then(at_host, wire):
    _, provider = at_host()
    wire.replies(503, json=refusal(503, "provider_overloaded"), headers={"retry-after": "9"})
    with pytest.raises(RateLimitError) as met:
        await provider.retrieve(JOB)
    assert met.value.retry_after == 9


async def test_it_has_no_list_of_jobs_and_is_not_asked_for_one(at_host, wire):
    _, provider = at_host()
    with pytest.raises(BadRequestError, match="has no list of jobs"):
        await provider.jobs()
    assert wire.requests == []


async def test_an_answer_that_breaks_off_leaves_the_request_uncertain(at_host, wire):
    config, provider = at_host()

    class Broken(httpx2.AsyncByteStream):
        async def __aiter__(self):
            yield b'{"polling_url": "/api'
            raise httpx2.ReadError("cut")

    wire.answer = lambda _: httpx2.Response(202, stream=Broken())
    with pytest.raises(UncertainError) as met:
        await provider.submit(config)
    assert met.value.answer == b'{"polling_url": "/api'
