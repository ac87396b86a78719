"""Serve the operations on videos: create, remix, edit, extend, characters, retrieve, list, content, delete."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import JSONResponse, Response

from runner.emulator import catalog, faults
from runner.emulator.body import clip_facts, image_size, linked_image
from runner.emulator.job import MEDIA_TYPES, EmulatedJob, Status, Variant
from runner.emulator.manner import HostOrder
from runner.emulator.operation import OperationCall
from runner.emulator.studio import file_answer
from runner.emulator.surface import Refusal, invalid_value, missing_parameter

PAGE = 20
PAGE_LIMIT = 100


async def retrieve(call: OperationCall) -> Response:
    """Serve `GET /videos/{id}`."""
    job, now = call.job(call.video_id), call.emulator.now()
    resource = job.resource(now)
    if call.fault is not None and call.fault.fault == "unknown_status":
        resource["status"] = call.fault.word
    return JSONResponse(resource, headers=_hint(call, job.status(now)))


def _hint(call: OperationCall, status: Status) -> dict[str, str] | None:
    wait = call.emulator.settings.poll_after
    if wait is None or status in ("completed", "failed"):
        return None
    return {"openai-poll-after-ms": str(round(1000 * call.emulator.settings.real(wait)))}


async def delete(call: OperationCall) -> Response:
    """Serve `DELETE /videos/{id}`, once the job has ended."""
    job = call.job(call.video_id)
    if job.status(call.emulator.now()) in ("queued", "in_progress"):
        raise Refusal(409, "Only a completed or failed video can be deleted.", code="video_not_ready")
    call.emulator.state.delete(job.id)
    return JSONResponse({"id": job.id, "object": "video.deleted", "deleted": True})


def page_limit(call: OperationCall) -> int:
    """Return how many of a list are asked for."""
    text = call.request.query_params.get("limit", str(PAGE))
    if not text.isdecimal() or int(text) > PAGE_LIMIT:
        raise invalid_value("limit", text, f"Expected a whole number from 0 to {PAGE_LIMIT}.")
    return int(text)


async def list_videos(call: OperationCall) -> Response:
    """Serve `GET /videos`, a page at a time."""
    query, emulator = call.request.query_params, call.emulator
    order, after = query.get("order", "desc"), query.get("after")
    if order not in ("asc", "desc"):
        raise invalid_value("order", order, "Supported values are: 'asc', and 'desc'.")
    if after is not None:
        call.job(after)
    jobs, more = emulator.state.page(limit=page_limit(call), after=after, newest_first=order == "desc")
    now = emulator.now()
    return JSONResponse(listed([job.resource(now) for job in jobs], more=more))


def listed(resources: Sequence[Mapping[str, object]], *, more: bool) -> dict[str, object]:
    """Return one page of a list."""
    ends = [resources[place]["id"] if resources else None for place in (0, -1)]
    return {"object": "list", "data": resources, "first_id": ends[0], "last_id": ends[1], "has_more": more}


async def content(call: OperationCall) -> Response:
    """Serve `GET /videos/{id}/content`: the file, or why there is none."""
    variant = call.request.query_params.get("variant", "video")
    if variant not in MEDIA_TYPES:
        raise invalid_value("variant", variant, "Supported values are: 'video', 'thumbnail', and 'spritesheet'.")
    job, now = call.job(call.video_id), call.emulator.now()
    status = job.status(now)
    if status == "failed":
        raise Refusal(400, "Video generation failed; there is no content.", code="video_failed")
    if status != "completed":
        message = "Video is not ready yet, use GET /v1/videos/{video_id} to check status."
        raise Refusal(409, message, code="video_not_ready")
    if job.expired(now):
        raise Refusal(404, "The video's content has expired.", code="video_expired")
    chosen: Variant = variant
    return file_answer(await call.emulator.studio.file(job, chosen), MEDIA_TYPES[chosen])


NAME_LIMIT = 80


def commit(
    call: OperationCall, prompt: str, model: str, seconds: int, size: str, usd: float, **more: Any
) -> EmulatedJob:  # Any: one value per further field
    """Return a job that is paid for from here on, its rendering begun; raises Refusal(429) where too many run."""
    emulator, settings = call.emulator, call.emulator.settings
    facts = {"operation": call.operation, "outcome": faults.outcome(call.fault), **more}
    job = EmulatedJob(
        id=call.surface.job_id(),
        created=emulator.now(),
        latency=settings.real(settings.latency),
        retention=settings.real(settings.retention),
        model=model,
        prompt=prompt,
        seconds=seconds,
        size=size,
        usd=usd,
        **facts,
    )
    emulator.limits.check_jobs(call.surface)
    emulator.state.add(job)
    if not job.outcome.code and not job.outcome.stuck:
        emulator.studio.begin(job)
    return job


def _made(
    call: OperationCall, prompt: str, model: str, seconds: int, size: str, **more: Any
) -> Response:  # Any: as above
    usd = round(more.pop("billed", seconds) * catalog.video_price(model, size), 6)
    job = commit(call, prompt, model, seconds, size, usd, **more)
    return JSONResponse(job.resource(job.created))


def _prompt(call: OperationCall) -> str:
    return call.body.text("prompt", longest=catalog.PROMPT_LIMIT)


async def _picture(call: OperationCall, size: str) -> str | None:
    body = call.body
    if not body.given("input_reference"):
        return None
    files = body.files.get("input_reference")
    content = files[0] if files else linked_image(body.reference("input_reference"), "input_reference")
    width, height = await asyncio.to_thread(image_size, content, "input_reference")
    if f"{width}x{height}" != size:
        message = f"Inpaint image must match the requested width and height: got {width}x{height}, not {size}."
        raise Refusal(400, message, param="input_reference", code="invalid_value")
    return await asyncio.to_thread(call.emulator.studio.keep, content)


async def create(call: OperationCall) -> Response:
    """Serve `POST /videos`."""
    body = call.body
    body.allow("prompt", "model", "seconds", "size", "input_reference")
    prompt = _prompt(call)
    model = body.string("model", catalog.DEFAULT_VIDEO_MODEL)
    sizes = call.surface.video_sizes(model)
    seconds = body.choice("seconds", catalog.VIDEO_SECONDS, catalog.VIDEO_SECONDS[0])
    size = body.choice("size", sizes, sizes[0])
    return _made(call, prompt, model, int(seconds), size, reference=await _picture(call, size))


def _finished(call: OperationCall, video_id: str) -> EmulatedJob:
    job = call.job(video_id)
    if job.status(call.emulator.now()) != "completed":
        raise Refusal(400, f"Video '{video_id}' is not completed.", param="video", code="video_not_ready")
    return job


async def remix(call: OperationCall) -> Response:
    """Serve `POST /videos/{id}/remix`."""
    call.body.allow("prompt")
    prompt, source = _prompt(call), _finished(call, call.video_id)
    return _made(call, prompt, source.model, source.seconds, source.size, source=source.id)


async def _source(call: OperationCall) -> tuple[str, int, str, str | None]:
    body = call.body
    if not body.given("video"):
        raise missing_parameter("video")
    files = body.files.get("video")
    if not files:
        job = _finished(call, body.reference("video").get("id", ""))
        return job.model, job.seconds, job.size, job.id
    size, seconds = await asyncio.to_thread(_upload, call, files[0])
    model = catalog.DEFAULT_VIDEO_MODEL
    if size not in call.surface.video_sizes(model):
        raise Refusal(400, f"A video of {size} cannot be used.", param="video", code="invalid_value")
    return model, seconds, size, None


def _upload(call: OperationCall, content: bytes) -> tuple[str, int]:
    studio = call.emulator.studio
    return clip_facts(studio.media / studio.keep(content))


async def edit(call: OperationCall) -> Response:
    """Serve `POST /videos/edits`."""
    call.body.allow("prompt", "video")
    prompt = _prompt(call)
    model, seconds, size, source = await _source(call)
    return _made(call, prompt, model, seconds, size, source=source)


async def extend(call: OperationCall) -> Response:
    """Serve `POST /videos/extensions`; the answer's `seconds` is the stitched total, only the new part is paid."""
    call.body.allow("prompt", "video", "seconds")
    prompt = _prompt(call)
    if not call.body.given("seconds"):
        raise missing_parameter("seconds")
    added = call.body.choice("seconds", catalog.EXTENSION_SECONDS, "")
    model, seconds, size, _ = await _source(call)
    return _made(call, prompt, model, seconds + int(added), size, billed=int(added))


