"""A proxy before an S3 server, which refuses, delays or cuts requests, and counts them."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple, Self
from urllib.parse import urlsplit

_DROPPED = ("connection", "transfer-encoding", "content-length", "date", "server", "keep-alive")


class Request(NamedTuple):
    """Describe a request that came."""

    method: str
    path: str
    bytes: int


class Refusal(NamedTuple):
    """Describe an error of S3."""

    status: int
    code: str


Fault = Callable[[Request], Refusal | None]
"""Says whether a request is refused; one that raises `ConnectionError` cuts it."""


class Door(ThreadingHTTPServer):
    """Pass everything on to `upstream`, as `change` makes it, unless `fault` objects; `seen` has what came."""

    daemon_threads = True

    def __init__(self, upstream: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream = urlsplit(upstream).netloc
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.fault: Fault = lambda _request: None
        self.change: Callable[[Request, bytes], bytes] = lambda _request, body: body
        self.seen: list[Request] = []
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join()

    def handle_error(self, *_: object) -> None:
        """Say nothing of clients that were killed."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Door

    def handle_any(self) -> None:
        size = int(self.headers.get("content-length", 0))
        request = Request(self.command, self.path, size)
        self.server.seen.append(request)
        body = self.rfile.read(size)
        try:
            refusal = self.server.fault(request)
        except ConnectionError:
            self.close_connection = True
            self.connection.close()
            return
        if refusal is not None:
            self._answer(refusal.status, [("content-type", "application/xml")], _error(refusal.code))
            return
        upstream = http.client.HTTPConnection(self.server.upstream, timeout=30)
        upstream.request(self.command, self.path, self.server.change(request, body), dict(self.headers))
        answer = upstream.getresponse()
        self._answer(answer.status, answer.getheaders(), answer.read())
        upstream.close()

    def _answer(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
        self.send_response(status)
        length = {name.lower(): value for name, value in headers}.get("content-length", "0")
        for name, value in headers:
            if name.lower() not in _DROPPED:
                self.send_header(name, value)
        self.send_header("content-length", length if self.command == "HEAD" else str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_any  # noqa: N815 - as http.server calls them

    def log_message(self, *_: object) -> None:
        pass


def _error(code: str) -> bytes:
    return f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>a fault of the test</Message></Error>".encode()
