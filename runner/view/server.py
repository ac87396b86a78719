"""Serve pages on a loopback socket until Ctrl-C."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable
from contextlib import suppress

import uvicorn

from runner import loopback
from runner.errors import ConfigError
from runner.loopback import HOST

from .app import Pages, create_app
from .catalogue import Catalogue

PORT = 8420
"""The usual port: a browser keeps what it could not send for one address."""

_PATIENCE = 1
"""Seconds that answers under way have at the end."""


def listen(port: int | None) -> socket.socket:
    """Bind a port of the loopback address; None: the usual one, or any where that is taken. Raises `ConfigError`."""
    try:
        return loopback.listen(*((PORT, 0) if port is None else (port,)))
    except OSError as error:
        hint = "choose another with --port, or 0 for any free one"
        said = f"port {PORT if port is None else port} cannot be had: {error.strerror or error}"
        raise ConfigError(said, hint=hint) from error


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
