"""How a fault reaches the wire: another answer, a dropped connection, a damaged body."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from starlette.responses import HTMLResponse, Response
from starlette.types import Message, Receive, Scope, Send

from runner.emulator.faults import Fault
from runner.emulator.job import Outcome
from runner.emulator.refusal import Refusal
from runner.emulator.surface import Surface

TRANSPORT = "runner.transport"
DAMAGE = bytes(value ^ 0xA5 for value in range(256))
DAMAGED_FROM = 16
PIECES = 16
_MODERATED = "Your request was blocked by our moderation system."
_INTERNAL = "The server had an error while generating the video."
_PAGE = "<!DOCTYPE html><html><head><title>Bad gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"

DAMAGING = ("truncated", "corrupt", "wrong_length", "slow_body", "stream_cut")


def outcome(fault: Fault | None) -> Outcome:
    """Return what a fault on a creating operation makes of the job."""
    match fault and fault.fault:
        case "stuck":
            return Outcome(stuck=True)
        case "moderation":
            return Outcome(code="moderation_blocked", message=(fault and fault.message) or _MODERATED)
        case "internal":
            return Outcome(code="internal_error", message=(fault and fault.message) or _INTERNAL)
        case "unknown_status" if fault:
            return Outcome(word=fault.word, when=fault.when)
    return Outcome()


def replaced(fault: Fault, surface: Surface) -> Response | None:
    """The answer that a fault gives in place of the real one; raises Refusal for those in the API's own words."""
    match fault.fault:
        case "rate_limit":
            headers = _retry(fault, surface)
            raise Refusal(429, "Rate limit reached.", "requests", code="rate_limit_exceeded", headers=headers)
        case "status":
            message = "The server had an error while processing your request."
            raise Refusal(fault.status, message, "server_error", headers=_retry(fault, surface))
        case "unauthorized":
            raise Refusal(401, "Incorrect API key provided.", code="invalid_api_key")
        case "content_filter":
            raise surface.filtered()
        case "content_not_ready":
            raise Refusal(409, "Video is not ready yet.", code="video_not_ready")
        case "expired":
            raise Refusal(404, "The video's content has expired.", code="video_expired")
        case "html":
            return HTMLResponse(_PAGE, status_code=fault.status if "status" in fault.model_fields_set else 502)
    return None


def _retry(fault: Fault, surface: Surface) -> dict[str, str]:
    return {} if fault.retry_after is None else {"retry-after": f"{surface.settings.real(fault.retry_after):g}"}


def _transport(scope: Scope) -> asyncio.Transport:
    return cast("asyncio.Transport", scope["extensions"][TRANSPORT])


async def gone(receive: Receive) -> None:
    """Wait until the client's connection is closed."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def drop(scope: Scope, receive: Receive) -> None:
    """Cut the connection without an answer."""
    _transport(scope).abort()
    await gone(receive)


class Damage:
    """An ASGI `send` that spoils the body which passes through it."""

    def __init__(
        self, fault: Fault, scope: Scope, receive: Receive, send: Send, pause: Callable[[float], float]
    ) -> None:
        self._fault, self._scope, self._receive, self._send = fault, scope, receive, send
        self._pause = pause
        self._length = 0
        self._left = 0
        self._sent = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            await self._send(self._start(message))
        elif message["type"] == "http.response.body":
            await self._body(message.get("body", b""), more=message.get("more_body", False))

    def _start(self, message: Message) -> Message:
        headers = dict(message["headers"])
        self._length = int(headers.get(b"content-length", 0))
        self._left = self._length
        if self._fault.fault in ("truncated", "wrong_length"):
            missing = self._length // 2 if self._fault.bytes is None else self._fault.bytes
            self._left = max(0, self._length - missing)
        if self._fault.fault == "wrong_length":
            headers[b"content-length"] = str(self._left).encode()
        return {**message, "headers": list(headers.items())}

    async def _body(self, body: bytes, *, more: bool) -> None:
        if self._fault.fault == "stream_cut":
            await self._event(body)
            return
        if self._fault.fault == "corrupt":
            body = self._spoiled(body)
        elif self._fault.fault == "slow_body":
            await self._slowly(body)
            body = b""
        body, self._left = body[: self._left], max(0, self._left - len(body))
        self._sent += len(body)
        if self._fault.fault != "truncated":
            await self._send({"type": "http.response.body", "body": body, "more_body": more})
            return
        await self._send({"type": "http.response.body", "body": body, "more_body": True})
        if self._left == 0 or not more:
            # close, not abort: what was sent must arrive, and then nothing.
            _transport(self._scope).close()
            await gone(self._receive)

    async def _event(self, body: bytes) -> None:
        """Pass an event on, as the body of a stream comes in one piece for each."""
        if self._sent < self._fault.events:
            self._sent += 1
            await self._send({"type": "http.response.body", "body": body, "more_body": True})
        else:
            _transport(self._scope).close()
            await gone(self._receive)

    def _spoiled(self, body: bytes) -> bytes:
        intact = max(0, DAMAGED_FROM - self._sent)
        return body[:intact] + body[intact:].translate(DAMAGE)

    async def _slowly(self, body: bytes) -> None:
        step = max(1, self._length // PIECES)
        for start in range(0, len(body), step):
            piece = body[start : start + step]
            await asyncio.sleep(self._pause(self._fault.seconds * len(piece) / max(1, self._length)))
            await self._send({"type": "http.response.body", "body": piece, "more_body": True})
