"""A request's body as fields and files, whichever way it was encoded."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException
from starlette.requests import Request

from runner.emulator.refusal import Refusal

MAX_FIELD_BYTES = 32 * 1024 * 1024
FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")


@dataclass(frozen=True)
class Body:
    """What a client sent: `fields` as JSON values or form strings, `files` by name without a trailing `[]`."""

    fields: dict[str, object] = field(default_factory=dict)
    files: dict[str, list[bytes]] = field(default_factory=dict)
    form: bool = False


async def read_body(request: Request) -> Body:
    """Read JSON or a form; raises Refusal(400) when it is neither."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in FORMS:
        return await _read_form(request)
    raw = await request.body()
    if not raw:
        return Body()
    try:
        fields = json.loads(raw)
    except ValueError as error:
        raise Refusal(400, "We could not parse the JSON body of your request.") from error
    if not isinstance(fields, dict):
        raise Refusal(400, "The body of your request must be a JSON object.")
    return Body(fields)


async def _read_form(request: Request) -> Body:
    body = Body(form=True)
    try:
        form = await request.form(max_part_size=MAX_FIELD_BYTES)
    except (MultiPartException, ValueError) as error:
        raise Refusal(400, f"Could not parse multipart form: {error}") from error
    for key, value in form.multi_items():
        if isinstance(value, UploadFile):
            body.files.setdefault(key.removesuffix("[]"), []).append(await value.read())
        else:
            _nest(body.fields, key, value)
    await form.close()
    return body


def _nest(fields: dict[str, object], key: str, value: str) -> None:
    name, bracket, inner = key.partition("[")
    if not bracket or inner == "]":
        fields[name] = value
        return
    nested = fields.setdefault(name, {})
    if isinstance(nested, dict):
        nested[inner.removesuffix("]")] = value
