"""Requests as a whole end in time, however slowly a server answers."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress

import pytest

from runner.errors import RunnerError, ServerError, UncertainError
from runner.providers.base import Job, JobStatus
from runner.providers.registry import create

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: %s\r\ntransfer-encoding: chunked\r\n\r\n"
DRIP = 0.02
LIMIT = 1.0


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def dripping(*parts: bytes, endless: bytes = b""):
    """A handler that sends a byte at a time, then `endless` over and over until the client has gone."""

    async def handler(reader, writer):
        with suppress(ConnectionError):
            for byte in b"".join(parts):
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(DRIP)
            while endless:
                writer.write(endless)
                await writer.drain()
                await asyncio.sleep(DRIP)

    return handler


def event(kind: str, **more) -> bytes:
    return chunk(b"data: " + json.dumps({"type": f"image_generation.{kind}", **more}).encode() + b"\n\n")


@pytest.fixture
def provider_at(config_of, serving):
    def make(url, model=None, **request):
        config = config_of({"base_url": url, "timeout": LIMIT}, model, **request)
        return serving(config), config

    return make


@pytest.fixture
async def serving():
    opened = []

    def make(config):
        opened.append(create(config.provider, {"OPENAI_API_KEY": "sk-canary-7f3a9c1e5b"}))
        return opened[-1]

    yield make
    for provider in opened:
        await provider.close()


ASKED = {
    "create": lambda provider, config: provider.submit(config),
    "poll": lambda provider, config: provider.retrieve("video_1"),
    "list": lambda provider, config: provider.jobs(),
    "delete": lambda provider, config: provider.delete("video_1"),
}
SLOW = {
    "head": dripping(b"HTTP/1.1 200 OK\r\nx-padding: " + b"x" * 10_000),
    "body": dripping(HEAD % b"application/json", endless=chunk(b" ")),
}


@pytest.mark.parametrize(
    ("asked", "slow"), [("create", "head"), ("create", "body"), ("poll", "head"), ("list", "body"), ("delete", "body")]
)
async def test_an_answer_that_drips_does_not_outlast_the_timeout(serve, provider_at, asked, slow):
    async with serve(SLOW[slow]) as url:
        provider, config = provider_at(url)
        with pytest.raises(RunnerError, match=r"provider\.timeout") as caught:
            await asyncio.wait_for(ASKED[asked](provider, config), 20)
    assert type(caught.value) is (UncertainError if asked == "create" else ServerError)


@pytest.mark.parametrize(
    "endless", [b": keep-alive\n\n", b'data: {"type": "image_generation.partial_image"}\n\n'], ids=["alive", "partial"]
)
async def test_an_image_stream_that_never_finishes_ends(serve, provider_at, endless):
    async with serve(dripping(HEAD % b"text/event-stream", endless=chunk(endless))) as url:
        provider, config = provider_at(url, {"kind": "image"}, partial_images=1)
        with pytest.raises(UncertainError, match=r"provider\.timeout"):
            await asyncio.wait_for(provider.generate(config), 20)


async def test_a_finished_image_counts_although_its_stream_goes_on_without_end(serve, provider_at):
    done = event("completed", b64_json="aGk=")

    async def handler(reader, writer):
        writer.write(HEAD % b"text/event-stream" + done)
        await dripping(endless=chunk(b": keep-alive\n\n"))(reader, writer)

    async with serve(handler) as url:
        provider, config = provider_at(url, {"kind": "image"}, partial_images=1, n=2)
        batch = await asyncio.wait_for(provider.generate(config), 20)
    assert [image.b64 for image in batch.images] == ["aGk="]


async def test_a_file_may_take_longer_than_the_timeout_while_it_comes(serve, provider_at):
    body = b"".join(chunk(b"x") for _ in range(120))

    async def handler(reader, writer):
        writer.write(HEAD % b"video/mp4")
        for start in range(0, len(body), 6):
            writer.write(body[start : start + 6])
            await writer.drain()
            await asyncio.sleep(DRIP)
        writer.write(b"0\r\n\r\n")

    async with serve(handler) as url:
        provider, _ = provider_at(url)
        job = Job("video_1", JobStatus.COMPLETED, "completed")
        began = asyncio.get_running_loop().time()
        async with provider.content(job) as content:
            data = b"".join([piece async for piece in content.chunks()])
    assert data == b"x" * 120
    assert asyncio.get_running_loop().time() - began > LIMIT


async def test_a_page_in_place_of_a_file_does_not_outlast_the_timeout(serve, provider_at):
    async with serve(dripping(HEAD % b"text/html", endless=chunk(b" "))) as url:
        provider, _ = provider_at(url)
        with pytest.raises(ServerError, match=r"provider\.timeout"):
            async with asyncio.timeout(20), provider.content(Job("video_1", JobStatus.COMPLETED, "completed")):
                pass
