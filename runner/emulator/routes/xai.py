"""Carry out operations on videos and images as xAI does: JSON, ids of requests, files at addresses alone."""

from __future__ import annotations

import asyncio
import base64
import secrets

from starlette.responses import JSONResponse, Response

from runner.emulator.body import ReceivedBody
from runner.emulator.drawing import Picture, draw
from runner.emulator.manner import HostOrder
from runner.emulator.operation import OperationCall
from runner.emulator.surface import Refusal, Surface
from runner.emulator.xai import TICKS, read_derived, read_image, read_video, source_id

from .videos import commit_order

_WORDS = {"queued": "pending", "in_progress": "pending", "completed": "done"}


async def create(call: OperationCall) -> Response:
    """Serve `POST /videos/generations`."""
    order = await asyncio.to_thread(read_video, call.body)
    job = await commit_order(call, order)
    return JSONResponse({"request_id": job.id})


async def derive(call: OperationCall) -> Response:
    """Serve `POST /videos/edits` and `/videos/extensions`, which start from the address of a finished video's file."""
    source, now = call.emulator.state.find(source_id(call.body)), call.emulator.now()
    if source is None or source.status(now) != "completed" or source.expired(now):
        raise Refusal(400, "The video could not be fetched", code="invalid_argument")
    order = await asyncio.to_thread(read_derived, call.body, source, call.operation)
    job = await commit_order(call, order, source=source.id)
    return JSONResponse({"request_id": job.id})


async def retrieve(call: OperationCall) -> Response:
    """Serve `GET /videos/{id}`; a finished video is told with an address of its file."""
    job, now = call.emulator.state.find(call.video_id), call.emulator.now()
    if job is None:
        raise Refusal(404, f"Deferred request {call.video_id} not found", code="not_found")
    status = job.status(now)
    if status == "completed" and job.expired(now):
        return JSONResponse({"status": "expired"})
    told: dict[str, object] = {"status": job.word(status) or _WORDS.get(status, status), "progress": job.progress(now)}
    if status == "completed":
        path = await call.emulator.studio.file(job, "video")
        address = f"{call.request.url_for('media', name=path.name)}?job={job.id}&signature={secrets.token_hex(16)}"
        told |= {
            "model": job.model,
            "video": {"url": address, "duration": job.seconds, "respect_moderation": True},
            "usage": {"cost_in_usd_ticks": round(job.usd * TICKS)},
        }
    if status == "failed":
        code = "invalid_argument" if job.outcome.code == "moderation_blocked" else "internal_error"
        told["error"] = {"code": code, "message": job.outcome.message or "The video could not be generated."}
    return JSONResponse(told)


async def images(call: OperationCall) -> Response:
    """Serve `POST /images/generations` and `/images/edits`."""
    if call.fault is not None and call.fault.fault == "moderation":
        raise call.surface.filtered()
    order = await asyncio.to_thread(read_image, call.body)
    answer = await _drawn(call.operation, order)
    call.emulator.state.add_images(
        created=call.emulator.now(), operation=call.operation, model=order.model, prompt=order.prompt,
        count=order.count, usd=order.usd,
    )  # fmt: skip
    return JSONResponse(answer)


async def line_answer(
    surface: Surface, operation: str, fields: dict[str, object], now: float
) -> tuple[dict[str, object], tuple[str, str, int, float]]:
    """Return the answer to a line of a batch, and what was made: model, prompt, count, USD; raises Refusal."""
    del surface, now
    order = await asyncio.to_thread(read_image, ReceivedBody(fields))
    return await _drawn(operation, order), (order.model, order.prompt, order.count, order.usd)


async def _drawn(operation: str, order: HostOrder) -> dict[str, object]:
    if (operation == "image_edit") is not bool(order.pictures):
        raise Refusal(400, "An edit needs images, and nothing else does", code="invalid_argument")
    picture = Picture(prompt=order.prompt, model=order.model, size=order.size, format=order.format)
    files = await asyncio.to_thread(lambda: [draw(picture, number, order.pictures) for number in range(order.count)])
    data = [{"b64_json": f"data:image/jpeg;base64,{base64.b64encode(file).decode()}"} for file in files]
    return {"data": data, "usage": {"cost_in_usd_ticks": round(order.usd * TICKS)}}
