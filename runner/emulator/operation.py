"""Serve one operation of the API as an ASGI endpoint: authorise, read, maybe fail on purpose, answer."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from runner.emulator import faults
from runner.emulator.body import ReceivedBody, read_body
from runner.emulator.faults import PAID, Fault, FaultFileError, FaultPlan
from runner.emulator.settings import EmulatorSettings
from runner.emulator.state import Limits, State
from runner.emulator.studio import Studio
from runner.emulator.surface import Refusal, Surface

from .body import Parameters

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
    def parameters(self) -> Parameters:
        """Return the body, typed."""
        return Parameters(self.body)

    @property
    def video_id(self) -> str:
        """Return the job that the path names."""
        return str(self.request.path_params["video_id"])


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
        try:
            call = await self._receive(request)
            fault = call.fault
            if fault is not None and await self._lost(fault, scope, receive):
                return
            response = await self._answer(call)
            if fault is not None and await self._withheld(fault, scope, receive):
                return
        except Refusal as refusal:
            response = self._refuse(refusal)
        except ClientDisconnect:
            # The client closed the connection before its request was complete.
            return
        except Exception:
            logger.exception("%s failed", self._route)
            response = self._refuse(Refusal(500, "The emulator failed; its log says why.", "server_error"))
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
        prompt = body.fields.get("prompt")
        video_id = request.path_params.get("video_id")
        if self._emulator.plan.reads_prompts and prompt is None and video_id is not None:
            job = self._emulator.state.find(str(video_id))
            prompt = job.prompt if job else None
        try:
            return self._emulator.plan.pick(self._name, str(prompt) if prompt else None, request.headers)
        except FaultFileError as error:
            raise Refusal(400, str(error), param="x-emulator-fault") from error

    async def _lost(self, fault: Fault, scope: Scope, receive: Receive) -> bool:
        if fault.fault == "slow":
            await asyncio.sleep(self._emulator.settings.real(fault.seconds))
        elif fault.fault == "drop_before_commit":
            await faults.drop(scope, receive)
            return True
        elif fault.fault == "stalled" and not fault.commit:
            await faults.gone(receive)
            return True
        return False

    async def _answer(self, call: OperationCall) -> Response:
        told = self._emulator.limits.count_request(self._surface) if self._name in PAID else {}
        response = await self._handled(call)
        response.headers.update(told)
        return response

    async def _handled(self, call: OperationCall) -> Response:
        if call.fault is None:
            return await self._handler(call)
        if call.fault.commit:
            response = await self._handler(call)
            return faults.replaced(call.fault, self._surface) or response
        return faults.replaced(call.fault, self._surface) or await self._handler(call)

    async def _withheld(self, fault: Fault, scope: Scope, receive: Receive) -> bool:
        if fault.fault == "drop_after_commit":
            await faults.drop(scope, receive)
        elif fault.fault == "stalled":
            await faults.gone(receive)
        else:
            return False
        return True
