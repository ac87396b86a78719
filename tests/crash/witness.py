"""Servers that see the client that they serve, and kill it at a chosen moment of a request."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from runner.emulator import faults
from runner.emulator.faults import FaultRule
from runner.emulator.settings import EmulatorSettings
from tests.emulator_thread import EmulatorThread

Request = Literal["paid", "poll", "list", "content"]
Phase = Literal["asked", "read", "committed", "half", "answered"]

_DYING = 0.01
"""Seconds that a killed process is given to be gone."""
_ARRIVING = 0.02
"""Seconds in which a piece of an answer reaches the client."""


@dataclass(frozen=True)
class Moment:
    """The `nth` request of a kind, and how far it is when its sender dies.

    asked: nothing of it is ever served. read: served, though nobody waits for the answer. committed: served, the answer
    is not sent. half: half of the answer was sent. answered: all of it was.
    """

    request: Request
    phase: Phase
    nth: int = 1

    def __str__(self) -> str:
        return f"{self.request} request {self.nth} {self.phase}"


class Killer:
    """What a server needs to kill its client: tell it when (`arm`) and whom (`watch`), and it does so once."""

    def __init__(self) -> None:
        self._client = 0
        self._known = threading.Event()
        self._kill_at: Moment | None = None
        self._killed = False
        self._seen: dict[str, int] = {}

    def arm(self, moment: Moment | None) -> None:
        """Wait for `moment`, counting from now."""
        self._seen.clear()
        self._known.clear()
        self._kill_at = moment
        self._killed = False

    def watch(self, pid: int) -> None:
        """This is the process that sends the requests from now on."""
        self._client = pid
        self._known.set()

    def phase(self, scope: Scope) -> Phase | None:
        """At which phase of this request its sender is to die, if at all."""
        name = _name(scope)
        self._seen[name] = self._seen.get(name, 0) + 1
        moment = self._kill_at
        if moment is None or (moment.request, moment.nth) != (name, self._seen[name]):
            return None
        return moment.phase

    async def kill(self) -> None:
        """Let the client end here and now; only once, as its pid may then be another's."""
        if self._killed:
            return
        self._killed = True
        await asyncio.to_thread(self._known.wait)
        with suppress(ProcessLookupError):
            os.kill(self._client, signal.SIGKILL)
        await asyncio.sleep(_DYING)


class Witness(Killer, EmulatorThread):
    """An emulator that is one."""

    def __init__(self, settings: EmulatorSettings, *, rules: Sequence[FaultRule] = ()) -> None:
        Killer.__init__(self)
        EmulatorThread.__init__(self, settings, rules=rules)
        self._server.config.app.add_middleware(Trap, killer=self)


def _name(scope: Scope) -> str:
    path = scope["path"]
    if scope["method"] == "POST":
        return "paid"
    if path.endswith(("/content", "/results")) or path.startswith("/files/"):
        return "content"
    return "list" if path.endswith("/videos") else "poll"


class Trap:
    """The ASGI middleware that does it."""

    def __init__(self, app: ASGIApp, killer: Killer) -> None:
        self._app = app
        self._killer = killer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        phase = self._killer.phase(scope) if scope["type"] == "http" else None
        match phase:
            case None:
                await self._app(scope, receive, send)
            case "asked":
                await self._killer.kill()
                await faults.drop(scope, receive)
            case "read":
                served = await _read(receive)
                await self._killer.kill()
                await self._app(scope, served, _nowhere)
            case "committed":
                await self._app(scope, receive, _nowhere)
                await self._killer.kill()
                await faults.drop(scope, receive)
            case "half" | "answered":
                await self._app(scope, receive, _Cut(self._killer, send, half=phase == "half"))


class _Cut:
    """A `send` that kills the client when half or all of the answer was sent."""

    def __init__(self, killer: Killer, send: Send, *, half: bool) -> None:
        self._killer, self._send, self._half = killer, send, half
        self._left = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            # A stream has no length: its first piece is its half.
            self._left = int(dict(message["headers"]).get(b"content-length", 2)) // 2
        elif self._half and self._left >= 0:
            body = message["body"][: max(1, self._left)]
            self._left -= len(message["body"])
            if self._left <= 0:
                await self._send({**message, "body": body, "more_body": True})
                await asyncio.sleep(_ARRIVING)
                await self._killer.kill()
                return
        await self._send(message)
        if not self._half and message["type"] == "http.response.body" and not message.get("more_body", False):
            await asyncio.sleep(_ARRIVING)
            await self._killer.kill()


async def _read(receive: Receive) -> Receive:
    """Take the whole request in, and give it back as a `receive`."""
    messages = [await receive()]
    while messages[-1].get("more_body", False):
        messages.append(await receive())
    waiting = iter(messages)

    async def again() -> Message:
        return next(waiting, {"type": "http.disconnect"})

    return again


async def _nowhere(message: Message) -> None:
    del message
