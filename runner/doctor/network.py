"""Check the way to an endpoint before HTTP: its name, a connection, its certificate."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from runner.providers.endpoint import Proxy, proxy_of, tls_context

from .check import Check, fail, ok, skip, warn

_SECONDS = 10.0
_SOON_DAYS = 14
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Host:
    """Describe where an endpoint listens, and the proxy of the environment that stands between."""

    name: str
    port: int
    encrypted: bool
    proxy: Proxy | None = None


def host_of(base_url: str) -> Host:
    """Return the host of a canonical base URL."""
    parts = urlsplit(base_url)
    port = parts.port or _PORTS[parts.scheme]
    return Host(parts.hostname or "", port, parts.scheme == "https", proxy_of(base_url))


async def dns(host: Host) -> Check:
    """Return whether the name resolves."""
    if host.proxy is not None:
        return skip("dns", f"the proxy that {host.proxy.variable} names looks names up")
    try:
        loop = asyncio.get_running_loop()
        found = await asyncio.wait_for(loop.getaddrinfo(host.name, host.port, type=socket.SOCK_STREAM), _SECONDS)
    except (OSError, TimeoutError, UnicodeError) as error:
        return fail("dns", f"{host.name} does not resolve ({_reason(error)})",
                    "is provider.base_url right? private endpoints resolve only in their own network")  # fmt: skip
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    more = f" and {len(addresses) - 1} more" if len(addresses) > 1 else ""
    return ok("dns", f"{host.name} is {addresses[0]}{more}")


async def tls(host: Host, clock: Callable[[], float]) -> Check:
    """Return whether a connection can be made, and what the certificate is worth."""
    if host.proxy is not None:
        return await _through(host.proxy)
    try:
        expiry = await asyncio.wait_for(_handshake(host), _SECONDS)
    except ssl.SSLCertVerificationError as error:
        return fail("tls", f"the certificate of {host.name} is not trusted: {error.verify_message}",
                    "behind a company's proxy: SSL_CERT_FILE=AUTHORITY.pem; or the clock is wrong")  # fmt: skip
    except (OSError, TimeoutError) as error:
        return fail("tls", f"{host.name}:{host.port} cannot be reached: {_reason(error)}",
                    "is provider.base_url right, and does a firewall let this through?")  # fmt: skip
    if not host.encrypted:
        return skip("tls", f"{host.name}:{host.port} can be reached; http:// has no certificate")
    return _validity(host, expiry, clock())


async def _through(proxy: Proxy) -> Check:
    """Return whether the proxy, which makes the connection, can itself be connected to."""
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(*proxy.place), _SECONDS)
    except (OSError, TimeoutError, UnicodeError) as error:
        return fail("tls", f"the proxy that {proxy.variable} names ({proxy.host}) cannot be reached: {_reason(error)}",
                    f"correct or unset {proxy.variable}, or name the endpoint's host in NO_PROXY")  # fmt: skip
    writer.transport.abort()
    return skip("tls", f"the proxy that {proxy.variable} names ({proxy.host}) makes the connection")


async def _handshake(host: Host) -> str | None:
    """Connect as the client would; when the certificate ends, in its own words."""
    context = tls_context() if host.encrypted else None
    _, writer = await asyncio.open_connection(host.name, host.port, ssl=context)
    certificate = writer.get_extra_info("peercert") or {}
    writer.transport.abort()
    expiry: str | None = certificate.get("notAfter")
    return expiry


def _validity(host: Host, expiry: str | None, now: float) -> Check:
    if expiry is None:
        # If the system's own store verifies, Python does not get to see the certificate.
        return ok("tls", f"the certificate of {host.name} is trusted")
    days = (ssl.cert_time_to_seconds(expiry) - now) / 86_400
    said = f"the certificate of {host.name} is trusted, for {days:.0f} more days"
    return ok("tls", said) if days > _SOON_DAYS else warn("tls", said, "its owner has to renew it")


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {_SECONDS:.0f} s"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
