"""Answers to paid requests: what names the job or holds the images is used, the rest is told of and kept."""

from __future__ import annotations

import base64
import json

import httpx2
import pytest

from runner.errors import (
    AuthenticationError,
    BadRequestError,
    ContentModerationError,
    GenerationFailedError,
    RunnerError,
    UncertainError,
)
from runner.providers.base import JobStatus

IMAGE = {"kind": "image"}
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(250)) * 20
B64 = base64.b64encode(PNG).decode()
URL = "https://images.example/1.png"


@pytest.fixture
def submitting(wire, connect, config_of):
    async def submit(status: int = 200, **answer: object):
        wire.replies(status, **answer)
        return await connect(config_of()).submit(config_of())

    return submit


@pytest.fixture
def generating(wire, connect, config_of):
    async def generate(status: int = 200, *, request: dict[str, object] | None = None, **answer: object):
        wire.replies(status, **answer)
        config = config_of(None, IMAGE, **(request or {}))
        return await connect(config).generate(config)

    return generate


@pytest.mark.parametrize("status", [302, 303, 307, 308, 201, 202])
@pytest.mark.parametrize(
    "address",
    [
        "/v1/videos/video_1",
        "https://api.openai.com/v1/videos/video_1/",
        "https://elsewhere.example/api/tasks/video_1/status?x=1",
        "video/video_1",
        "/query/video_generation?task_id=video_1",
    ],
)
async def test_an_answer_that_gives_the_job_s_address_made_the_job(submitting, wire, status, address):
    job = await submitting(status, headers={"location": address, "x-request-id": "req_7"})
    assert (job.id, job.status, job.request_id) == ("video_1", JobStatus.QUEUED, "req_7")
    assert wire.sent.method == "POST"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("address", ["/v1/videos/", "https://new.example/v1/videos", "/login", "/login?next=/videos"])
async def test_a_redirect_of_the_request_itself_made_none(submitting, wire, status, address):
    with pytest.raises(RunnerError) as caught:
        await submitting(status, headers={"location": address})
    assert not isinstance(caught.value, UncertainError)
    assert len(wire.requests) == 1


async def test_a_redirect_s_body_names_the_job_before_its_address(submitting):
    job = await submitting(303, json={"id": "video_2"}, headers={"location": "/v1/videos/video_1"})
    assert job.id == "video_2"


async def test_a_job_that_comes_with_an_error_is_known(submitting):
    job = await submitting(
        500, json={"id": "video_1", "object": "video", "status": "failed", "error": {"message": "oom"}}
    )
    assert (job.id, job.status, job.error_message) == ("video_1", JobStatus.FAILED, "oom")


@pytest.mark.parametrize(
    "body", [b'{"id": "video_1", "status": "queued", "prompt": "a c', b'data: {"id": "video_1"}\n\ndata: {"pro']
)
async def test_a_job_that_was_named_before_the_answer_broke_off_is_known(wire, connect, config_of, body):
    async def pieces():
        yield body
        raise httpx2.ReadError("reset")

    wire.answer = lambda _: httpx2.Response(200, content=pieces())
    assert (await connect(config_of()).submit(config_of())).id == "video_1"


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        (b'{"result_code": "A1"}', b'{"result_code": "A1"}'),
        (b"<html>Sign in</html>", b"<html>Sign in</html>"),
        (b"\0\0\0\x18ftypmp42" + bytes(200), b"\0\0\0\x18ftypmp42" + bytes(200)),
        (b"  \n", None),
        (b"", None),
    ],
)
async def test_what_cannot_be_read_comes_with_the_error(submitting, body, kept):
    with pytest.raises(UncertainError) as caught:
        await submitting(content=body)
    assert caught.value.answer == kept


async def test_bytes_that_are_no_text_are_not_shown(submitting):
    with pytest.raises(UncertainError, match="212 bytes of video/mp4"):
        await submitting(content=b"\0\0\0\x18ftypmp42" + bytes(200), headers={"content-type": "video/mp4"})


async def test_what_came_before_a_break_comes_with_the_error(wire, connect, config_of):
    async def pieces():
        yield b'{"result_code": "A1"'
        raise httpx2.ReadError("reset")

    wire.answer = lambda _: httpx2.Response(200, content=pieces())
    with pytest.raises(UncertainError) as caught:
        await connect(config_of()).submit(config_of())
    assert caught.value.answer == b'{"result_code": "A1"'