async def create_character(call: OperationCall) -> Response:
    """Serve `POST /videos/characters`."""
    body = call.body
    body.allow("name", "video")
    name = body.text("name", longest=NAME_LIMIT)
    files = body.files.get("video")
    if not files:
        raise missing_parameter("video")
    await asyncio.to_thread(_upload, call, files[0])
    character_id, now = f"char_{secrets.token_hex(16)}", call.emulator.now()
    call.emulator.state.add_character(character_id, name, now)
    return JSONResponse({"id": character_id, "name": name, "created_at": int(now)})


async def retrieve_character(call: OperationCall) -> Response:
    """Serve `GET /videos/characters/{id}`."""
    character_id = str(call.request.path_params["character_id"])
    found = call.emulator.state.character(character_id)
    if found is None:
        raise Refusal(404, f"Character with id '{character_id}' not found.", code="not_found")
    return JSONResponse({"id": found[0], "name": found[1], "created_at": int(found[2])})


async def commit_order(call: OperationCall, order: HostOrder, source: str | None = None) -> EmulatedJob:
    """Take on what a host was asked for, with its first picture as the reference, perhaps from the job `source`."""
    picture = await asyncio.to_thread(call.emulator.studio.keep, order.pictures[0]) if order.pictures else None
    size = f"{order.size[0]}x{order.size[1]}"
    return commit(
        call, order.prompt, order.model, order.seconds, size, order.usd,
        source=source, reference=picture, parameters=order.parameters,
    )  # fmt: skip
