"""Serve the emulator on a loopback socket until it is told to stop."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from runner import loopback
from runner.loopback import HOST

from .app import create_app
from .faults import TRANSPORT
from .settings import EmulatorSettings

TICK = 1.0
KEEP_ALIVE = 75
BACKLOG = 2048


def listen(settings: EmulatorSettings) -> socket.socket:
    """Bind the loopback port; raises OSError when it is taken."""
    return loopback.listen(settings.port, backlog=BACKLOG)


class Server(uvicorn.Server):
    """Run a uvicorn server that starts, ticks and stops without uvicorn's tenths of a second of waiting."""

    def __init__(self, app: Starlette, ready: Callable[[], None] = lambda: None) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=CuttableProtocol,
                ws="none",
                lifespan="on",
                log_config=None,
                log_level="critical",
                access_log=False,
                server_header=False,
                timeout_keep_alive=KEEP_ALIVE,
                backlog=BACKLOG,
            )
        )
        self._ready = ready
        self._stopping = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start listening, then say so."""
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        self._ready()

    async def main_loop(self) -> None:
        """Keep the Date header fresh until the stop."""
        counter = 0
        while not await self.on_tick(counter):
            counter += 10
            try:
                await asyncio.wait_for(self._stopping.wait(), TICK)
            except TimeoutError:
                continue

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Cut every connection and end every request: clients have to survive worse."""
        for server in self.servers:
            server.close()
        for sock in sockets or []:
            sock.close()
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        tasks = list(self.server_state.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.lifespan.shutdown()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop on a signal."""
        super().handle_exit(sig, frame)
        self.stop()

    def stop(self) -> None:
        """Stop soon; may be called from any thread."""
        self.should_exit = True
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stopping.set)


def base_url(sock: socket.socket) -> str:
    """Return OpenAI's base URL on a bound socket."""
    return f"http://{HOST}:{sock.getsockname()[1]}/v1"


def announce(url: str) -> None:
    """Print the one line that tells a parent process where the server is."""
    sys.stdout.write(json.dumps({"base_url": url}) + "\n")
    sys.stdout.flush()


def serve(
    settings: EmulatorSettings,
    *,
    ready: Callable[[str], None] = announce,
    started: Callable[[Server], None] = lambda _: None,
) -> None:
    """Serve until SIGINT or SIGTERM; `ready` gets the base URL, `started` the server, to stop it from elsewhere.

    Raises OSError when the port is taken and FaultFileError when the fault file is wrong.
    """
    sock = listen(settings)
    url = base_url(sock)
    try:
        server = Server(create_app(settings), lambda: ready(url))
        started(server)
        server.run([sock])
    finally:
        sock.close()


class CuttableProtocol(H11Protocol):
    """Put the connection's transport into every request's `scope["extensions"]`."""

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
