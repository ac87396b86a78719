"""TLS for an endpoint on this machine that is asked without it: nothing is read for it until something needs it."""

from __future__ import annotations

import ssl
from collections.abc import Callable

import httpx2


def none_trusted() -> ssl.SSLContext:
    """What verifies every certificate and trusts no authority, for connections that have none."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class LateTransport(httpx2.AsyncBaseTransport):
    """A transport that is made for its first request: reading the world's certificate authorities takes 40 ms."""

    def __init__(self, make: Callable[[], httpx2.AsyncBaseTransport]) -> None:
        self._make = make
        self._made: httpx2.AsyncBaseTransport | None = None

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send one request."""
        if self._made is None:
            self._made = self._make()
        return await self._made.handle_async_request(request)

    async def aclose(self) -> None:
        """Close the transport, if there ever was one."""
        if self._made is not None:
            await self._made.aclose()
