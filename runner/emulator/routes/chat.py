"""Serve `POST /chat/completions`: a judge of pictures, who answers by the schema that is asked for."""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets
from collections.abc import Mapping
from typing import Any

from starlette.responses import JSONResponse, Response

from runner.emulator import judge
from runner.emulator.conversation import refuse_no_messages, said_in, seen_in
from runner.emulator.operation import OperationCall
from runner.emulator.surface import Refusal, missing_parameter

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
    looks = await asyncio.to_thread(lambda: [judge.look(group) for group in groups])
    content = json.dumps(judge.answer(schema, looks, _shift(call.body.fields))) if schema else _PROSE
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
