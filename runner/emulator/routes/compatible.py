"""Carry out operations on videos and images as compatible servers do."""

from __future__ import annotations

import asyncio
import base64
import re
from dataclasses import replace
from typing import cast

from starlette.responses import JSONResponse, Response

from runner.emulator import body, catalog, faults
from runner.emulator.drawing import Format, Picture, draw
from runner.emulator.job import MEDIA_TYPES, EmulatedJob, JobOutcome
from runner.emulator.manner import CompatibleSurface, OpenOrder, invalid, managed_id, managed_parts, read_order
from runner.emulator.operation import OperationCall
from runner.emulator.studio import file_answer
from runner.emulator.surface import Refusal

from . import videos
from .videos import commit

_KNOWN = 10_000
"""Jobs among which one is looked for that a gateway listed under another id."""
_LINKS = ("image_reference", "reference_url", "input_reference")
"""The fields that hold an image's address."""

_REFUSED = frozenset({"moderation_blocked", "invalid_size"})


def _surface(call: OperationCall) -> CompatibleSurface:
    return cast("CompatibleSurface", call.surface)


def _job(call: OperationCall) -> EmulatedJob:
    job = call.emulator.state.find(call.video_id)
    if job is None and not _surface(call).manner.lists_freely:
        inner = managed_parts(call.video_id)[-1]
        known, _ = call.emulator.state.page(limit=_KNOWN, after=None, newest_first=True)
        job = next((one for one in known if managed_parts(one.id)[-1] == inner), None)
    if job is None:
        raise Refusal(404, "Video not found")
    return job


async def create(call: OperationCall) -> Response:
    """Serve `POST /videos`: any model, any size and length; what the model cannot do fails later."""
    surface = _surface(call)
    order = read_order(call.body, surface.manner, surface.models()[0])
    usd = catalog.video_price(order.model, order.size) * order.seconds if order.model.startswith("sora") else 0.0
    picture, outcome = await _picture(call, order), _outcome(call, order)
    job = commit(
        call, order.prompt, order.model, order.seconds, order.size, usd,
        reference=picture, outcome=outcome, parameters=order.parameters,
    )  # fmt: skip
    header = surface.manner.cost_header
    return JSONResponse(await _resource(call, job), headers={header: str(usd)} if header and usd else None)


def _outcome(call: OperationCall, order: OpenOrder) -> JobOutcome:
    found = faults.outcome(call.fault)
    if order.broken is None or found.code:
        return found
    code = "invalid_size" if "divisible" in order.broken else "internal_error"
    return replace(found, code=code, message=order.broken)


async def _picture(call: OperationCall, order: OpenOrder) -> str | None:
    files = call.body.files.get("input_reference")
    named = next((order.parameters[name] for name in _LINKS if order.parameters.get(name)), _listed(order))
    if not files and named is None:
        return None
    linked = {"image_url": named} if isinstance(named, str) else cast("dict[str, str]", named or {})
    content = files[0] if files else body.linked_image(linked, "input_reference")
    await asyncio.to_thread(body.image_size, content, "input_reference")
    return await asyncio.to_thread(call.emulator.studio.keep, content)


def _listed(order: OpenOrder) -> str | None:
    """Return the address of the first image in the lists that a gateway takes."""
    media = cast("dict[str, list[dict[str, str]]]", order.parameters.get("media") or {})
    if media:
        return next((part["input_image"] for part in media.get("frame_images", [])), None)
    parts = order.parameters.get("frame_images") or order.parameters.get("input_references") or []
    return next((part["image_url"]["url"] for part in cast("list[dict[str, dict[str, str]]]", parts)), None)


async def retrieve(call: OperationCall) -> Response:
    """Serve `GET /videos/{id}`; some servers tell a failure by the status too."""
    job = _job(call)
    resource = await _resource(call, job)
    if call.fault is not None and call.fault.fault == "unknown_status":
        resource["status"] = call.fault.word
    failed = job.status(call.emulator.now()) == "failed" and _surface(call).manner.failure_is_error
    return JSONResponse(resource, _status(job) if failed else 200)


def _status(job: EmulatedJob) -> int:
    return 400 if job.outcome.code in _REFUSED else 500


async def _resource(call: OperationCall, job: EmulatedJob) -> dict[str, object]:
    manner, now = _surface(call).manner, call.emulator.now()
    resource = {**job.resource(now), "expires_at": None}
    status = job.status(now)
    if not manner.tells_prompt:
        del resource["prompt"]
    if not manner.steps and status != "completed":
        resource["progress"] = 0
    if status == "failed":
        code = _status(job) if manner.failure_is_error else job.outcome.code
        told = {"code": code} if manner.says_code else {}
        resource["error"] = {**told, "message": job.outcome.message or "The video could not be generated."}
    if manner.tells_cost:
        resource["cost"] = job.usd if status in ("completed", "failed") else 0
    if status == "in_progress" and job.word(status) is None:
        resource["status"] = manner.working
    if manner.tells_address and status == "queued":
        resource["status"] = "in_progress"
    if manner.tells_address and status == "completed":
        path = await call.emulator.studio.file(job, "video")
        resource["outputs"] = {"cost": 1, "video_url": str(call.request.url_for("media", name=path.name))}
    if manner.tells_task:
        metadata = job.parameters.get("metadata")
        resource |= {"task_id": job.id, "created_at": int(job.created * 1000), "metadata": metadata}
        resource["usage"] = {"completion_tokens": 0}
    if call.emulator.settings.uploads and status == "completed":
        path = await call.emulator.studio.file(job, "video")
        resource["url"] = str(call.request.url_for("media", name=path.name))
    return resource


