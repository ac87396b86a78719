"""Serve one operation of the API as an ASGI endpoint: authorise, read, maybe fail on purpose, answer."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from . import faults
from .body import ReceivedBody, linked_image, read_body
from .faults import PAID, Fault, FaultFileError, FaultPlan
from .job import EmulatedJob
from .settings import EmulatorSettings
from .state import Limits, State
from .studio import Studio
from .surface import Refusal, Surface, invalid_type


def said_in(messages: object) -> str | None:
    """Return all text of messages; None where these are none."""
    texts = [part["text"] for part in _parts(messages) if isinstance(part.get("text"), str)]
    return "\n".join(texts) or None


def seen_in(messages: object) -> list[list[bytes]]:
    """Return the images of messages, those together that no text stands between; raises Refusal(400)."""
    groups: list[list[bytes]] = [[]]
    for part in _parts(messages):
        if part.get("type") != "image_url":
            groups.append([])
            continue
        image = part.get("image_url")
        if not isinstance(image, dict) or not isinstance(image.get("url"), str):
            raise invalid_type("messages", "an object with a url as image_url", image)
        groups[-1].append(linked_image({"image_url": image["url"]}, "messages"))
    return [group for group in groups if group]


def refuse_no_messages(messages: object) -> None:
    """Raise Refusal(400) unless there is a message, each with a role."""
    if not isinstance(messages, list) or not messages:
        raise invalid_type("messages", "an array of messages", messages)
    for message in messages:
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            raise Refusal(400, "Each message has a role and content.", param="messages", code="invalid_value")


def _parts(messages: object) -> Iterator[dict[str, Any]]:  # Any: JSON
    for message in messages if isinstance(messages, list) else ():
        content = message.get("content") if isinstance(message, dict) else None
        if isinstance(content, str):
            yield {"type": "text", "text": content}
        elif isinstance(content, list):
            yield from (part for part in content if isinstance(part, dict))


logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Emulator:
    """Describe what every operation works with; `now` gives Unix time."""

    settings: EmulatorSettings
    state: State
    studio: Studio
    plan: FaultPlan
    limits: Limits
    now: Callable[[], float] = time.time
    making: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    """The batches whose lines are worked on just now, by id."""


@dataclass(frozen=True)
class OperationCall:
    """Describe one authorised request on its way through an operation."""

    emulator: Emulator
    surface: Surface
    operation: str
    request: Request
    body: ReceivedBody = field(default_factory=ReceivedBody)
    fault: Fault | None = None

    @property
    def video_id(self) -> str:
        """Return the job's id that the path names."""
        return str(self.request.path_params["video_id"])

    def job(self, video_id: str) -> EmulatedJob:
        """Return a job; raises Refusal(404) if there is none of this id."""
        job = self.emulator.state.find(video_id)
        if job is None:
            raise Refusal(404, f"Video with id '{video_id}' not found.", code="not_found")
        return job


Handler = Callable[[OperationCall], Awaitable[Response]]


class Operation:
    """Serve one operation on one surface as an ASGI endpoint."""

    def __init__(self, emulator: Emulator, surface: Surface, name: str, route: str, handler: Handler) -> None:
        self._emulator, self._surface, self._name = emulator, surface, name
        self._route, self._handler = route, handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        self._emulator.state.count(self._route)
        request = Request(scope, receive)
        fault: Fault | None = None
        response: Response | None
        try:
            call = await self._receive(request)
            fault = call.fault
            response = await self._respond(call, scope, receive)
        except Refusal as refusal:
            response = self._refuse(refusal)
        except ClientDisconnect:
            # The client closed the connection before its request was complete.
            return
        except Exception:
            logger.exception("%s failed", self._route)
            response = self._refuse(Refusal(500, "The emulator failed; its log says why.", "server_error"))
        if response is None:
            return
        if fault is not None and fault.fault in faults.DAMAGING:
            send = faults.Damage(fault, scope, receive, send, self._emulator.settings.real)
        await response(scope, receive, send)

    def _refuse(self, refusal: Refusal) -> Response:
        return JSONResponse(self._surface.error(refusal), refusal.status, dict(refusal.headers))

    async def _receive(self, request: Request) -> OperationCall:
        self._surface.authorize(request.headers)
        self._surface.check_version(request.query_params.get("api-version"))
        body = await read_body(request) if request.method == "POST" else ReceivedBody()
        return OperationCall(self._emulator, self._surface, self._name, request, body, self._pick(request, body))

    def _pick(self, request: Request, body: ReceivedBody) -> Fault | None:
        prompt = body.fields.get("prompt") or said_in(body.fields.get("messages"))
        video_id = request.path_params.get("video_id")
        if self._emulator.plan.reads_prompts and prompt is None and video_id is not None:
            job = self._emulator.state.find(str(video_id))
            prompt = job.prompt if job else None
        try:
            return self._emulator.plan.pick(self._name, str(prompt) if prompt else None, request.headers)
        except FaultFileError as error:
            raise Refusal(400, str(error), param="x-emulator-fault") from error

    async def _respond(self, call: OperationCall, scope: Scope, receive: Receive) -> Response | None:
        """Return the answer, or None where a fault has cut the connection; the work is done before or after that."""
        fault = call.fault
        name = fault.fault if fault else None
        if fault and name == "slow":
            await asyncio.sleep(self._emulator.settings.real(fault.seconds))
        elif name == "drop_before_commit":
            await faults.drop(scope, receive)
            return None
        elif fault and name == "stalled" and not fault.commit:
            await faults.gone(receive)
            return None
        told = self._emulator.limits.count_request(self._surface) if self._name in PAID else {}
        done = await self._handler(call) if fault is None or fault.commit else None
        response = (fault and faults.replaced(fault, self._surface)) or done or await self._handler(call)
        response.headers.update(told)
        if name == "drop_after_commit":
            await faults.drop(scope, receive)
            return None
        if name == "stalled":
            await faults.gone(receive)
            return None
        return response
