"""Serve files: upload, look at, content (also from an offset on), delete."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

from starlette.responses import JSONResponse, Response, StreamingResponse

from runner.emulator.batches import EmulatedFile
from runner.emulator.operation import Emulator, OperationCall
from runner.emulator.studio import PIECE_BYTES
from runner.emulator.surface import Refusal, missing_parameter

MOST_BYTES = 200_000_000
"""Of a batch's input."""

_RANGE = re.compile(r"bytes=(\d+)-")


def file_path(emulator: Emulator, file_id: str) -> Path:
    """Return where the content of a file lies."""
    return emulator.settings.files / file_id


def kept_file(emulator: Emulator, file_id: str) -> EmulatedFile:
    """Return a file; raises Refusal(404) if there is none, or its time is over."""
    file = emulator.state.batches.file(file_id)
    retention = emulator.settings.real(emulator.settings.retention)
    if file is None or emulator.now() >= file.created + retention:
        raise Refusal(404, f"No such File object: {file_id}", param="id")
    return file


def new_file(emulator: Emulator, size: int, name: str, purpose: str, file_id: str) -> EmulatedFile:
    """Return the record of a file whose content is on disk."""
    return EmulatedFile(file_id, emulator.now(), size, name, purpose)


def file_id() -> str:
    """Return an id for a new file."""
    return f"file-{secrets.token_hex(12)}"


async def create(call: OperationCall) -> Response:
    """Serve `POST /files`."""
    body, emulator = call.body, call.emulator
    if not body.given("purpose"):
        raise missing_parameter("purpose")
    purpose = body.choice("purpose", ("batch", "vision", "user_data"), "batch")
    if not body.files.get("file"):
        raise missing_parameter("file")
    content = body.files["file"][0]
    if len(content) > MOST_BYTES and purpose == "batch":
        raise Refusal(400, "The file is larger than 200 MB.", param="file", code="invalid_file_size")
    file = new_file(emulator, len(content), "input.jsonl", purpose, file_id())
    emulator.settings.files.mkdir(parents=True, exist_ok=True)
    await asyncio.to_thread(file_path(emulator, file.id).write_bytes, content)
    emulator.state.batches.add_file(file)
    return JSONResponse(file.resource(emulator.settings.real(emulator.settings.retention)))


def _named(call: OperationCall) -> EmulatedFile:
    return kept_file(call.emulator, str(call.request.path_params["file_id"]))


async def retrieve(call: OperationCall) -> Response:
    """Serve `GET /files/{id}`."""
    settings = call.emulator.settings
    return JSONResponse(_named(call).resource(settings.real(settings.retention)))


async def delete(call: OperationCall) -> Response:
    """Serve `DELETE /files/{id}`."""
    file = _named(call)
    call.emulator.state.batches.delete_file(file.id)
    return JSONResponse({"id": file.id, "object": "file", "deleted": True})


async def content(call: OperationCall) -> Response:
    """Serve `GET /files/{id}/content`."""
    file = _named(call)
    asked = _RANGE.fullmatch(call.request.headers.get("range", ""))
    start = int(asked[1]) if asked else 0
    if asked and start >= file.bytes:
        raise Refusal(416, "The range cannot be satisfied.")
    headers = {"content-length": str(file.bytes - start)}
    if asked:
        headers["content-range"] = f"bytes {start}-{file.bytes - 1}/{file.bytes}"
    pieces = _pieces(file_path(call.emulator, file.id), start)
    return StreamingResponse(
        pieces, status_code=206 if asked else 200, media_type="application/octet-stream", headers=headers
    )


async def _pieces(path: Path, start: int) -> AsyncIterator[bytes]:
    # Opened for each piece: a client that is gone leaves no open file behind.
    while piece := _piece(path, start):
        yield piece
        start += len(piece)


def _piece(path: Path, start: int) -> bytes:
    with path.open("rb") as file:
        file.seek(start)
        return file.read(PIECE_BYTES)
