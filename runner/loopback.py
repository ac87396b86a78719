"""Listen where only this machine can connect."""

from __future__ import annotations

import socket
from typing import Final

HOST: Final = "127.0.0.1"


def listen(*ports: int, backlog: int = 128) -> socket.socket:
    """Listen on the first of `ports` that can be had, 0: any free one; raises the last one's `OSError`."""
    # With the protocol named, asyncio sets TCP_NODELAY; without, every second answer waits 40 ms.
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _bind(sock, ports)
        sock.listen(backlog)
    except OSError:
        sock.close()
        raise
    return sock


def _bind(sock: socket.socket, ports: tuple[int, ...]) -> None:
    for place, port in enumerate(ports):
        try:
            sock.bind((HOST, port))
        except OSError:
            if place == len(ports) - 1:
                raise
        else:
            return
