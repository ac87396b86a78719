"""Partial images on the wire: what asks for them, what is read, and what a stream that breaks off means."""

from __future__ import annotations

import json

import httpx2
import pytest

from runner.artifacts.result import Usage
from runner.errors import (
    ContentModerationError,
    GenerationFailedError,
    RateLimitError,
    RunnerError,
    UncertainError,
)
from runner.providers.base import PartialImage

IMAGE = {"kind": "image"}
USAGE = {
    "input_tokens": 12, "output_tokens": 1256, "total_tokens": 1268,
    "input_tokens_details": {"text_tokens": 9, "image_tokens": 3},
}  # fmt: skip
FACTS = {"created_at": 1, "size": "1024x1024", "quality": "low", "background": "opaque", "output_format": "png"}


def event(kind: str, **data: object) -> str:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **data})}\n\n"


def partial(index: int, b64: str = "aGk=", of: str = "image_generation") -> str:
    return event(f"{of}.partial_image", b64_json=b64, partial_image_index=index, **FACTS)


def completed(b64: str = "ZW5k", of: str = "image_generation", **more: object) -> str:
    return event(f"{of}.completed", b64_json=b64, usage=USAGE, **FACTS, **more)


class Breaking(httpx2.AsyncByteStream):
    """A body that ends with an error."""

    def __init__(self, text: str, error: Exception) -> None:
        self._text, self._error = text, error

    async def __aiter__(self):
        yield self._text.encode()
        raise self._error


@pytest.fixture
def streaming(wire, connect, config_of):
    """Generate with two partial images, the server answering a stream; the partials and the batch."""

    async def generate(text: str | httpx2.AsyncByteStream, **request: object):
        kind = {"headers": {"content-type": "text/event-stream; charset=utf-8", "x-request-id": "req_7"}}
        body = {"stream": text} if isinstance(text, httpx2.AsyncByteStream) else {"content": text.encode()}
        wire.answer = lambda _: httpx2.Response(200, **kind, **body)
        config = config_of(None, IMAGE, **{"partial_images": 2, **request})
        heard: list[PartialImage] = []

        async def hear(image: PartialImage) -> None:
            heard.append(image)

        return heard, await connect(config).generate(config, hear)

    return generate


@pytest.mark.parametrize("index", [-1, 10**6, 10**4000, "../../0", None, 0.5])
async def test_a_partial_image_that_cannot_name_a_file_is_left_out(streaming, index):
    heard, batch = await streaming(partial(index) + completed())
    assert heard == []
    assert len(batch.images) == 1


async def test_partial_images_are_heard_and_the_finished_one_is_the_answer(streaming, wire):
    heard, batch = await streaming(partial(0) + partial(1, "c2Vjb25k") + completed(revised_prompt="a grey cat"))
    assert heard == [PartialImage(0, "aGk="), PartialImage(1, "c2Vjb25k")]
    (image,) = batch.images
    assert (image.b64, image.url, image.revised_prompt) == ("ZW5k", None, "a grey cat")
    assert batch.usage == Usage(text_in=9, image_in=3, image_out=1256)
    assert batch.request_id == "req_7"
    assert "ZW5k" not in json.dumps(batch.raw)
    assert batch.raw["usage"] == USAGE
    assert json.loads(wire.sent.content) == {
        "prompt": "a cat", "model": "gpt-image-2", "n": 1, "partial_images": 2, "stream": True,
    }  # fmt: skip


async def test_an_edit_streams_too(streaming, wire, tmp_path):
    path = tmp_path / "cat.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(8))
    text = partial(0, of="image_edit") + completed(of="image_edit")
    heard, batch = await streaming(text, image_list=[str(path)], partial_images=3)
    assert [image.index for image in heard] == [0]
    assert batch.images[0].b64 == "ZW5k"
    assert str(wire.sent.url).endswith("/images/edits")
    assert wire.fields == {"prompt": "a cat", "model": "gpt-image-2", "n": "1", "partial_images": "3", "stream": "true"}


