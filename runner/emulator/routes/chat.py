"""Serve `POST /chat/completions`: a judge of pictures, by their sharpness and colours alone, always in the same way."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image, ImageFilter, ImageStat
from starlette.responses import JSONResponse, Response

from runner.emulator.operation import OperationCall, refuse_no_messages, said_in, seen_in
from runner.emulator.surface import Refusal, missing_parameter

SHARPEST = 40.0
"""The deviation of the edges' brightness (of 255) from which on a picture counts as perfectly sharp."""

CLOSE = 0.02
"""A difference that is too small to see: of two such pictures, this judge prefers the one that it is shown first."""

_SIDE = 256
"""Pixels to which pictures are scaled down before they are looked at."""

_PIXELS_PER_TOKEN = 750


@dataclass(frozen=True)
class Look:
    """Hold what was seen, each from 0 to 1, and what it took."""

    sharpness: float
    colour: float
    tokens: int

    @property
    def merit(self) -> float:
        """Return how good the picture is."""
        return 0.7 * self.sharpness + 0.3 * self.colour


def look(pictures: Sequence[bytes]) -> Look:
    """Return what is seen on pictures, as the mean of them."""
    each = [_looked(picture) for picture in pictures]
    count = len(each)
    return Look(
        sum(one.sharpness for one in each) / count,
        sum(one.colour for one in each) / count,
        sum(one.tokens for one in each),
    )


def _looked(content: bytes) -> Look:
    with Image.open(io.BytesIO(content)) as image:
        tokens = -(-image.width * image.height // _PIXELS_PER_TOKEN)
        picture = image.convert("RGB")
    picture.thumbnail((_SIDE, _SIDE))
    edges = ImageStat.Stat(picture.convert("L").filter(ImageFilter.FIND_EDGES)).stddev[0]
    saturation = ImageStat.Stat(picture.convert("HSV")).mean[1] / 255
    return Look(min(1.0, edges / SHARPEST), saturation, tokens)


def answer(schema: Mapping[str, Any], looks: Sequence[Look], shift: int = 0) -> dict[str, Any]:  # Any: JSON
    """Return what fills a schema of criteria with reason and score, or of which of two is `better`.

    `shift` is added to each score, as by chance.
    """
    properties: Mapping[str, Any] = schema.get("properties") or {}  # Any: JSON
    if "better" in properties:
        return {"reason": _compared(looks), "better": _better(looks)}
    return {name: _scored(name, looks[0], shift) for name in properties}


def _scored(name: str, seen: Look, shift: int) -> dict[str, object]:
    coloured = any(word in name for word in ("colour", "color", "beauty", "style"))
    what, merit = ("colours", seen.colour) if coloured else ("sharpness", seen.sharpness)
    if name == "overall":
        what, merit = "all", seen.merit
    score = min(5, max(1, 1 + round(4 * merit) + shift))
    return {"reason": f"EMULATED: {what} {merit:.2f} of 1", "score": score}


def _better(looks: Sequence[Look]) -> str:
    first, second = (each.merit for each in looks[:2])
    if max(first, second) == 0:
        return "both_bad"
    return "second" if second - first > CLOSE else "first"


def _compared(looks: Sequence[Look]) -> str:
    return f"EMULATED: {looks[0].merit:.2f} beside {looks[1].merit:.2f} of 1"


TEXT_PRICE, ANSWER_PRICE = 0.75, 4.5
"""USD per million tokens."""

_CHARACTERS_PER_TOKEN = 4
_PROSE = "Both hands look fine to me, and so does the rest. A lovely picture!"
_REFUSAL = "I'm sorry, but I can't help with that."


async def complete(call: OperationCall) -> Response:
    """Answer a chat by what its images look like."""
    if not call.body.given("model"):
        raise missing_parameter("model")
    model = call.body.string("model", "")
    call.surface.check_chat(model)
    messages = call.body.fields.get("messages")
    refuse_no_messages(messages)
    schema = _schema(call.body.fields.get("response_format"))
    groups = seen_in(messages)
    if schema and len(groups) < (2 if "better" in (schema.get("properties") or {}) else 1):
        raise Refusal(400, "There is nothing to look at.", param="messages", code="invalid_value")
    looks = await asyncio.to_thread(lambda: [look(group) for group in groups])
    content = json.dumps(answer(schema, looks, _shift(call.body.fields))) if schema else _PROSE
    message, ended = _spoken(call.fault.fault if call.fault else "", content)
    said = said_in(messages) or ""
    given = -(-len(said) // _CHARACTERS_PER_TOKEN) + sum(each.tokens for each in looks)
    made = max(1, len(content) // _CHARACTERS_PER_TOKEN)
    now = call.emulator.now()
    usd = round((given * TEXT_PRICE + made * ANSWER_PRICE) / 1_000_000, 9)
    sent = hashlib.sha256(json.dumps(call.body.fields, sort_keys=True).encode()).hexdigest()
    call.emulator.state.add_chat(created=now, model=model, prompt=said, sha256=sent, usd=usd)
    return JSONResponse({
        "id": f"chatcmpl-{secrets.token_hex(12)}",
        "object": "chat.completion",
        "created": int(now),
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": ended}],
        "usage": {"prompt_tokens": given, "completion_tokens": made, "total_tokens": given + made},
    })  # fmt: skip


def _spoken(fault: str, content: str) -> tuple[dict[str, object], str]:
    """Return the message and why it ended, as a fault makes it."""
    message: dict[str, object] = {"role": "assistant", "content": content, "refusal": None}
    match fault:
        case "refusal":
            return {**message, "content": None, "refusal": _REFUSAL}, "stop"
        case "prose":
            return {**message, "content": _PROSE}, "stop"
        case "fenced":
            return {**message, "content": f"Here is my judgement:\n```json\n{content}\n```\nI hope it helps."}, "stop"
        case "cut_answer":
            return {**message, "content": content[: len(content) // 2]}, "length"
    return message, "stop"


def _schema(told: object) -> Mapping[str, Any]:  # Any: JSON
    """Return the JSON Schema that an answer is asked for in; empty for none."""
    named = told.get("json_schema") if isinstance(told, dict) else None
    schema = named.get("schema") if isinstance(named, dict) else None
    return schema if isinstance(schema, dict) else {}


def _shift(fields: Mapping[str, object]) -> int:
    """Return by how much scores differ as if by chance: -1 to 1, by the seed, where a temperature is given."""
    seed, temperature = fields.get("seed"), fields.get("temperature")
    return seed % 3 - 1 if isinstance(seed, int) and temperature else 0
