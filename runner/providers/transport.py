"""Connections to hosts whose addresses were looked up and checked before."""

from __future__ import annotations

import httpx2

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
