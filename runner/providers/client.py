"""Make the clients of one endpoint: signed requests, one pool of connections, bounded answers, and the SDK on top."""

from __future__ import annotations

import asyncio
import base64
import functools
import html
import inspect
import json
import logging
import os
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator
from typing import Any, cast
from urllib.parse import quote, quote_plus

import httpx2
from openai import AsyncOpenAI, omit
from openai.resources.videos import AsyncVideos
from pydantic import SecretStr

from runner.config.provider import EndpointConfig

from .credentials import ConfiguredHeaders, Credential
from .endpoint import EndpointAddress, Proxy, proxy_of, require_proxy, tls_context

MAX_BYTES = 32 * 1024**2
"""A page of a hundred jobs with the longest prompts has a tenth of it."""

MAX_IMAGE_BYTES = 512 * 1024**2
"""Ten images of the largest size, as base64."""

MAX_PAID_BYTES = 128 * 1024**2
"""What a paid request for a video may be answered with: some servers send the video itself."""

MAX_STREAM_BYTES = 4 * 1024**3
"""An image stream, which is never in memory as a whole: its partial images come and go."""

# Without compression, Content-Length counts the file's bytes; videos and images do not compress anyway.
PLAIN = {"Accept-Encoding": "identity"}
"""The headers by which a download asks for its body as it is; everything else is read into memory."""


class ResponseHook:
    """Check responses before their bodies are read; `answered` says whether there was one."""

    def __init__(self, redact: Callable[[str], str]) -> None:
        self._redact = redact
        self.answered = False

    async def __call__(self, response: httpx2.Response) -> None:
        """Take the response in."""
        self.answered = True
        items = response.headers.multi_items()
        clean = [(name, self._redact(value)) for name, value in items]
        if clean != items:
            response.headers = httpx2.Headers(clean)
        limit = _limit(response)
        if limit is not None:
            packed = httpx2.Response(response.status_code, headers=response.headers, stream=response.stream)
            response.headers = httpx2.Headers([pair for pair in clean if pair[0] not in _OF_THE_PACKED])
            response.stream = _Bounded(packed, limit, response.extensions.get(_DEADLINE))


class TimedTransport(httpx2.AsyncBaseTransport):
    """Bound each request of another transport by its read timeout: connecting, sending, and the whole answer.

    The timeouts of HTTP clients are for each piece. `ResponseHook` bounds the body. Files are exempt: they may
    take long while they make progress.
    """

    def __init__(self, transport: httpx2.AsyncBaseTransport) -> None:
        self._transport = transport

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request; raises `httpx2.ReadTimeout` where the answer's head is not there in time."""
        seconds = request.extensions.get("timeout", {}).get("read")
        deadline = None if seconds is None else asyncio.get_running_loop().time() + seconds
        try:
            async with asyncio.timeout_at(deadline):
                response = await self._transport.handle_async_request(request)
        except TimeoutError as error:
            raise httpx2.ReadTimeout("the request took too long", request=request) from error
        response.extensions = {**response.extensions, _DEADLINE: deadline}
        return response

    async def aclose(self) -> None:
        """Close the other transport."""
        await self._transport.aclose()


_DEADLINE = "runner_deadline"


async def opened(context: Any) -> httpx2.Response:  # Any: the SDK's class for responses that are read later is private
    """Return the response of a request whose body is not read yet; its reader closes it."""
    return cast("httpx2.Response", (await context.__aenter__()).http_response)


async def received(response: httpx2.Response) -> tuple[httpx2.Response, Exception | None]:
    """Return an open response with what came of its body, and why that may not be all; closes the connection."""
    pieces: list[bytes] = []
    broken: Exception | None = None
    size = 0
    try:
        # `ResponseHook` has bounded it, but a stream of events may be larger than what is read as a whole.
        async for piece in unpacked(response):
            size += len(piece)
            _refuse_beyond(MAX_IMAGE_BYTES, size)
            pieces.append(piece)
    except (httpx2.HTTPError, httpx2.StreamError) as error:
        broken = error
    finally:
        await response.aclose()
    content = b"".join(pieces)
    return httpx2.Response(
        response.status_code, headers=response.headers, content=content, request=response.request
    ), broken


async def unpacked(response: httpx2.Response) -> AsyncIterator[bytes]:
    """Yield the pieces of a body without its compression; as they are where they have not the one that is said.

    A proxy may have unpacked a body and left the header. Raises `httpx2.DecodingError` where a body that began well
    goes on badly.
    """
    if response.is_stream_consumed:
        async for piece in response.aiter_bytes():
            yield piece
        return
    pieces = response.aiter_raw()
    if "content-encoding" in response.headers:
        async for piece in _decoded(pieces, response.headers["content-encoding"]):
            yield piece
    async for piece in pieces:
        yield piece