async def test_without_partial_images_nothing_is_streamed(wire, connect, config_of):
    config = config_of(None, IMAGE)
    await connect(config).generate(config)
    assert json.loads(wire.sent.content).keys() == {"prompt", "model", "n"}


async def test_none_at_all_can_be_asked_for(streaming, wire):
    heard, batch = await streaming(completed(), partial_images=0)
    assert (heard, batch.images[0].b64) == ([], "ZW5k")
    assert json.loads(wire.sent.content)["partial_images"] == 0


async def test_a_server_that_does_not_stream_is_understood_all_the_same(wire, connect, config_of):
    config = config_of(None, IMAGE, partial_images=1)
    batch = await connect(config).generate(config)
    assert batch.images[0].b64 == "aGk="


async def test_what_the_stream_says_beside_is_passed_over(streaming):
    text = ": comment\n\n" + event("image_generation.queued", position=3) + partial(0, b64=None) + completed()
    heard, batch = await streaming(text)
    assert heard == []
    assert batch.images[0].b64 == "ZW5k"


async def test_nothing_is_read_beyond_the_finished_image(streaming):
    _, batch = await streaming(Breaking(completed(), httpx2.ReadError("reset")))
    assert batch.images[0].b64 == "ZW5k"


async def test_of_several_images_those_that_came_are_kept(streaming):
    _, batch = await streaming(Breaking(completed() + completed("ZW5kMg=="), httpx2.ReadError("reset")), n=3)
    assert [image.b64 for image in batch.images] == ["ZW5k", "ZW5kMg=="]


@pytest.mark.parametrize(
    "text",
    [
        Breaking(partial(0), httpx2.RemoteProtocolError("peer closed connection")),
        Breaking("", httpx2.ReadTimeout("")),
        partial(0),
        partial(0) + "data: [DONE]\n\n",
        'data: {"type": "image_gen\n\n',
        "",
    ],
)  # fmt: skip
async def test_a_stream_without_the_finished_image_is_an_uncertain_payment(streaming, wire, text):
    with pytest.raises(UncertainError) as caught:
        await streaming(text)
    assert "may have been carried out and charged" in str(caught.value)
    assert len(wire.requests) == 1


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (
            {"type": "image_generation_user_error", "code": "moderation_blocked", "message": "no"},
            ContentModerationError,
        ),
        ({"type": "server_error", "code": "server_error", "message": "no"}, GenerationFailedError),
        ({"type": "requests", "code": "rate_limit_exceeded", "message": "no"}, GenerationFailedError),
    ],
)
@pytest.mark.parametrize("flat", [False, True])
async def test_an_error_in_the_stream_is_the_generation_s_own(streaming, wire, error, kind, flat):
    with pytest.raises(RunnerError) as caught:
        await streaming(partial(0) + _told(error, flat=flat))
    assert type(caught.value) is kind
    assert caught.value.code == error["code"]
    assert caught.value.message.endswith(": no")
    assert len(wire.requests) == 1


def _told(error: dict[str, str], *, flat: bool) -> str:
    data = {**error, "type": "error"} if flat else {"type": "error", "error": error}
    return f"event: error\ndata: {json.dumps(data)}\n\n"


async def test_what_the_stream_repeats_of_the_key_is_not_repeated(streaming, key):
    with pytest.raises(GenerationFailedError) as caught:
        await streaming(_told({"type": "server_error", "code": key, "message": f"key {key}"}, flat=False))
    assert key not in f"{caught.value} {caught.value.code} {caught.value.raw_response}"
    _, batch = await streaming(completed(safety_identifier=key))
    assert key not in json.dumps(batch.raw)


async def test_a_refusal_before_the_stream_is_what_it_always_was(wire, connect, config_of):
    wire.replies(429, json={"error": {"message": "slow down", "code": "rate_limit_exceeded"}})
    config = config_of(None, IMAGE, partial_images=1)
    with pytest.raises(RateLimitError):
        await connect(config).generate(config)
