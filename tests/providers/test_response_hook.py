"""What comes in: no answer is read into memory without a limit, packed or not, and none is written in full."""

from __future__ import annotations

import zlib

import httpx2
import pytest

from runner.errors import ServerError, UncertainError, UnexpectedAnswerError
from runner.providers.base import Job, JobStatus
from runner.providers.client import MAX_BYTES

MEGABYTE = 1024**2
IMAGE = {"kind": "image", "name": "gpt-image-2"}
JSON = {"content-type": "application/json"}


class Endless:
    """A body that goes on for as long as somebody reads; it counts what was taken."""

    def __init__(self, piece: bytes = b" " * MEGABYTE) -> None:
        self.piece = piece
        self.taken = 0

    async def __aiter__(self):
        while True:
            self.taken += 1
            assert self.taken < 10_000, "nobody stopped reading"
            yield self.piece


@pytest.fixture
def endless(wire):
    """A wire whose every answer has such a body."""

    def make(status: int = 200, body: Endless | None = None, **headers: str) -> Endless:
        body = body or Endless()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        wire.answer = lambda _: httpx2.Response(status, headers={**JSON, **named}, content=aiter_of(body))
        return body

    return make


async def aiter_of(body: Endless):
    async for piece in body:
        yield piece


async def test_an_endless_answer_to_a_question_is_broken_off(endless, connect, config_of):
    body = endless()
    with pytest.raises(ServerError, match="larger than"):
        await connect(config_of()).retrieve("video_1")
    assert body.taken * MEGABYTE <= MAX_BYTES + MEGABYTE


async def test_an_endless_answer_to_a_paid_request_leaves_it_uncertain(endless, connect, config_of):
    endless()
    with pytest.raises(UncertainError, match="larger than"):
        await connect(config_of()).submit(config_of())


@pytest.mark.parametrize("status", [401, 500])
async def test_an_endless_error_is_broken_off(endless, connect, config_of, status):
    endless(status, content_type="text/html")
    with pytest.raises(ServerError, match="larger than"):
        await connect(config_of()).retrieve("video_1")


async def test_a_small_answer_that_unpacks_to_gigabytes_is_broken_off(endless, connect, config_of):
    packer = zlib.compressobj(wbits=31)
    first = packer.compress(b" " * MEGABYTE)
    pieces = first + packer.flush(zlib.Z_FULL_FLUSH)
    repeated = packer.compress(b" " * 64 * MEGABYTE) + packer.flush(zlib.Z_FULL_FLUSH)
    assert len(repeated) < MEGABYTE // 8
    body = endless(body=Endless(pieces + repeated), content_encoding="gzip")
    with pytest.raises(ServerError, match="larger than"):
        await connect(config_of()).retrieve("video_1")
    assert body.taken < 3


async def test_a_packed_answer_is_understood(wire, connect, config_of):
    packed = zlib.compress(b'{"id": "video_1", "status": "queued"}', wbits=31)
    wire.replies(200, content=packed, headers={**JSON, "content-encoding": "gzip"})
    assert (await connect(config_of()).retrieve("video_1")).status is JobStatus.QUEUED


@pytest.fixture
def wrongly_packed(wire):
    """A wire whose every answer says that it is packed, which a proxy has undone; in small pieces."""

    def make(content: bytes, encoding: str, media_type: str = "application/json") -> None:
        async def pieces():
            for place in range(0, len(content), 64):
                yield content[place : place + 64]

        headers = {"content-type": media_type, "content-encoding": encoding}
        wire.answer = lambda _: httpx2.Response(200, headers=headers, content=pieces())

    return make


ENCODINGS = pytest.mark.parametrize("encoding", ["gzip", "deflate", "GZIP", "gzip, deflate", "aws-chunked", ""])


