"""A server of odd but legal manners, in a thread, with its own account of what was paid; it may kill its client."""

from __future__ import annotations

import asyncio
import json
import os
import random
import time
import traceback
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send
from strange_manners import DAY, MANNERS, Json, JSONResponse, Paid, choose
from witness import Killer, Trap

from runner.emulator.faults import TRANSPORT, drop
from runner.emulator.settings import EmulatorSettings
from tests.emulator_thread import ServerThread

LATENCY = (0.02, 0.2)
"""Seconds that a job takes."""
MOMENT = 0.02
TIMEOUT = 500
"""Moments in which a dead client's connections are surely closed."""
KEY = "sk-throw-away"
"""What the client sends as its key; where it does, is the server's to ask."""
PAGE = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"

FAULTS: dict[str, tuple[str, ...]] = {
    "create": ("rate_limit", "rate_limit_for_ever", "server_error", "bad_gateway", "drop", "drop_after", "error_after",
               "page_after"),
    "poll": ("rate_limit", "server_error", "bad_gateway", "drop", "absent"),
    "list": ("rate_limit", "server_error", "bad_gateway", "drop", "absent"),
    "file": ("rate_limit", "server_error", "bad_gateway", "drop", "absent", "truncated", "short", "garbled"),
}  # fmt: skip
"""What befalls a request of each kind; those that end in `_after` befall what was paid."""


class Dropped(Response):
    """No answer: the connection is cut."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await drop(scope, receive)


class Truncated(Response):
    """Half of what is announced; then the connection is closed."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body[: len(self.body) // 2], "more_body": True})
        scope["extensions"][TRANSPORT].close()


def plain_fault(name: str) -> Response:
    """The answer of a server that did nothing of what it was asked for."""
    match name.removesuffix("_after"):
        case "rate_limit":
            return _error(429, "Rate limit reached", {"retry-after": "1"})
        case "rate_limit_for_ever":
            return _error(429, "Rate limit reached", {"retry-after": "Fri, 31 Dec 9999 23:59:59 GMT"})
        case "server_error" | "error":
            return _error(500, "The server had an error while processing your request")
        case "bad_gateway":
            return HTMLResponse(PAGE, 502)
        case "page":
            return HTMLResponse(PAGE.replace("502 Bad Gateway", "Welcome"), 200)
        case "absent":
            return _error(404, "Not found")
    return Dropped()


