"""Serve the operations on video jobs that exist: retrieve, list, content, delete."""

from __future__ import annotations

from starlette.responses import JSONResponse, Response

from runner.emulator.clip import MEDIA_TYPES, Variant
from runner.emulator.job import Job, Status
from runner.emulator.operation import OperationCall
from runner.emulator.studio import FileAnswer
from runner.emulator.surface import Refusal, invalid_value, video_not_found

PAGE = 20
PAGE_LIMIT = 100


def _job(call: OperationCall) -> Job:
    job = call.emulator.state.find(call.video_id)
    if job is None:
        raise video_not_found(call.video_id)
    return job


async def retrieve(call: OperationCall) -> Response:
    """Serve `GET /videos/{id}`."""
    job, now = _job(call), call.emulator.now()
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
    job = _job(call)
    if job.status(call.emulator.now()) in ("queued", "in_progress"):
        raise Refusal(409, "Only a completed or failed video can be deleted.", code="video_not_ready")
    call.emulator.state.delete(job.id)
    return JSONResponse({"id": job.id, "object": "video.deleted", "deleted": True})


def _limit(call: OperationCall) -> int:
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
    if after is not None and not emulator.state.find(after):
        raise video_not_found(after)
    jobs, more = emulator.state.page(limit=_limit(call), after=after, newest_first=order == "desc")
    now = emulator.now()
    return JSONResponse({
        "object": "list",
        "data": [job.resource(now) for job in jobs],
        "first_id": jobs[0].id if jobs else None,
        "last_id": jobs[-1].id if jobs else None,
        "has_more": more,
    })  # fmt: skip


async def content(call: OperationCall) -> Response:
    """Serve `GET /videos/{id}/content`: the file, or why there is none."""
    variant = call.request.query_params.get("variant", "video")
    if variant not in MEDIA_TYPES:
        raise invalid_value("variant", variant, "Supported values are: 'video', 'thumbnail', and 'spritesheet'.")
    job, now = _job(call), call.emulator.now()
    status = job.status(now)
    if status == "failed":
        raise Refusal(400, "Video generation failed; there is no content.", code="video_failed")
    if status != "completed":
        message = "Video is not ready yet, use GET /v1/videos/{video_id} to check status."
        raise Refusal(409, message, code="video_not_ready")
    if job.expired(now):
        raise Refusal(404, "The video's content has expired.", code="video_expired")
    chosen: Variant = variant
    return FileAnswer(await call.emulator.studio.file(job, chosen), MEDIA_TYPES[chosen])
