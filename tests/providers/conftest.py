from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from email.message import Message
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import httpx2
import pytest
from PIL import Image

from runner.config.run import RunConfig
from runner.providers.base import Provider
from runner.providers.registry import create

KEY = "sk-canary-7f3a9c1e5b"

SORA = {
    "kind": "video", "name": "sora-2", "deployment": None, "validation": "strict", "sizes": ["1280x720", "720x1280"],
    "aspect_ratios": {"16:9": "1280x720", "9:16": "720x1280"}, "max_reference_images": 1, "parameters": ["video"],
    "max_prompt_length": 32000, "offers": {}, "source": "a test", "read": "2026-11-23", "durations": [4, 8, 12],
    "default_duration": 4, "default_size": "720x1280", "usd_per_second": None,
}  # fmt: skip
GPT_IMAGE = {
    "kind": "image", "name": "gpt-image-2", "deployment": None, "validation": "strict", "sizes": None,
    "aspect_ratios": {"1:1": "1024x1024"}, "max_reference_images": 16, "parameters": [], "max_prompt_length": 32000,
    "offers": {}, "source": "a test", "read": "2026-11-23", "size_rules": None, "qualities": ["low", "high"],
    "max_images": 10, "usd_per_image": None, "usd_per_million_tokens": None,
}  # fmt: skip

Values = dict[str, Any]
ConfigOf = Callable[..., RunConfig]


def build_config(provider: Values | None = None, model: Values | None = None, **request: Any) -> RunConfig:
    image = (model or {}).get("kind") == "image"
    return RunConfig.model_validate(
        {
            "provider": {"kind": "openai", **(provider or {})},
            "model": {**(GPT_IMAGE if image else SORA), **(model or {})},
            "request": {"kind": "image" if image else "video", "prompt": "a cat", **request},
        }
    )


@pytest.fixture
def config_of() -> ConfigOf:
    """A run's config: provider and model as dicts of what differs, the request's keys by name."""
    return build_config


class Wire:
    """A network without a wire: keeps what was sent, answers what it is told."""

    def __init__(self) -> None:
        self.requests: list[httpx2.Request] = []
        self.answer: Callable[[httpx2.Request], httpx2.Response] = lambda _: httpx2.Response(
            200, json={"id": "video_1", "status": "queued", "data": [{"b64_json": "aGk="}]}
        )
        self.transport = httpx2.MockTransport(self._handle)

    async def _handle(self, request: httpx2.Request) -> httpx2.Response:
        content = await request.aread()
        # As it was on the way: the credential is taken off it again.
        self.requests.append(
            httpx2.Request(request.method, request.url, headers=request.headers.copy(), content=content)
        )
        return self.answer(request)

    def replies(self, status: int, *, headers: dict[str, str] | None = None, **body: Any) -> None:
        self.answer = lambda _: httpx2.Response(status, headers=headers, **body)

    def raises(self, error: Exception) -> None:
        def fail(_: httpx2.Request) -> httpx2.Response:
            raise error

        self.answer = fail

    @property
    def sent(self) -> httpx2.Request:
        """The one request that was sent."""
        assert len(self.requests) == 1, [str(request.url) for request in self.requests]
        return self.requests[0]

    @property
    def form(self) -> list[tuple[str, str | None, str, bytes]]:
        """The parts of the one multipart request: name, file name, content type and content."""
        head = f"Content-Type: {self.sent.headers['content-type']}\r\n\r\n".encode()
        message = BytesParser().parsebytes(head + self.sent.content)
        assert message.is_multipart()
        return [_part(part) for part in message.get_payload()]

    @property
    def fields(self) -> dict[str, str]:
        """The multipart request's fields that are no files."""
        return {name: content.decode() for name, file, _, content in self.form if file is None}


def _part(part: Message) -> tuple[str, str | None, str, bytes]:
    name = part.get_param("name", header="content-disposition")
    kind = part.get_content_type() if part["content-type"] else ""
    return str(name), part.get_filename(), kind, part.get_payload(decode=True)


@pytest.fixture
def wire() -> Wire:
    return Wire()


Connect = Callable[..., Provider]


@pytest.fixture
async def connect(wire: Wire) -> AsyncIterator[Connect]:
    """A provider on the wire for a config, its key in the usual variable unless `env` says otherwise."""
    opened: list[Provider] = []

    def connect(config: RunConfig, env: dict[str, str] | None = None) -> Provider:
        environment = {"OPENAI_API_KEY": KEY, "AZURE_OPENAI_API_KEY": KEY} if env is None else env
        opened.append(create(config.provider, environment, transport=wire.transport))
        return opened[-1]

    yield connect
    for provider in opened:
        await provider.close()


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Serve = Callable[[Handler], AbstractAsyncContextManager[str]]


@pytest.fixture
def serve() -> Serve:
    """A raw TCP server on a free port of this machine: `async with serve(handler) as base_url`."""

    @asynccontextmanager
    async def serve(handler: Handler) -> AsyncIterator[str]:
        under_way: set[asyncio.Task[None]] = set()

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                await reader.readuntil(b"\r\n\r\n")
                await handler(reader, writer)
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

        def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            under_way.add(asyncio.create_task(handle(reader, writer)))

        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        try:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        finally:
            server.close()
            if under_way:
                _, waiting = await asyncio.wait(under_way, timeout=5)
                for task in waiting:
                    task.cancel()
            await asyncio.gather(*(task for task in under_way if not task.cancelling()))

    return serve


@pytest.fixture
def key() -> str:
    return KEY


@pytest.fixture
def make_picture(tmp_path: Path) -> Callable[[str], str]:
    """Write a small picture of this name, each name another's; its path."""

    def make(name: str) -> str:
        Image.new("RGB", (8, 8), (len(name), 0, 0)).save(tmp_path / name)
        return str(tmp_path / name)

    return make