async def _decoded(pieces: AsyncIterator[bytes], encoding: str) -> AsyncIterator[bytes]:
    """Yield what the pieces hold; those that were read where the first of it cannot be decoded, and read no more."""
    read: list[bytes] = []
    is_packed = False

    async def reading() -> AsyncIterator[bytes]:
        async for piece in pieces:
            if not is_packed:
                read.append(piece)
            yield piece

    packed = httpx2.Response(200, headers={"content-encoding": encoding}, content=reading())
    try:
        async for piece in packed.aiter_bytes():
            is_packed = True
            read.clear()
            yield piece
    except httpx2.DecodingError:
        if is_packed:
            raise
        for piece in read:
            yield piece


def _refuse_beyond(limit: int, size: int) -> None:
    if size > limit:
        raise httpx2.ReadError(f"it was larger than {limit:,} bytes and was broken off")


def media_type_of(response: httpx2.Response) -> str:
    """Return the Content-Type without its parameters, in lower case; empty for none."""
    return response.headers.get("content-type", "").partition(";")[0].strip().lower()


def _limit(response: httpx2.Response) -> int | None:
    """Return how many bytes the body may have; None where whoever writes it to disk counts them."""
    request = response.request
    if not response.is_success:
        return MAX_BYTES
    if request.headers.get("accept-encoding") == PLAIN["Accept-Encoding"]:
        return None
    if request.method != "POST":
        return MAX_BYTES
    if "/images/" not in request.url.path:
        return MAX_PAID_BYTES
    return MAX_STREAM_BYTES if media_type_of(response) == "text/event-stream" else MAX_IMAGE_BYTES


_OF_THE_PACKED = frozenset({"content-encoding", "content-length"})


class _Bounded(httpx2.AsyncByteStream):
    """Give a body without its compression, so that what is counted is what memory would hold."""

    def __init__(self, packed: httpx2.Response, limit: int, deadline: float | None = None) -> None:
        """Take the `deadline` in the event loop's time."""
        self._packed = packed
        self._limit = limit
        self._deadline = deadline

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        chunks = unpacked(self._packed)
        while (chunk := await self._next(chunks)) is not None:
            size += len(chunk)
            _refuse_beyond(self._limit, size)
            yield chunk

    async def _next(self, chunks: AsyncIterator[bytes]) -> bytes | None:
        try:
            async with asyncio.timeout_at(self._deadline):
                return await anext(chunks, None)
        except TimeoutError as error:
            raise httpx2.ReadTimeout("the answer took too long") from error

    async def aclose(self) -> None:
        await self._packed.aclose()


_HIDDEN = "[redacted]"
# Servers without keys take any word, as in EMPTY or x: those are no secrets, and messages are full of them.
_SHORTEST = 8
_KNOWN = 256
"""Secrets whose spellings are remembered."""


class CredentialAuth(httpx2.Auth):
    """Put the credential and the configured headers on each request to the endpoint, and nothing in their places.

    They are on the request only while that is under way: exceptions and responses keep their request, and whoever logs
    them would log the key. A 401 was refused before any work, so that asking once more with a renewed credential pays
    nothing twice.
    """

    def __init__(self, credential: Credential, headers: ConfiguredHeaders = ConfiguredHeaders()) -> None:  # noqa: B008
        self._credential = credential
        self._headers = headers

    async def async_auth_flow(self, request: httpx2.Request) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        """Sign, send, and once more with a renewed credential after a 401."""
        value = await self._credential.value()
        self._sign(request, value)
        try:
            response = yield request
            if value is not None and response.status_code == 401:
                renewed = await self._credential.value(refused=value)
                if renewed is not None:
                    self._sign(request, renewed)
                    yield request
        finally:
            self._unsign(request)

    def _sign(self, request: httpx2.Request, value: SecretStr | None) -> None:
        self._unsign(request)
        if value is not None:
            request.headers[self._credential.header] = value.get_secret_value()
        for name, configured in self._headers.values:
            request.headers[name] = configured.get_secret_value()

    def _unsign(self, request: httpx2.Request) -> None:
        for name in ("Authorization", "api-key", *(name for name, _ in self._headers.values)):
            request.headers.pop(name, None)


