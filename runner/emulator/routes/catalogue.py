"""Serve the models that exist, the emulator's own ledger, and files behind image URLs."""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from runner.emulator.operation import Emulator, OperationCall
from runner.emulator.studio import file_answer
from runner.emulator.surface import Refusal, model_not_found

CREATED = 1_759_708_800
"""Unix time that every model claims: the day sora-2 came out."""


def _model(name: str) -> dict[str, object]:
    return {"id": name, "object": "model", "created": CREATED, "owned_by": "emulator"}


async def list_models(call: OperationCall) -> Response:
    """Serve `GET /models`."""
    return JSONResponse({"object": "list", "data": [_model(name) for name in call.surface.models()]})


async def retrieve_model(call: OperationCall) -> Response:
    """Serve `GET /models/{model}`."""
    name = str(call.request.path_params["model"])
    if name not in call.surface.models():
        raise model_not_found(name)
    return JSONResponse(_model(name))


async def media(call: OperationCall) -> Response:
    """Return a file that an image's or an uploaded video's URL points to."""
    name = str(call.request.path_params["name"])
    path = call.emulator.studio.media / name
    if not re.fullmatch(r"[0-9a-f]{32}\.(upload|mp4)", name) or not path.exists():
        raise Refusal(404, "Not found.")
    return file_answer(path, "video/mp4" if path.suffix == ".mp4" else "image/png")


async def ledger(request: Request) -> Response:
    """Serve `GET /_emulator/ledger`: what was made, what it cost, which faults were injected here; without a key."""
    emulator: Emulator = request.app.state.emulator
    return JSONResponse({**emulator.state.ledger(), "faults": dict(emulator.plan.injected)})
