"""Make the clients of one endpoint: one connection pool, checked addresses, the SDK on top, and what is logged."""

from __future__ import annotations

import inspect
import logging
import os
import ssl
from typing import Any

import httpx2
from openai import AsyncOpenAI, omit
from openai.resources.videos import AsyncVideos

from runner.config.provider import EndpointConfig

from .auth import CredentialAuth
from .endpoint import Endpoint
from .environment import Proxy, proxy_of, require_proxy, tls_context
from .intake import Intake, TimedTransport

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
    endpoint: Endpoint,
    auth: CredentialAuth,
    intake: Intake,
    transport: httpx2.AsyncBaseTransport | None,
) -> httpx2.AsyncClient:
    """The one connection pool of an endpoint; it never follows a redirect by itself, which could take a key along."""
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
    return httpx2.AsyncClient(
        auth=auth,
        timeout=_timeout(config),
        follow_redirects=False,
        event_hooks={"request": [_in_one_piece], "response": [intake]},
        transport=TimedTransport(transport),
        trust_env=False,
    )


def file_client(
    config: EndpointConfig, intake: Intake, proxy: Proxy | None, transport: httpx2.AsyncBaseTransport | None
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
    return httpx2.AsyncClient(
        timeout=_timeout(config),
        follow_redirects=False,
        event_hooks={"response": [intake]},
        transport=TimedTransport(transport),
        trust_env=False,
    )


def _timeout(config: EndpointConfig) -> httpx2.Timeout:
    # Less than the whole request's: what did not connect was provably not sent.
    soon = 0.9 * config.timeout
    return httpx2.Timeout(config.timeout, connect=min(soon, _CONNECT_SECONDS), pool=soon)


class AmbientHeaders:
    """The headers of OPENAI_CUSTOM_HEADERS, which the SDK would send to every server; they are secrets here."""

    def __init__(self) -> None:
        lines = os.environ.get("OPENAI_CUSTOM_HEADERS", "").split("\n")
        # As the SDK reads them.
        self._values = {
            name.strip(): value.strip() for name, colon, value in (line.partition(":") for line in lines) if colon
        }

    @property
    def names(self) -> tuple[str, ...]:
        """Return what they are called."""
        return tuple(self._values)

    def secrets(self) -> tuple[str, ...]:
        """Return their values."""
        return tuple(self._values.values())


def without_ambient_headers() -> dict[str, Any]:  # Any: what the SDK takes for a header that is not to be sent
    """Return the SDK's default headers by which it sends none of the environment's own."""
    # These two are always replaced by CredentialAuth; without any the SDK would refuse to send.
    kept = ("authorization", "api-key")
    return {name: omit for name in AmbientHeaders().names if name.lower() not in kept}


async def _in_one_piece(request: httpx2.Request) -> None:
    """Make a small form ready as a whole: its fields would pass through all layers one by one, four pieces each."""
    if int(request.headers.get("content-length", _ONE_PIECE_BYTES + 1)) <= _ONE_PIECE_BYTES:
        await request.aread()


def sdk_client(config: EndpointConfig, endpoint: Endpoint, http: httpx2.AsyncClient) -> AsyncOpenAI:
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
    """`client.videos` whose methods do the same and warn of nothing."""

    create = _quiet(AsyncVideos.create)
    retrieve = _quiet(AsyncVideos.retrieve)
    list = _quiet(AsyncVideos.list)
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
    """Connects to the addresses that a request brings, so that no name is looked up a second time.

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