@ENCODINGS
async def test_a_paid_answer_that_is_not_packed_as_it_says_is_read(wrongly_packed, connect, config_of, encoding):
    wrongly_packed(b'{"id": "video_1", "object": "video", "status": "queued"}', encoding)
    assert (await connect(config_of()).submit(config_of())).id == "video_1"
    assert (await connect(config_of()).retrieve("video_1")).status is JobStatus.QUEUED
    wrongly_packed(b'{"data": [{"b64_json": "iVBORw0KGgo="}]}', encoding)
    batch = await connect(config_of(model=IMAGE)).generate(config_of(model=IMAGE))
    assert batch.images[0].b64 == "iVBORw0KGgo="


@ENCODINGS
async def test_a_file_that_is_not_packed_as_it_says_is_given_as_it_is(wrongly_packed, connect, config_of, encoding):
    sent = b"\0\0\0\x18ftypmp42" + bytes(range(256)) * 40
    wrongly_packed(sent, encoding, "video/mp4")
    async with connect(config_of()).content(Job("video_1", JobStatus.COMPLETED, "completed")) as content:
        assert b"".join([chunk async for chunk in content.chunks()]) == sent


async def test_a_packed_answer_that_goes_on_badly_is_an_error(wire, connect, config_of):
    packed = zlib.compress(bytes(range(256)) * 400, level=0, wbits=31)

    async def pieces():
        yield packed[:50_000]
        yield b"\xff" * 70_000

    headers = {"content-type": "video/mp4", "content-encoding": "gzip"}
    wire.answer = lambda _: httpx2.Response(200, headers=headers, content=pieces())
    with pytest.raises(ServerError):
        async with connect(config_of()).content(Job("video_1", JobStatus.COMPLETED, "completed")) as content:
            assert [chunk async for chunk in content.chunks()]


async def test_json_in_place_of_a_file_is_broken_off_too(endless, connect, config_of):
    endless()
    with pytest.raises(ServerError, match="larger than"):
        await connect(config_of()).content(Job("video_1", JobStatus.COMPLETED, "completed")).__aenter__()


async def test_a_file_passes_as_its_own_limit_is_where_it_is_written(endless, connect, config_of):
    body = endless(content_type="video/mp4")
    size = 0
    async with connect(config_of()).content(Job("video_1", JobStatus.COMPLETED, "completed")) as content:
        async for chunk in content.chunks():
            size += len(chunk)
            if size > 2 * MAX_BYTES:
                break
    assert body.taken * MEGABYTE > MAX_BYTES


async def test_images_may_be_larger_than_anything_else(wire, connect, config_of):
    b64 = "A" * (MAX_BYTES + 4)
    wire.replies(200, json={"data": [{"b64_json": b64}]})
    batch = await connect(config_of(model=IMAGE)).generate(config_of(model=IMAGE))
    assert batch.images[0].b64 == b64


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"a":' * 100_000,
    ],
    ids=["lists", "objects"],
)
async def test_json_that_no_parser_should_be_fed_is_no_answer(wire, connect, config_of, text):
    wire.replies(200, text=text, headers=JSON)
    with pytest.raises((ServerError, UnexpectedAnswerError)):
        await connect(config_of()).retrieve("video_1")


async def test_a_number_that_no_parser_should_be_fed_does_not_hide_the_job(wire, connect, config_of):
    wire.replies(200, text='{"id": "v", "status": "queued", "n": ' + "9" * 5000 + "}", headers=JSON)
    job = await connect(config_of()).submit(config_of())
    assert job.id == "v"
    assert isinstance(job.raw["n"], str)


async def test_what_no_file_can_hold_is_mended(wire, connect, config_of):
    text = r'{"status": "queued", "half": "\ud800", "n": [NaN, 1e999], "deep": ' + "[" * 200 + "]" * 200 + "}"
    wire.replies(200, text=text, headers=JSON)
    raw = (await connect(config_of()).retrieve("video_1")).raw
    assert (raw["half"], raw["n"]) == ("?", [None, None])
    assert "…" in repr(raw["deep"])
    assert len(repr(raw["deep"])) < 200
