"""Carry out operations on videos and images as OpenRouter does: JSON, relative addresses, string errors, no list."""

from __future__ import annotations

import asyncio
import base64
import secrets

from starlette.responses import JSONResponse, Response

from runner.emulator import openrouter
from runner.emulator.drawing import Picture, draw
from runner.emulator.job import MEDIA_TYPES, EmulatedJob
from runner.emulator.openrouter import PER_MEGAPIXEL, USD_PER_IMAGE, read_image, read_video
from runner.emulator.operation import OperationCall
from runner.emulator.studio import file_answer
from runner.emulator.surface import Refusal

from .videos import commit_order

_WORDS = {"queued": "pending"}


async def create(call: OperationCall) -> Response:
    """Serve `POST /videos`, which is answered with 202."""
    order = await asyncio.to_thread(read_video, call.body)
    job = await commit_order(call, order)
    return JSONResponse(_resource(job, job.created), 202)


async def retrieve(call: OperationCall) -> Response:
    """Serve `GET /videos/{id}`."""
    job, now = _job(call), call.emulator.now()
    resource = _resource(job, now)
    if job.status(now) == "completed":
        resource |= await _outputs(call, job)
    if call.fault is not None and call.fault.fault == "unknown_status":
        resource["status"] = call.fault.word
    return JSONResponse(resource)


def _job(call: OperationCall) -> EmulatedJob:
    job = call.emulator.state.find(call.video_id)
    if job is None:
        raise Refusal(404, f"Video generation job {call.video_id} not found")
    return job


def _resource(job: EmulatedJob, now: float) -> dict[str, object]:
    status = job.status(now)
    told: dict[str, object] = {
        "id": job.id,
        "polling_url": f"/api/v1/videos/{job.id}",
        "status": job.word(status) or _WORDS.get(status, status),
    }
    if status == "failed":
        told["error"] = job.outcome.message or "The video could not be generated."
    return told


async def _outputs(call: OperationCall, job: EmulatedJob) -> dict[str, object]:
    """Return what a completed job tells of its file: an address that needs the key, and a signed one that does not."""
    path = await call.emulator.studio.file(job, "video")
    address = call.request.url.replace(query="")
    return {
        "generation_id": job.id,
        "unsigned_urls": [f"{address}/content?index=0"],
        "urls": [f"{call.request.url_for('media', name=path.name)}?signature={secrets.token_hex(16)}"],
        "expires_at": int(job.created + job.retention),
        "usage": {"cost": job.usd, "is_byok": False},
    }


async def content(call: OperationCall) -> Response:
    """Serve `GET /videos/{id}/content?index=0`, with the key alone."""
    job, now = _job(call), call.emulator.now()
    if call.request.query_params.get("index", "0") != "0":
        raise Refusal(404, "There is no output of this index")
    if job.status(now) != "completed":
        raise Refusal(409, f"Video generation job is {job.status(now)}")
    if job.expired(now):
        raise Refusal(410, "The output has expired")
    return file_answer(await call.emulator.studio.file(job, "video"), MEDIA_TYPES["video"])


async def images(call: OperationCall) -> Response:
    """Serve `POST /images`: new images, and edits by their references."""
    if call.fault is not None and call.fault.fault == "moderation":
        raise call.surface.filtered()
    order = await asyncio.to_thread(read_image, call.body)
    picture = Picture(prompt=order.prompt, model=order.model, size=order.size, format=order.format)
    files = await asyncio.to_thread(lambda: [draw(picture, number, order.pictures) for number in range(order.count)])
    now = call.emulator.now()
    operation = "image_edit" if order.pictures else "image_generate"
    call.emulator.state.add_images(
        created=now, operation=operation, model=order.model, prompt=order.prompt, count=order.count, usd=order.usd
    )
    data = [{"b64_json": base64.b64encode(file).decode(), "media_type": f"image/{order.format}"} for file in files]
    tokens = {"prompt_tokens": 0, "completion_tokens": 4175, "total_tokens": 4175}
    return JSONResponse({"created": int(now), "data": data, "usage": {**tokens, "cost": order.usd, "is_byok": False}})


async def video_models(call: OperationCall) -> Response:
    """Serve `GET /videos/models`: for everyone, what each model makes and costs."""
    del call
    return JSONResponse({"data": openrouter.video_models()})


async def image_models(call: OperationCall) -> Response:
    """Serve `GET /images/models`."""
    del call
    return JSONResponse({"data": openrouter.image_models()})


async def image_endpoints(call: OperationCall) -> Response:
    """Serve `GET /images/models/{author}/{slug}/endpoints`: who serves a model, and its prices."""
    name = "{author}/{slug}".format(**call.request.path_params)
    if name not in USD_PER_IMAGE:
        raise Refusal(404, f"Model {name} not found")
    unit = "megapixel" if name in PER_MEGAPIXEL else "image"
    pricing = [{"billable": "output_image", "unit": unit, "cost_usd": USD_PER_IMAGE[name]}]
    return JSONResponse({"id": name, "endpoints": [{"provider_name": "Emulator", "pricing": pricing}]})


async def key(call: OperationCall) -> Response:
    """Serve `GET /key`: what the key may still spend."""
    del call
    return JSONResponse({"data": {"label": "emulated", "limit": None, "limit_remaining": None, "usage": 0}})
