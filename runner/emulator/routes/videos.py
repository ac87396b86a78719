"""Serve the operations on video jobs that exist: retrieve, list, content, delete."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from starlette.responses import JSONResponse, Response

from runner.emulator.clip import MEDIA_TYPES, Variant
from runner.emulator.job import Status
from runner.emulator.operation import OperationCall
from runner.emulator.studio import file_answer
from runner.emulator.surface import Refusal, invalid_value

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