def _error(status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": None}
    return JSONResponse({"error": error}, status, headers)


class StrangeServer(Killer, ServerThread):
    """Serves on a free port for as long as it is open; `account` is what it was paid for, in order.

    Attributes:
        process: what is noted with each payment; whoever starts the client counts it up.
        errors: tracebacks of the server's own; there should be none.
    """

    def __init__(
        self,
        seed: object = 0,
        *,
        pool: Mapping[str, Sequence[str]] | None = None,
        faults: Sequence[str] = (),
        probability: float = 0.1,
        seldom: float = 1,
    ) -> None:
        """`pool` has the odd manners by aspect, of which each run draws with the probability `seldom`."""
        Killer.__init__(self)
        self.account: list[Paid] = []
        self.process = 0
        self.faults, self._probability = tuple(faults), probability
        self._seed, self._pool, self._seldom = seed, pool or {}, seldom
        self._asked: Counter[str] = Counter()
        self.befallen: Counter[str] = Counter()
        routes = [
            Route("/v1/videos", self._create, methods=["POST"]),
            Route("/v1/videos", self._list),
            Route("/v1/videos/{id}", self._retrieve),
            Route("/v1/videos/{id}/content", self._content),
            Route("/v1/images/generations", self._images, methods=["POST"]),
            Route("/files/{id}/{number:int}", self._file),
        ]
        self.errors: list[str] = []
        app = Starlette(routes=routes, exception_handlers={Exception: self._failed})
        app.add_middleware(Trap, killer=self)
        ServerThread.__init__(self, app, EmulatorSettings(state_file=Path(os.devnull)))

    def farewell(self) -> None:
        """Return when everything that a client which is dead has sent was dealt with."""
        assert self._loop is not None
        asyncio.run_coroutine_threadsafe(self._unconnected(), self._loop).result()

    async def _unconnected(self) -> None:
        for _ in range(TIMEOUT):
            await asyncio.sleep(MOMENT)
            if not self._server.server_state.connections and not self._server.server_state.tasks:
                return

    async def _failed(self, request: Request, error: Exception) -> Response:
        if not isinstance(error, ClientDisconnect):  # it was killed
            self.errors.append("".join(traceback.format_exception(error)))
        return plain_fault("server_error")

    async def _create(self, request: Request) -> Response:
        form = dict(await request.form()) if _is_form(request) else await request.json()
        return self._paid("video", form, self._created)

    def _created(self, paid: Paid) -> Response:
        answer = MANNERS["create"][paid.manners["create"]](self._view(paid), f"{self.base_url}/videos/{paid.id}")
        assert isinstance(answer, Response)
        return answer

    async def _images(self, request: Request) -> Response:
        body = await request.json()
        await asyncio.sleep(LATENCY[0])
        return self._paid("image", body, self._made)

    def _made(self, paid: Paid) -> Response:
        answer = MANNERS["image"][paid.manners["image"]](paid)
        assert isinstance(answer, Response)
        usage = MANNERS["usage"][paid.manners["usage"]]
        if usage is None or answer.media_type != JSONResponse.media_type:
            return answer
        return JSONResponse({**json.loads(answer.body), "usage": usage})

    def _paid(self, kind: str, body: Mapping[str, Any], answer: Callable[[Paid], Response]) -> Response:
        """Enter what is asked for into the account and answer, unless a fault befalls either."""
        fault = self._fault("create", str(body.get("prompt")))
        if fault is not None and not fault.endswith("_after"):
            return plain_fault(fault)
        paid = self._entered(kind, body)
        if fault is None:
            return answer(paid)
        paid.lost = True
        return plain_fault(fault)

    def _entered(self, kind: str, body: Mapping[str, Any]) -> Paid:
        prompt, now = str(body["prompt"]), time.time()
        manners = choose(f"{self._seed} {kind} {prompt}", self._pool, self._seldom)
        # The same for the same seed, so that the same faults befall it.
        before = sum(paid.kind == kind and paid.prompt == prompt for paid in self.account)
        chance = random.Random(f"{self._seed} {kind} {prompt} {before}")
        name, latency = f"{chance.getrandbits(64):016x}", chance.uniform(*LATENCY)
        make = MANNERS["video" if kind == "video" else "picture"][manners["video" if kind == "video" else "picture"]][0]
        count = 1 if kind == "video" else int(body.get("n") or 1)
        paid = Paid(
            kind=kind,
            prompt=prompt,
            id=f"{kind}_{name}",
            process=self.process,
            made_at=now,
            due_at=now + latency,
            manners=manners,
            files=[make(f"{name}-{number}".encode()) for number in range(count)],
            address=f"{self.base_url.removesuffix('/v1')}/files/{kind}_{name}",
            model=str(body.get("model")),
            size=str(body.get("size")),
            signed=_signed(body),
        )
        self.account.append(paid)
        return paid

    async def _retrieve(self, request: Request) -> Response:
        paid = self._named(request)
        if paid is None:
            return plain_fault("absent")
        paid.asked["job"] += 1
        if paid.asked["job"] <= MANNERS["absence"][paid.manners["absence"]][0]:
            return plain_fault("absent")
        if (fault := self._fault("poll", paid.id)) is not None:
            return plain_fault(fault)
        return JSONResponse(MANNERS["job"][paid.manners["job"]](self._view(paid)))

    async def _list(self, request: Request) -> Response:
        if (fault := self._fault("list", "")) is not None:
            return plain_fault(fault)
        jobs = [paid for paid in reversed(self.account) if paid.kind == "video"]
        after, limit = request.query_params.get("after"), int(request.query_params.get("limit", 20))
        start = next((place + 1 for place, paid in enumerate(jobs) if paid.id == after), 0)
        page = [self._view(paid) for paid in jobs[start : start + limit]]
        ends = {"first_id": page[0]["id"], "last_id": page[-1]["id"]} if page else {}
        return JSONResponse({"object": "list", "data": page, "has_more": start + limit < len(jobs), **ends})

    async def _content(self, request: Request) -> Response:
        paid = self._named(request)
        if paid is None or time.time() < paid.due_at or paid.ending != "finished":
            return plain_fault("absent")
        _, other_runs = MANNERS["file"][paid.manners["file"]](paid)
        if other_runs is not None:
            answer = other_runs(paid)
            assert isinstance(answer, Response)
            return answer
        return self._bytes(paid, 0)

    async def _file(self, request: Request) -> Response:
        paid = self._named(request)
        if paid is None:
            return plain_fault("absent")
        if MANNERS["door"][paid.manners["door"]] and request.headers.get("authorization") != f"Bearer {KEY}":
            return _error(401, "No API key was given")
        return self._bytes(paid, request.path_params["number"])

    def _bytes(self, paid: Paid, number: int) -> Response:
        paid.asked["file"] += 1
        if paid.asked["file"] <= MANNERS["absence"][paid.manners["absence"]][1]:
            return plain_fault("absent")
        right = MANNERS["video" if paid.kind == "video" else "picture"]
        kind = MANNERS["type"][paid.manners["type"]]
        if kind is None:
            kind = right[paid.manners["video" if paid.kind == "video" else "picture"]][1]
        whole, headers = paid.files[number], {"content-type": kind} if kind else {}
        match self._fault("file", f"{paid.id} {number}"):
            case None:
                return Response(whole, headers=headers)
            case "truncated":
                return Truncated(whole, headers=headers)
            case "short":
                return Response(whole[: len(whole) // 2], headers=headers)
            case "garbled":
                return Response(whole[:16] + bytes(byte ^ 0xA5 for byte in whole[16:]), headers=headers)
            case fault:
                return plain_fault(fault)

    def _view(self, paid: Paid) -> Json:
        now, words = time.time(), MANNERS["words"][paid.manners["words"]]
        ended, begun = now >= paid.due_at, now >= (paid.made_at + paid.due_at) / 2
        completed = ended and paid.ending != "failed"
        job: Json = {
            "id": paid.id,
            "object": "video",
            "created_at": int(paid.made_at),
            "completed_at": int(paid.due_at) if completed else None,
            "expires_at": int(paid.made_at) + DAY if completed else None,
            "status": words[2 if completed else 3 if ended else 1 if begun else 0],
            "progress": 100 if completed else 0,
            "model": paid.model,
            "seconds": "1",
            "size": paid.size,
            "prompt": paid.prompt,
            "error": None,
            **paid.signed,
        }
        if ended:
            why = MANNERS["ending"][paid.manners["ending"]]
            job |= MANNERS["file"][paid.manners["file"]](paid)[0] if why is None else why
        told = MANNERS["numbers"][paid.manners["numbers"]](job)
        assert isinstance(told, dict)
        return told

    def _named(self, request: Request) -> Paid | None:
        return next((paid for paid in self.account if paid.id == request.path_params["id"]), None)

    def _fault(self, operation: str, subject: str) -> str | None:
        """What befalls this request; the same seed gives the same, however requests follow each other."""
        place = f"{operation} {subject}"
        self._asked[place] += 1
        chance = random.Random(f"{self._seed} {place} {self._asked[place]}")
        names = [name for name in FAULTS[operation] if name in self.faults]
        if not names or chance.random() >= self._probability:
            return None
        name = chance.choice(names)
        self.befallen[name] += 1
        return name


def _signed(body: Mapping[str, Any]) -> Json:  # Any: JSON values, or a form's
    """`user` and `metadata` of a request; a form has an object as JSON, or each of its keys in brackets."""
    given = body.get("metadata", {})
    metadata = json.loads(given) if isinstance(given, str) else given
    metadata |= {key[9:-1]: value for key, value in body.items() if key.startswith("metadata[")}
    return {name: value for name, value in (("user", body.get("user")), ("metadata", metadata)) if value}


def _is_form(request: Request) -> bool:
    return request.headers.get("content-type", "").startswith("multipart/")
