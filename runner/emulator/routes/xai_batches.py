"""Serve batches as xAI does: named, with counts and no word for their state, results in pages."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import secrets
from collections.abc import Iterator
from typing import Any

from starlette.responses import JSONResponse, Response

from runner.emulator.batches import EmulatedBatch, EmulatedFile
from runner.emulator.operation import Emulator, OperationCall
from runner.emulator.surface import Refusal, missing_parameter

from .batches import ENDPOINTS, current, found, problem_of
from .files import file_path, kept_file

_MOST_RESULTS = 1000
_DAY = 86_400


async def create(call: OperationCall) -> Response:
    """Serve `POST /batches`."""
    body, emulator = call.body, call.emulator
    body.allow("name", "input_file_id")
    if not body.given("name"):
        raise missing_parameter("name")
    file = kept_file(emulator, body.string("input_file_id", ""))
    count, problem = await asyncio.to_thread(_checked, emulator, file)
    fault = call.fault.fault if call.fault else None
    if fault == "invalid_batch":
        problem = problem_of("invalid_argument", "The input file is not parseable.", None)
    batch = EmulatedBatch(
        id=f"batch_{secrets.token_hex(16)}",
        created=emulator.now(),
        latency=emulator.settings.real(emulator.settings.latency),
        endpoint="",
        input_file=file.id,
        metadata={"name": body.string("name", "")},
        total=count,
        problem=problem,
        expires=fault == "expired_batch",
    )
    emulator.state.batches.add(batch)
    return JSONResponse(_told(batch, emulator.now()))


def _checked(emulator: Emulator, file: EmulatedFile) -> tuple[int, dict[str, object] | None]:
    """Return how many lines an input has, and why it is refused; each line says where it goes."""
    count = 0
    with file_path(emulator, file.id).open("rb") as lines:
        for count, text in enumerate(lines, 1):
            try:
                line = json.loads(text)
                fine = line["method"] == "POST" and line["url"] in ENDPOINTS and line["custom_id"] and line["body"]
            except (ValueError, KeyError, TypeError):
                fine = False
            if not fine:
                return count, problem_of("invalid_argument", f"Line {count} is no request.", count)
    return count, None if count else problem_of("invalid_argument", "The input file is empty.", None)


async def _now(call: OperationCall, batch: EmulatedBatch) -> dict[str, object]:
    return _told(await current(call, batch), call.emulator.now())


def _told(batch: EmulatedBatch, now: float) -> dict[str, object]:
    """Return the batch as xAI tells it."""
    status = batch.status(now)
    ended = status in ("completed", "expired", "cancelled")
    done = (batch.completed or 0) if ended else batch.done(now) if batch.problem is None else 0
    if status == "completed":
        done = batch.total - (batch.failed or 0)  # a line that was made counts, also where its result is lost
    if not ended and done:
        done = min(done, batch.total - 1)  # the last is pending until the results are there
    left = batch.total - done
    failed = (batch.failed or 0) if ended and status != "expired" else 0
    cancelled = left - failed if status == "cancelled" else 0
    begun = status not in ("validating", "failed")
    # A batch whose time is over leaves lines pending; it is so for two days here, as only the day is told.
    expires = batch.created - 2 * _DAY if status == "expired" else batch.created + _DAY
    told: dict[str, object] = {
        "batch_id": batch.id,
        "name": batch.metadata.get("name", ""),
        "input_file_id": batch.input_file,
        "create_time": _date(batch.created),
        "expire_time": _date(expires),
        "state": {
            "num_requests": batch.total if begun else 0,
            "num_pending": left - failed - cancelled if begun else 0,
            "num_success": done if begun else 0,
            "num_error": failed,
            "num_cancelled": cancelled,
        },
    }
    if status == "failed":
        told |= {"cancel_time": _date(batch.created), "cancel_by_xai_message": (batch.problem or {})["message"]}
    if batch.cancelled is not None:
        told["cancel_time"] = _date(batch.cancelled)
    return told


def _date(moment: float) -> str:
    """Return the day alone, as xAI's REST answers are said to."""
    return dt.datetime.fromtimestamp(moment, dt.UTC).date().isoformat()


def _named(call: OperationCall) -> EmulatedBatch:
    return found(call, str(call.request.path_params["batch_id"]))


async def retrieve(call: OperationCall) -> Response:
    """Serve `GET /batches/{id}`."""
    return JSONResponse(await _now(call, _named(call)))


async def list_batches(call: OperationCall) -> Response:
    """Serve `GET /batches`, the newest first; a page's token is the last batch of the one before."""
    after = call.request.query_params.get("pagination_token")
    if after is not None:
        found(call, after)
    batches, more = call.emulator.state.batches.page(limit=_limit(call), after=after)
    told = [await _now(call, batch) for batch in batches]
    return JSONResponse({"batches": told, "pagination_token": batches[-1].id if more else None})


async def cancel(call: OperationCall) -> Response:
    """Serve `POST /batches/{id}:cancel`."""
    batch, now = _named(call), call.emulator.now()
    status = batch.status(now)
    if status not in ("validating", "in_progress", "cancelling"):
        raise Refusal(400, f"A batch that is {status} cannot be cancelled.", code="failed_precondition")
    call.emulator.state.batches.cancel(batch.id, now)
    return JSONResponse(await _now(call, found(call, batch.id)))


async def results(call: OperationCall) -> Response:
    """Serve `GET /batches/{id}/results`; a page's token is the number of the results before it."""
    batch = await current(call, _named(call))
    start = int(call.request.query_params.get("pagination_token") or 0)
    limit = _limit(call)
    some = await asyncio.to_thread(lambda: [*_results(call.emulator, batch, start, limit + 1)])
    token = str(start + limit) if len(some) > limit else None
    return JSONResponse({"results": some[:limit], "pagination_token": token})


def _limit(call: OperationCall) -> int:
    text = call.request.query_params.get("limit", "100")
    if not text.isdecimal() or not 1 <= int(text) <= _MOST_RESULTS:
        raise Refusal(400, f"limit: {text}", code="invalid_argument")
    return int(text)


def _results(emulator: Emulator, batch: EmulatedBatch, start: int, count: int) -> Iterator[dict[str, object]]:
    number = 0
    for file in filter(None, (batch.output_file, batch.error_file)):
        with file_path(emulator, file).open("rb") as lines:
            for text in lines:
                result = _result(json.loads(text))
                if result is None:
                    continue
                if start <= number < start + count:
                    yield result
                number += 1


def _result(line: dict[str, Any]) -> dict[str, object] | None:  # Any: JSON
    """Return a line as xAI tells a result; None for one that was never executed, which has none."""
    if line.get("error") is not None:
        return None
    response = line["response"]
    made: dict[str, object]
    if response["status_code"] >= 400:
        made = {"error": {"code": 3, "message": response["body"]["error"]}}
    else:
        made = {"response": {"image_generation": response["body"]}}
    return {"batch_request_id": line["custom_id"], "batch_result": made}