async def test_no_key_stays_in_what_is_kept(submitting, key):
    spelled = "".join(f"\\u{ord(letter):04x}" for letter in key)
    for text in (f'{{"note": "{key}"}}', f'{{"note": "{spelled}"}}', f"echo: {key}"):
        with pytest.raises(UncertainError) as caught:
            await submitting(content=text.encode())
        assert caught.value.answer
        assert key not in caught.value.answer.decode()
        assert spelled not in caught.value.answer.decode()


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ({"error": {"type": "invalid_request_error", "message": "no such size"}}, BadRequestError),
        ({"code": 400, "message": "no such size"}, BadRequestError),
        ({"error": {"code": "invalid_api_key", "message": "no"}}, AuthenticationError),
        ({"code": 429, "message": "slow down"}, BadRequestError),
        ({"error": {"code": "content_policy_violation", "message": "no"}}, ContentModerationError),
        ({"error": "blocked by our moderation system"}, ContentModerationError),
        (
            {"error": {"type": "invalid_request_error", "code": "moderation_blocked", "message": "no"}},
            ContentModerationError,
        ),
        ({"error": {"code": "upstream_error", "message": "lost"}}, UncertainError),
        ({"code": 500, "message": "lost"}, UncertainError),
        ({"success": False, "message": "lost"}, UncertainError),
    ],
)
async def test_an_error_in_a_success_is_a_refusal_only_where_that_is_certain(submitting, wire, answer, kind):
    with pytest.raises(RunnerError) as caught:
        await submitting(json=answer)
    assert type(caught.value) is kind
    words = answer.get("message") or answer["error"]
    assert (words if isinstance(words, str) else words["message"]) in str(caught.value)
    assert len(wire.requests) == 1


@pytest.mark.parametrize(
    "answer",
    [
        {"data": [{"b64_json": B64}]},
        {"data": {"b64_json": B64}},
        {"data": [B64]},
        {"data": B64},
        {"images": [B64]},
        {"images": [{"b64": B64}]},
        {"image": B64},
        {"output": [f"data:image/png;base64,{B64}"]},
        {"artifacts": [{"base64": B64, "finishReason": "SUCCESS"}]},
        {"predictions": [{"bytesBase64Encoded": B64, "mimeType": "image/png"}]},
        {"generatedImages": [{"image": {"imageBytes": B64}}]},
        {
            "candidates": [
                {"content": {"parts": [{"text": "here"}, {"inlineData": {"mimeType": "image/png", "data": B64}}]}}
            ]
        },
        {"code": 0, "data": {"image_base64": [B64]}},
        {"statusCode": 200, "body": json.dumps({"data": [{"b64_json": B64}]})},
        [{"b64_json": B64}],
    ],
)
async def test_image_data_is_found_in_every_shape(generating, answer):
    batch = await generating(json=answer)
    (image,) = batch.images
    assert image.b64 is not None
    assert image.b64.endswith(B64)
    assert B64 not in json.dumps(batch.raw)


@pytest.mark.parametrize(
    "answer",
    [
        {"data": [{"url": URL}]},
        {"data": {"url": URL}},
        {"data": [URL]},
        {"url": URL},
        {"output": URL},
        {"output": {"results": [{"url": URL}]}},
        {"output": {"choices": [{"message": {"content": [{"image": URL}]}}]}},
        {"choices": [{"message": {"images": [{"image_url": {"url": URL}}]}}]},
        {"data": {"image_urls": [URL]}},
        {"status": "Ready", "result": {"sample": URL}},
        {"data": [{"signed_url": URL}]},
        {"images": [{"url": URL}], "data": [{"url": URL}], "input": {"image_url": "https://images.example/input.png"}},
    ],
)
async def test_an_image_s_address_is_found_in_every_shape(generating, answer):
    (image,) = (await generating(json=answer)).images
    assert (image.b64, image.url) == (None, URL)


@pytest.mark.parametrize("kind", ["image/png", "application/octet-stream", "application/json"])
async def test_an_image_in_place_of_json_is_the_answer(generating, kind):
    (image,) = (await generating(content=PNG, headers={"content-type": kind})).images
    assert base64.b64decode(image.b64) == PNG


@pytest.mark.parametrize("text", [B64, f"data:image/png;base64,{B64}\n"])
async def test_an_image_as_bare_text_is_the_answer(generating, text):
    (image,) = (await generating(content=text.encode(), headers={"content-type": "text/plain"})).images
    assert image.b64 == text.strip()


@pytest.mark.parametrize("kind", ["text/event-stream", "application/json", "text/plain"])
@pytest.mark.parametrize("partial_images", [None, 2])
async def test_a_stream_of_events_is_understood_asked_for_or_not(generating, kind, partial_images):
    events = [
        {"type": "image_generation.partial_image", "partial_image_index": 0, "b64_json": "aGk="},
        {"type": "image_generation.completed", "b64_json": B64},
    ]
    text = "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"
    request = {} if partial_images is None else {"partial_images": partial_images}
    batch = await generating(request=request, content=text.encode(), headers={"content-type": kind})
    assert [image.b64 for image in batch.images] == [B64]