async def list_videos(call: OperationCall) -> Response:
    """Serve `GET /videos`; a gateway wants to be told of which backend."""
    if not _surface(call).manner.lists:
        raise Refusal(404, "Invalid URL (GET /v1/videos)")
    named = call.request.query_params.get("custom_llm_provider") or call.request.headers.get("custom-llm-provider")
    if not _surface(call).manner.lists_freely and not named:
        raise Refusal(500, "litellm.InternalServerError: custom_llm_provider is required to list videos", code="500")
    if not _surface(call).manner.lists_freely:
        return await _list_of_backend(call, str(named))
    limit = call.request.query_params.get("limit", str(videos.PAGE))
    if not limit.isdecimal() or not 1 <= int(limit) <= videos.PAGE_LIMIT:
        raise Refusal(422, "Input should be from 1 to 100", param="limit")
    newest_first = call.request.query_params.get("order", "desc") != "asc"
    after = call.request.query_params.get("after")
    jobs, more = call.emulator.state.page(limit=int(limit), after=after, newest_first=newest_first)
    page = videos.listed([await _resource(call, job) for job in jobs], more=more)
    counts = _surface(call).manner.counts
    return JSONResponse(page if counts else {name: page[name] for name in ("object", "data")})


async def _list_of_backend(call: OperationCall, backend: str) -> Response:
    """Return one page: a gateway passes on neither limit nor cursor, and names its backend's models in the ids."""
    jobs, more = call.emulator.state.page(limit=videos.PAGE, after=None, newest_first=True)
    found = [
        {**await _resource(call, job), "id": managed_id(backend, job.model, managed_parts(job.id)[-1])} for job in jobs
    ]
    return JSONResponse(videos.listed(found, more=more))


async def content(call: OperationCall) -> Response:
    """Serve `GET /videos/{id}/content`: only the video itself, and not where it was uploaded elsewhere."""
    manner, variant = _surface(call).manner, call.request.query_params.get("variant")
    if manner.tells_address:
        raise Refusal(404, "Not Found")
    job = _job(call)
    status = job.status(call.emulator.now())
    numbered = manner.variant == "number"
    if call.emulator.settings.uploads and status == "completed" and not (numbered and variant):
        address = (await _resource(call, job))["url"]
        message = f"Video has been uploaded to cloud storage. Please use the cloud URL: {address}"
        raise Refusal(400, message)
    if status == "failed":
        raise (
            Refusal(404, f"Video variant {variant} not found")
            if numbered
            else Refusal(422, "Video generation failed. Check job status for error details.")
        )
    if status != "completed":
        raise Refusal(404, "Generation is still in-progress")
    if numbered and variant not in (None, "0"):
        raise Refusal(404, f"Video variant {variant} not found")
    return file_answer(await call.emulator.studio.file(job, "video"), MEDIA_TYPES["video"])


async def delete(call: OperationCall) -> Response:
    """Serve `DELETE /videos/{id}`, where there is such a route."""
    if not _surface(call).manner.deletes:
        raise Refusal(405, "Method Not Allowed")
    job = _job(call)
    call.emulator.state.delete(job.id)
    return JSONResponse({"id": job.id, "object": "video.deleted", "deleted": True})


FORMATS = ("png", "webp", "jpeg")
MOST = 10
LONGEST_SIDE = 4096


async def generate(call: OperationCall) -> Response:
    """Serve `POST /images/generations`."""
    manner = _surface(call).manner
    fields = call.body.fields
    prompt = fields.get("prompt")
    if not isinstance(prompt, str):
        raise invalid("prompt", "Field required", "missing")
    model = str(fields.get("model") or call.surface.models()[0])
    answer = fields.get("response_format") or ("url" if manner.images_by_url else "b64_json")
    if answer == "url" and not manner.images_by_url:
        raise Refusal(400, "Only response_format 'b64_json' is supported now.")
    count, size, form = _count(fields.get("n")), _size(fields.get("size")), _format(fields.get("output_format"))
    picture = Picture(prompt=prompt, model=model, size=size, format=form)
    files = await asyncio.to_thread(lambda: [draw(picture, number) for number in range(count)])
    now = call.emulator.now()
    call.emulator.state.add_images(
        created=now, operation=call.operation, model=model, prompt=prompt, count=count, usd=0.0
    )
    return JSONResponse({"created": int(now), "data": [_item(call, file, by_url=answer == "url") for file in files]})


def _item(call: OperationCall, file: bytes, *, by_url: bool) -> dict[str, object]:
    if by_url:
        return {"url": str(call.request.url_for("media", name=call.emulator.studio.keep(file))), "revised_prompt": None}
    return {"b64_json": base64.b64encode(file).decode(), "revised_prompt": None}


def _count(given: object) -> int:
    if given is None:
        return 1
    if not isinstance(given, int) or not 1 <= given <= MOST:
        raise invalid("n", f"Input should be from 1 to {MOST}")
    return given


def _size(given: object) -> tuple[int, int]:
    if given in (None, ""):
        return 1024, 1024
    found = re.fullmatch(r"([1-9]\d{1,3})x([1-9]\d{1,3})", str(given))
    if found is None or max(int(found[1]), int(found[2])) > LONGEST_SIDE:
        raise Refusal(400, f"Invalid size format: '{given}'. Expected format: 'WIDTHxHEIGHT'.")
    return int(found[1]), int(found[2])


def _format(given: object) -> Format:
    if given not in (None, *FORMATS):
        raise invalid("output_format", f"Input should be one of {', '.join(FORMATS)}")
    return cast("Format", given or "png")