def redactor(*sources: Callable[[], Iterable[str]]) -> Callable[[str], str]:
    """Return a function that takes the secrets of `sources` out of a text, however a server spells them."""

    @functools.lru_cache(_KNOWN)  # addresses come and go
    def spelled(secret: str) -> tuple[str, ...]:
        return tuple(sorted(set(_spellings(secret)), key=len, reverse=True))

    def redact(text: str) -> str:
        for secret in (word for source in sources for word in source()):
            if len(secret) >= _SHORTEST:
                for spelling in spelled(secret):
                    text = text.replace(spelling, _HIDDEN)
        return text

    return redact


def _spellings(secret: str) -> Iterator[str]:
    """Yield the secret as it is, and as addresses, JSON, pages and base64 (inside a longer text, too) write it."""
    yield from (secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1], html.escape(secret))
    content = secret.encode()
    for before in range(3):
        # The characters that hold no bit of a neighbour.
        first, end = -(-before * 8 // 6), (before + len(content)) * 8 // 6
        core = base64.b64encode(bytes(before) + content)[first:end].decode()
        yield from (core, core.replace("+", "-").replace("/", "_"))


# The SDK insists on a key and would take OPENAI_API_KEY; what is sent is put in place by CredentialAuth alone.
PLACEHOLDER = "unused"
# Until the emulator has told its port: an address that nothing answers.
_NOWHERE = "http://127.0.0.1:9/v1"
_CONNECT_SECONDS = 30.0
# Shorter than any server keeps an idle connection open: a paid request on a connection that the server is just about
# to close would be lost, and nobody could tell whether it was read.
_KEEPALIVE_SECONDS = 1.0
# The engine bounds the requests in flight; a few more connections keep a slow close from holding up the next request.
_SPARE_CONNECTIONS = 4
# What fits into memory twice without being noticed.
_ONE_PIECE_BYTES = 256 * 1024


def http_client(
    config: EndpointConfig,
    endpoint: EndpointAddress,
    auth: CredentialAuth,
    response_hook: ResponseHook,
    transport: httpx2.AsyncBaseTransport | None,
) -> httpx2.AsyncClient:
    """Return an endpoint's one connection pool; it follows no redirect by itself, which could take a key along."""
    hide_queries()
    connections = config.max_concurrent_requests + _SPARE_CONNECTIONS
    limits = httpx2.Limits(
        max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=_KEEPALIVE_SECONDS
    )
    base_url = endpoint.base_url or _NOWHERE
    proxy = None if transport is not None else proxy_of(base_url)
    require_proxy(proxy)
    if transport is None:
        # Reading the world's certificate authorities takes 40 ms, and an http:// address never needs them.
        verify = tls_context() if base_url.startswith("https:") else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        transport = httpx2.AsyncHTTPTransport(
            verify=verify, limits=limits, proxy=None if proxy is None else proxy.url, trust_env=False
        )
    return _client(config, transport, response_hook, auth)


def file_client(
    config: EndpointConfig,
    response_hook: ResponseHook,
    proxy: Proxy | None,
    transport: httpx2.AsyncBaseTransport | None,
) -> httpx2.AsyncClient:
    """Return a client for files on other hosts: it has no key and no headers.

    It keeps no connection: two names may share an address, and a connection is made for one of them.
    """
    limits = httpx2.Limits(
        max_connections=config.max_concurrent_requests + _SPARE_CONNECTIONS, max_keepalive_connections=0
    )
    require_proxy(proxy)
    if transport is None:
        address = None if proxy is None else proxy.url
        direct = httpx2.AsyncHTTPTransport(verify=tls_context(), limits=limits, proxy=address, trust_env=False)
        transport = PinnedTransport(direct) if proxy is None else direct
    return _client(config, transport, response_hook)


def _client(
    config: EndpointConfig,
    transport: httpx2.AsyncBaseTransport,
    response_hook: ResponseHook,
    auth: CredentialAuth | None = None,
) -> httpx2.AsyncClient:
    # Less than the whole request's: what did not connect was provably not sent.
    soon = 0.9 * config.timeout
    return httpx2.AsyncClient(
        auth=auth,
        timeout=httpx2.Timeout(config.timeout, connect=min(soon, _CONNECT_SECONDS), pool=soon),
        follow_redirects=False,
        event_hooks={"request": [_in_one_piece], "response": [response_hook]},
        transport=TimedTransport(transport),
        trust_env=False,
    )


def ambient_headers() -> dict[str, str]:
    """Return the headers of OPENAI_CUSTOM_HEADERS as the SDK reads them, which would send them to every server."""
    lines = os.environ.get("OPENAI_CUSTOM_HEADERS", "").split("\n")
    return {name.strip(): value.strip() for name, colon, value in (line.partition(":") for line in lines) if colon}


def without_ambient_headers() -> dict[str, Any]:  # Any: what the SDK takes for a header that is not to be sent
    """Return the SDK's default headers by which it sends none of the environment's own."""
    # These two are always replaced by CredentialAuth; without any the SDK would refuse to send.
    kept = ("authorization", "api-key")
    return {name: omit for name in ambient_headers() if name.lower() not in kept}


async def _in_one_piece(request: httpx2.Request) -> None:
    """Make a small form ready as a whole: its fields would pass through all layers one by one, four pieces each."""
    if int(request.headers.get("content-length", _ONE_PIECE_BYTES + 1)) <= _ONE_PIECE_BYTES:
        await request.aread()


def sdk_client(config: EndpointConfig, endpoint: EndpointAddress, http: httpx2.AsyncClient) -> AsyncOpenAI:
    """Return the SDK for an endpoint; it retries nothing and takes no credential or header from the environment."""
    client = AsyncOpenAI(
        api_key=PLACEHOLDER,
        admin_api_key="",
        base_url=endpoint.base_url or _NOWHERE,
        timeout=http.timeout,
        max_retries=0,
        default_headers=without_ambient_headers(),
        default_query=dict(endpoint.query),
        http_client=http,
    )
    # Set afterwards: None given to the constructor means "from the environment".
    client.organization = getattr(config, "organization", None)
    client.project = getattr(config, "project", None)
    return client


def _without_query(record: logging.LogRecord) -> bool:
    """Cut the query off every address in a log line: where a server signs an address, the signature is in there."""
    if isinstance(record.args, tuple):
        record.args = tuple(
            value.copy_with(query=None) if isinstance(value, httpx2.URL) else value for value in record.args
        )
    return True


def hide_queries() -> None:
    """Keep signatures out of `httpx2`'s log lines; calling it again changes nothing."""
    logging.getLogger("httpx2").addFilter(_without_query)


def _quiet(method: object) -> Any:  # Any: a method of any signature; callers see AsyncVideos' own
    """Return the method beneath `typing_extensions.deprecated`.

    "The Sora API is scheduled to shut down" is about OpenAI's own server; the protocol lives on at others. A filter
    would be global: `warnings.catch_warnings` is neither thread- nor task-safe, and `filterwarnings` would silence the
    user's own calls too. The undecorated method has nothing to silence.
    """
    return inspect.unwrap(method)  # type: ignore[arg-type]  # typeshed asks for a Callable, any object is right


class QuietVideos(AsyncVideos):
    """Do what `client.videos` does, without its warnings."""

    create = _quiet(AsyncVideos.create)
    retrieve = _quiet(AsyncVideos.retrieve)
    delete = _quiet(AsyncVideos.delete)
    remix = _quiet(AsyncVideos.remix)
    edit = _quiet(AsyncVideos.edit)
    extend = _quiet(AsyncVideos.extend)
    download_content = _quiet(AsyncVideos.download_content)
    create_character = _quiet(AsyncVideos.create_character)
    get_character = _quiet(AsyncVideos.get_character)


ADDRESSES = "runner_addresses"
"""The request extension that holds the IP addresses to connect to; without any the host's name is used."""


class PinnedTransport(httpx2.AsyncBaseTransport):
    """Connect to the addresses that a request brings, so that no name is looked up a second time.

    The name stays in the Host header, and is what the certificate is checked against.
    """

    def __init__(self, transport: httpx2.AsyncBaseTransport) -> None:
        self._transport = transport

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send one request to the first of its addresses that can be connected to."""
        addresses = list(request.extensions.get(ADDRESSES, ()))
        if not addresses:
            return await self._transport.handle_async_request(request)
        for address in addresses[:-1]:
            try:
                return await self._transport.handle_async_request(_at(request, address))
            except (httpx2.ConnectError, httpx2.ConnectTimeout):
                continue
        return await self._transport.handle_async_request(_at(request, addresses[-1]))

    async def aclose(self) -> None:
        """Close the transport."""
        await self._transport.aclose()


def _at(request: httpx2.Request, address: str) -> httpx2.Request:
    name = request.url.host
    extensions = request.extensions if address == name else {**request.extensions, "sni_hostname": name}
    return httpx2.Request(
        request.method,
        request.url.copy_with(host=address),
        headers=request.headers,
        stream=request.stream,
        extensions=extensions,
    )