@pytest.mark.parametrize("kind", ["text/event-stream", "application/x-ndjson"])
async def test_json_is_understood_where_a_stream_is_announced(generating, kind):
    text = json.dumps({"data": [{"b64_json": B64}]}, indent=1)
    batch = await generating(request={"partial_images": 1}, content=text.encode(), headers={"content-type": kind})
    assert [image.b64 for image in batch.images] == [B64]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ({"created": 1, "data": []}, GenerationFailedError),
        ({"created": 1, "data": None}, GenerationFailedError),
        ({"created": 1, "data": [], "error": {"message": "no workers"}}, GenerationFailedError),
        ({"data": [{"b64_json": None, "url": None, "revised_prompt": "a cat"}]}, GenerationFailedError),
        ({"data": [], "message": "blocked by the safety system"}, ContentModerationError),
        ({"data": [], "raiMediaFilteredReasons": ["58061214"]}, ContentModerationError),
        ({"candidates": [{"finishReason": "IMAGE_SAFETY"}]}, ContentModerationError),
        ({"data": [{"b64_json": None, "finish_reason": "content_filtered"}]}, ContentModerationError),
        ({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}, ContentModerationError),
    ],
)
async def test_an_answer_without_an_image_is_a_failed_generation_that_counts(generating, answer, kind):
    with pytest.raises(RunnerError) as caught:
        await generating(json=answer)
    assert type(caught.value) is kind
    assert "may be charged" in caught.value.hint


@pytest.mark.parametrize(
    "answer", [{"id": "task_1", "status": "queued"}, {"output": None, "status": "processing"}, {"data": 7}, "hello"]
)
async def test_an_image_answer_of_an_unknown_shape_is_uncertain_and_kept(generating, answer):
    with pytest.raises(UncertainError) as caught:
        await generating(json=answer)
    assert json.loads(caught.value.answer) == answer


async def test_events_that_nobody_understands_are_kept(generating):
    text = 'data: {"type": "finished", "picture": {"where": 7}}\n\n'
    with pytest.raises(UncertainError) as caught:
        await generating(
            request={"partial_images": 1}, content=text.encode(), headers={"content-type": "text/event-stream"}
        )
    assert b"picture" in caught.value.answer


async def test_far_more_images_than_asked_for_come_with_the_whole_answer(generating):
    many = {"data": [{"url": f"{URL}?{number}"} for number in range(1000)]}
    batch = await generating(json=many)
    assert json.loads(batch.answer) == many
    assert len(batch.raw["data"]) < 200
    assert (await generating(json={"data": [{"url": URL}] * 3})).answer is None


@pytest.mark.parametrize(
    ("usage", "told", "wrong"),
    [
        ({"input_tokens": 9, "output_tokens": 4160}, (9, 0, 4160), False),
        ({"input_tokens": "9", "output_tokens": 4160.0}, (9, 0, 4160), False),
        ({"input_tokens": 0, "output_tokens": 0}, None, False),
        ({"input_tokens": 9, "output_tokens": -10_000_000}, None, True),
        ({"input_tokens": -9, "output_tokens": 4160}, None, True),
        ({"input_tokens": 9, "output_tokens": 10**400}, None, True),
        ({"input_tokens": 9, "output_tokens": 10**12}, None, True),
        ({"input_tokens": 9, "output_tokens": 1}, None, True),
        ({"input_tokens": 9, "output_tokens": float("nan")}, None, True),
        ({"input_tokens": [9], "output_tokens": True}, None, False),
        ("much", None, False),
        (None, None, False),
    ],
)
async def test_a_usage_that_cannot_be_true_is_not_believed(generating, usage, told, wrong):
    text = json.dumps({"data": [{"b64_json": B64}], "usage": usage})
    batch = await generating(content=text.encode())
    found = batch.usage and (batch.usage.text_in, batch.usage.image_in, batch.usage.image_out)
    assert (found, batch.implausible_usage) == (told, wrong)


UNWRITABLE = r'{"id": "video_1", "status": "queued", "note": "\ud800", "x": NaN, "y": 1e999}'


async def test_a_job_in_a_text_in_an_answer_can_be_recorded(submitting):
    job = await submitting(json={"data": UNWRITABLE})
    assert job.id == "video_1"
    json.dumps(job.raw, ensure_ascii=False, allow_nan=False).encode()


async def test_an_image_in_a_text_in_an_answer_can_be_recorded(generating):
    text = json.dumps({"b64_json": B64, "revised_prompt": "\ud800 cat"})
    batch = await generating(json={"data": [text]})
    assert [(image.b64, image.revised_prompt) for image in batch.images] == [(B64, "? cat")]
