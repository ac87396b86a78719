"""Serve pages on a loopback socket until Ctrl-C."""

from __future__ import annotations

import errno
import secrets
import socket
from collections.abc import Callable
from contextlib import suppress

import uvicorn

from runner.errors import ConfigError

from .app import Pages, create_app
from .catalogue import Catalogue

HOST = "127.0.0.1"
PORT = 8420
"""The usual port: a browser keeps what it could not send for one address."""

_PATIENCE = 1
"""Seconds that answers under way have at the end."""


def listen(port: int | None) -> socket.socket:
    """Bind a port of the loopback address; None: the usual one, or any where that is taken. Raises `ConfigError`."""
    # With the protocol named, asyncio sets TCP_NODELAY; without, every second answer waits 40 ms.
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _bind(sock, PORT if port is None else port, otherwise=0 if port is None else None)
        sock.listen()
    except OSError as error:
        sock.close()
        hint = "choose another with --port, or 0 for any free one"
        raise ConfigError(f"port {port} cannot be had: {error.strerror or error}", hint=hint) from error
    return sock


def _bind(sock: socket.socket, port: int, otherwise: int | None) -> None:
    try:
        sock.bind((HOST, port))
    except OSError as error:
        if otherwise is None or error.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
        sock.bind((HOST, otherwise))


def serve(
    catalogue: Catalogue, sock: socket.socket, *, rater: str, together: bool, ready: Callable[[str], object]
) -> int:
    """Serve until Ctrl-C or SIGTERM, and return how many records were written.

    `ready` gets the address with its token, once it can be opened.
    """
    port = sock.getsockname()[1]
    token = secrets.token_urlsafe(16)
    hosts = [f"{HOST}:{port}", f"localhost:{port}"]
    pages = Pages(catalogue, rater, together=together)
    config = uvicorn.Config(
        create_app(pages, token=token, hosts=hosts),
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="critical",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_PATIENCE,
    )
    ready(f"http://{hosts[0]}/{token}/")
    with suppress(KeyboardInterrupt):  # which uvicorn hands on once it has ended in good order
        uvicorn.Server(config).run([sock])
    return pages.added
