"""The way to an endpoint before HTTP: its name, a connection, its certificate."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from runner.providers.endpoint import is_loopback

from .check import Check, fail, ok, skip, warn

_SECONDS = 10.0
_SOON_DAYS = 14
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Host:
    """Where an endpoint listens; `proxied` says that a proxy of the environment stands between."""

    name: str
    port: int
    encrypted: bool
    proxied: bool = False


def host_of(base_url: str) -> Host:
    """The host of a canonical base URL."""
    parts = urlsplit(base_url)
    name = parts.hostname or ""
    proxies = getproxies()
    proxied = (parts.scheme in proxies or "all" in proxies) and not is_loopback(name) and not proxy_bypass(name)
    return Host(name, parts.port or _PORTS[parts.scheme], parts.scheme == "https", proxied)


async def dns(host: Host) -> Check:
    """Whether the name resolves."""
    if host.proxied:
        return skip("dns", "a proxy of the environment (HTTPS_PROXY, ALL_PROXY) resolves names")
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
    """Whether a connection can be made, and what the certificate is worth."""
    if host.proxied:
        return skip("tls", "a proxy of the environment (HTTPS_PROXY, ALL_PROXY) makes the connection")
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


async def _handshake(host: Host) -> str | None:
    """Connect as the client would; when the certificate ends, in its own words."""
    import httpx2

    context = httpx2.create_ssl_context() if host.encrypted else None
    _, writer = await asyncio.open_connection(host.name, host.port, ssl=context)
    certificate = writer.get_extra_info("peercert") or {}
    writer.transport.abort()
    expiry: str | None = certificate.get("notAfter")
    return expiry


def _validity(host: Host, expiry: str | None, now: float) -> Check:
    if expiry is None:
        # Where the system's own store verifies, it keeps the certificate to itself.
        return ok("tls", f"the certificate of {host.name} is trusted")
    days = (ssl.cert_time_to_seconds(expiry) - now) / 86_400
    said = f"the certificate of {host.name} is trusted, for {days:.0f} more days"
    return ok("tls", said) if days > _SOON_DAYS else warn("tls", said, "its owner has to renew it")


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {_SECONDS:.0f} s"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
