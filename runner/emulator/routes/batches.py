"""Serve batches: create, retrieve, list, cancel; their lines are worked on once their time has come."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from collections.abc import Mapping
from typing import Any

from starlette.responses import JSONResponse, Response

from runner.emulator.batches import EmulatedBatch, EmulatedFile, Results
from runner.emulator.operation import Emulator, OperationCall
from runner.emulator.surface import Refusal, Surface, invalid_value, missing_parameter
from runner.emulator.xai import XAISurface

from .files import file_id, file_path, kept_file, new_file
from .images import line_answer
from .videos import listed, page_limit
from .xai import line_answer as xai_line_answer

ENDPOINTS = {"/v1/images/generations": "image_generate", "/v1/images/edits": "image_edit"}
MOST_LINES = 50_000

_log = logging.getLogger(__name__)

Line = Mapping[str, Any]  # Any: JSON


async def create(call: OperationCall) -> Response:
    """Serve `POST /batches`."""
    body, emulator = call.body, call.emulator
    body.allow("input_file_id", "endpoint", "completion_window", "metadata", "output_expires_after")
    for name in ("input_file_id", "endpoint", "completion_window"):
        if not body.given(name):
            raise missing_parameter(name)
    endpoint = body.choice("endpoint", ENDPOINTS, "")
    body.choice("completion_window", ("24h",), "24h")
    file = kept_file(emulator, body.string("input_file_id", ""))
    lines, problem = await asyncio.to_thread(_checked, emulator, file, endpoint)
    fault = call.fault.fault if call.fault else None
    if fault == "invalid_batch":
        problem = problem_of("invalid_json_line", "This line is not parseable as valid JSON.", 1)
    batch = EmulatedBatch(
        id=f"batch_{secrets.token_hex(16)}",
        created=emulator.now(),
        latency=emulator.settings.real(emulator.settings.latency),
        endpoint=endpoint,
        input_file=file.id,
        metadata=body.reference("metadata"),
        total=lines,
        problem=problem,
        expires=fault == "expired_batch",
    )
    emulator.state.batches.add(batch)
    return JSONResponse(batch.resource(emulator.now()))


def _checked(emulator: Emulator, file: EmulatedFile, endpoint: str) -> tuple[int, Mapping[str, object] | None]:
    """Return how many lines an input has, and why it is refused."""
    known: set[object] = set()
    models: set[object] = set()
    count = 0
    with file_path(emulator, file.id).open("rb") as lines:
        for count, text in enumerate(lines, 1):
            try:
                line = json.loads(text)
                custom, body = line["custom_id"], line["body"]
                if line["method"] != "POST" or line["url"] != endpoint:
                    return count, problem_of("url_mismatch", "The URL is not the batch's endpoint.", count)
            except (ValueError, KeyError, TypeError):
                return count, problem_of("invalid_json_line", "This line is not parseable as valid JSON.", count)
            if custom in known:
                return count, problem_of("duplicate_custom_id", "The custom_id is not unique.", count)
            known.add(custom)
            models.add(body.get("model"))
    if count == 0:
        return 0, problem_of("empty_file", "The input file is empty.", None)
    if count > MOST_LINES:
        return count, problem_of("too_many_tasks", f"More than {MOST_LINES} requests.", None)
    return count, None if len(models) == 1 else problem_of("model_mismatch", "All lines need one model.", None)


def problem_of(code: str, message: str, line: int | None) -> dict[str, object]:
    """Return why an input is refused."""
    return {"code": code, "message": message, "line": line, "param": None}


def found(call: OperationCall, batch_id: str) -> EmulatedBatch:
    """Return a batch; raises Refusal(404) if there is none."""
    batch = call.emulator.state.batches.find(batch_id)
    if batch is None:
        raise Refusal(404, f"No batch found with id '{batch_id}'.", code="not_found")
    return batch


async def current(call: OperationCall, batch: EmulatedBatch) -> EmulatedBatch:
    """Return the batch as it is now; its results are begun when they are due."""
    emulator = call.emulator
    if batch.due(emulator.now()):
        making = emulator.making.get(batch.id)
        if making is None:
            making = emulator.making[batch.id] = asyncio.create_task(_make(emulator, call.surface, batch))
        if making.done():
            making.result()
            batch = emulator.state.batches.find(batch.id) or batch
    return batch


async def _resource(call: OperationCall, batch: EmulatedBatch) -> dict[str, object]:
    return (await current(call, batch)).resource(call.emulator.now())


async def retrieve(call: OperationCall) -> Response:
    """Serve `GET /batches/{id}`."""
    batch = found(call, str(call.request.path_params["batch_id"]))
    return JSONResponse(await _resource(call, batch))


async def list_batches(call: OperationCall) -> Response:
    """Serve `GET /batches`, the newest first."""
    after = call.request.query_params.get("after")
    if after is not None:
        found(call, after)
    batches, more = call.emulator.state.batches.page(limit=page_limit(call), after=after)
    return JSONResponse(listed([await _resource(call, batch) for batch in batches], more=more))


async def cancel(call: OperationCall) -> Response:
    """Serve `POST /batches/{id}/cancel`."""
    batch = found(call, str(call.request.path_params["batch_id"]))
    now = call.emulator.now()
    status = batch.status(now)
    if status not in ("validating", "in_progress", "cancelling"):
        raise invalid_value("batch_id", batch.id, f"A batch that is {status} cannot be cancelled.")
    call.emulator.state.batches.cancel(batch.id, now)
    return JSONResponse(await _resource(call, found(call, batch.id)))


async def _make(emulator: Emulator, surface: Surface, batch: EmulatedBatch) -> None:
    """Work on the lines that the batch came to, and keep what came of them."""
    lines = [*map(json.loads, file_path(emulator, batch.input_file).read_bytes().splitlines())]
    done = batch.done(emulator.now()) if batch.cancelled is not None or batch.expires else batch.total
    order = batch.order
    output, errors = file_id(), file_id()
    counts = {output: 0, errors: 0}
    images: list[tuple[float, str, str, str, int, float]] = []
    with file_path(emulator, output).open("wb") as good, file_path(emulator, errors).open("wb") as bad:
        for place in order[:done]:
            made, row = await _line(emulator, surface, batch, lines[place])
            if made is not None:
                counts[output if row else errors] += 1
                (good if row else bad).write(json.dumps(made).encode() + b"\n")
            if row:
                images.append(row)
        for place in order[done:] if batch.expires else ():
            text = "This request could not be executed before the completion window expired."
            error = {"code": "batch_expired", "message": text}
            bad.write(json.dumps(_told(lines[place], None, error)).encode() + b"\n")
            counts[errors] += 1
    made_files = {
        name: new_file(emulator, file_path(emulator, name).stat().st_size, f"{batch.id}_{kind}.jsonl", kind, name)
        for name, kind in ((output, "batch_output"), (errors, "batch_error"))
        if counts[name]
    }
    results = Results(made_files.get(output), made_files.get(errors), counts[output], counts[errors], images)
    emulator.state.batches.finish(batch, results)


async def _line(
    emulator: Emulator, surface: Surface, batch: EmulatedBatch, line: Line
) -> tuple[Line | None, tuple[float, str, str, str, int, float] | None]:
    """Return the line of the results, and the account's row of what was made."""
    fields = dict(line["body"])
    operation = ENDPOINTS[batch.endpoint or line["url"]]
    fault = emulator.plan.pick("batch_line", str(fields.get("prompt")), {})
    name = fault.fault if fault else None
    try:
        if fault is not None and name == "moderation":
            message = "Your request was rejected by the safety system."
            raise Refusal(400, message, "image_generation_user_error", code="moderation_blocked")  # noqa: TRY301 - as a handler's
        if fault is not None and name == "status":
            raise Refusal(fault.status, "The server had an error while processing your request.", "server_error")  # noqa: TRY301 - as above
        answer_of = xai_line_answer if isinstance(surface, XAISurface) else line_answer
        answer, made = await answer_of(surface, operation, fields, emulator.now())
    except Refusal as refusal:
        return _told(line, _response(refusal.status, surface.error(refusal)), None), None
    row = (emulator.now(), operation, *made)
    if name == "missing_line":
        return None, row
    if name == "odd_line":
        return {"custom_id": line["custom_id"], "response": {"status_code": 200, "body": "see the attachment"}}, row
    return _told(line, _response(200, answer), None), row


def _response(status: int, body: Mapping[str, object]) -> dict[str, object]:
    return {"status_code": status, "request_id": f"req_{secrets.token_hex(8)}", "body": body}


def _told(line: Line, response: object, error: object) -> dict[str, object]:
    return {
        "id": f"batch_req_{secrets.token_hex(8)}",
        "custom_id": line["custom_id"],
        "response": response,
        "error": error,
    }
