"""uvicorn's HTTP/1.1 protocol, with the connection within reach of the application, so that faults can cut it."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from runner.emulator.injection import TRANSPORT


class CuttableProtocol(H11Protocol):
    """Puts the connection's transport into every request's `scope["extensions"]`."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Wrap the application for this connection."""
        super().connection_made(transport)
        # Any: uvicorn's own ASGI types are typed dictionaries, Starlette's are mappings.
        inner: Any = self.app

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            scope["extensions"] = {TRANSPORT: transport}
            await inner(scope, receive, send)

        wrapped: Any = app
        self.app = wrapped


def as_app(app: ASGIApp) -> Any:  # Any: see above
    """The application as uvicorn's Config wants to see it."""
    return app
