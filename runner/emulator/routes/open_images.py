"""Images as compatible servers make them: any model and size, base64 or an address, unknown fields unread."""

from __future__ import annotations

import asyncio
import base64
import re
from typing import cast

from starlette.responses import JSONResponse, Response

from runner.emulator.images import Format, Picture, draw
from runner.emulator.manner import CompatibleSurface, invalid
from runner.emulator.operation import Call
from runner.emulator.surface import Refusal

FORMATS = ("png", "webp", "jpeg")
MOST = 10
LONGEST_SIDE = 4096


async def generate(call: Call) -> Response:
    """`POST /images/generations`."""
    manner = cast("CompatibleSurface", call.surface).manner
    fields = call.body.fields
    prompt = fields.get("prompt")
    if not isinstance(prompt, str):
        raise invalid("prompt", "Field required", "missing")
    model = str(fields.get("model") or call.surface.models()[0])
    answer = fields.get("response_format") or ("url" if manner.images_by_url else "b64_json")
    if answer == "url" and not manner.images_by_url:
        raise Refusal(400, "Only response_format 'b64_json' is supported now.")
    count, size, form = _count(fields.get("n")), _size(fields.get("size")), _format(fields.get("output_format"))
    pictures = [Picture(prompt, model, size, number, form) for number in range(count)]
    files = await asyncio.to_thread(lambda: [draw(picture) for picture in pictures])
    now = call.emulator.now()
    call.emulator.state.add_images(
        created=now, operation=call.operation, model=model, prompt=prompt, count=count, usd=0.0
    )
    return JSONResponse({"created": int(now), "data": [_item(call, file, by_url=answer == "url") for file in files]})


def _item(call: Call, file: bytes, *, by_url: bool) -> dict[str, object]:
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
