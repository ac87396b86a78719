"""Serve pages, their media and records on a loopback socket, below a token that only who started the server knows."""

from __future__ import annotations

import hmac
import json
import os
import posixpath
import secrets
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote_to_bytes

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from runner import loopback
from runner.errors import ConfigError, DiskError, RunnerError
from runner.judging.rating_log import StrangeRecordError
from runner.judging.ratings_file import LONGEST_LINE, AnyRecord, checked_record
from runner.loopback import HOST

from .listing import Catalogue, listing
from .served_page import ServedPage

TOGETHER = "together"
"""The page of everything that was asked for."""

_LONGEST_BODY = 4 * LONGEST_LINE

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "frame-ancestors 'self'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
# A vector image may hold scripts, which run where it is opened by itself.
_MEDIA_HEADERS = {**_HEADERS, "Cache-Control": "private, max-age=60"}
_IMAGE_HEADERS = {**_MEDIA_HEADERS, "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox"}


def create_app(pages: Pages, *, token: str, hosts: Sequence[str]) -> ASGIApp:
    """Return the application.

    Args:
        pages: what is served.
        token: the first part of every path.
        hosts: what a browser may call this server, as in 127.0.0.1:8420.
    """
    routes = [
        Route("/{token}/", pages.index),
        Route("/{token}/{page}/", pages.page),
        Route("/{token}/{page}/ratings", pages.records, methods=["GET"]),
        Route("/{token}/{page}/ratings", pages.add, methods=["POST"]),
        Route("/{token}/{page}/{path:path}", pages.media),
    ]
    return _Guard(Starlette(routes=routes), token, hosts)


class _Guard:
    """Refuse who does not know the token, and pages of other sites, whatever name they have given this machine."""

    def __init__(self, app: ASGIApp, token: str, hosts: Sequence[str]) -> None:
        self._app = app
        self._token = token.encode()
        self._hosts = {*hosts}
        self._origins = {f"http://{host}" for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            refusal = self._refusal(Headers(scope=scope), scope["path"])
            if refusal is not None:
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _refusal(self, headers: Headers, path: str) -> Response | None:
        if (
            headers.get("host") not in self._hosts
            or headers.get("origin", next(iter(self._origins))) not in self._origins
        ):
            return PlainTextResponse("another site asked for this; nothing was done\n", 403, _HEADERS)
        given = path.split("/")[1].encode("utf-8", "replace")
        if not hmac.compare_digest(given, self._token):
            words = "open the whole address that python -m runner view has printed\n"
            return PlainTextResponse(words, 404, _HEADERS)
        return None


class Pages:
    """Answer for each page, which is made when it is first asked for."""

    def __init__(self, catalogue: Catalogue, rater: str, *, together: bool) -> None:
        """Take who judges unless the page says otherwise; `together`: all sweeps are shown on one page, too."""
        self._catalogue = catalogue
        self._rater = rater
        self._together = together
        self._pages: dict[str, ServedPage] = {}

    @property
    def added(self) -> int:
        """Return how many records were written."""
        return sum(page.added for page in self._pages.values())

    def index(self, request: Request) -> Response:
        """Answer with the list of sweeps, or lead to the only one."""
        del request  # it is the same for all
        entries = self._catalogue.entries()
        if self._alone():
            return RedirectResponse(f"{entries[0].name}/", headers=_HEADERS)
        return HTMLResponse(listing(entries, TOGETHER if self._together else None), headers=_HEADERS)

    def page(self, request: Request) -> Response:
        """Answer with a page."""
        page = self._find(request)
        if page is None:
            return _missing()
        try:
            return HTMLResponse(page.html(), headers=_HEADERS)
        except RunnerError as error:
            words = f"{error}\n{error.hint}\n" if error.hint else f"{error}\n"
            return PlainTextResponse(words, 500, _HEADERS)

    def media(self, request: Request) -> Response:
        """Answer with a run's file, or a part of it."""
        page = self._find(request)
        raw = request.scope["raw_path"].split(b"?")[0]
        # As bytes: names of files need not be text.
        path = os.fsdecode(unquote_to_bytes(raw).split(b"/", 3)[3])
        found = page.media(posixpath.normpath(path)) if page else None
        if found is None:
            return _missing()
        file, media_type = found
        headers = _IMAGE_HEADERS if media_type.startswith("image/") else _MEDIA_HEADERS
        return FileResponse(file, media_type=media_type, headers=headers)

    def records(self, request: Request) -> Response:
        """Answer with the records from one on, one a line."""
        page = self._find(request)
        after = request.query_params.get("after", "0")
        if page is None:
            return _missing()
        if not after.isdecimal() or len(after) > 9:
            return _refused("after is the number of a record", 400)
        lines = "".join(f"{json.dumps(each.as_json())}\n" for each in page.opened_log().after(int(after)))
        return Response(lines, media_type="application/x-ndjson", headers=_HEADERS)

    async def add(self, request: Request) -> Response:
        """Keep the records that are sent, one a line."""
        body = b""
        async for piece in request.stream():
            body += piece
            if len(body) > _LONGEST_BODY:
                return _refused("that is too much for a few records", 413)
        return await run_in_threadpool(self._added, request, body)

    def _added(self, request: Request, body: bytes) -> Response:
        """Keep the records of a request's body, one a line; all of them, or none where one is wrong."""
        page = self._find(request)
        if page is None:
            return _missing()
        try:
            records = [_record(line) for line in body.splitlines() if line.strip()]
            page.opened_log().add(records)
        except ValueError as error:
            return _refused(str(error), 400)
        except StrangeRecordError as error:
            return _refused(str(error.args[0]), 404)
        except DiskError as error:
            return _refused(str(error), 507)
        return JSONResponse({"taken": len(records)}, headers=_HEADERS)

    def _page(self, places: Callable[[], Sequence[Path]]) -> ServedPage:
        return ServedPage(places, self._rater, listed=not self._alone())

    def _alone(self) -> bool:
        """Return whether one sweep is all that was asked for: its page needs no list."""
        return self._together and len(self._catalogue.entries()) == 1

    def _find(self, request: Request) -> ServedPage | None:
        name = request.path_params["page"]
        if name not in self._pages:
            if name == TOGETHER and self._together:
                self._pages[name] = self._page(lambda: [each.directory for each in self._catalogue.entries()])
            elif (entry := self._catalogue.find(name)) is not None:
                directory = entry.directory
                self._pages[name] = self._page(lambda: [directory])
        return self._pages.get(name)


def _record(line: bytes) -> AnyRecord:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError("a record is one line of JSON") from error
    return checked_record(value)


def _refused(why: str, status: int) -> Response:
    return JSONResponse({"error": why}, status, _HEADERS)


def _missing() -> Response:
    return PlainTextResponse("there is nothing at this address\n", 404, _HEADERS)


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
