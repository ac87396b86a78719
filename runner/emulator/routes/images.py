"""Serve the operations that make images: generations and edits."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator

from starlette.responses import JSONResponse, Response, StreamingResponse

from runner.emulator import catalog
from runner.emulator.body import ImageOrder, ReceivedBody, image_size, is_transparent_png, linked_image, read_order
from runner.emulator.catalog import ImageRules
from runner.emulator.drawing import draw, sketched
from runner.emulator.operation import OperationCall
from runner.emulator.surface import Refusal, Surface, missing_parameter

MASKS = ("mask", "markup")
MASK_FORMAT_CODE = "invalid_mask_image_format"


def _order(call: OperationCall, *, editing: bool) -> tuple[ImageOrder, ImageRules]:
    deployment = call.request.path_params.get("deployment")
    if not deployment and not call.body.given("model"):
        raise missing_parameter("model")
    model = str(deployment or call.body.string("model", ""))
    rules = call.surface.image_rules(model)
    if call.fault is not None and call.fault.fault == "moderation":
        message = "Your request was rejected by the safety system."
        raise Refusal(400, message, "image_generation_user_error", code="moderation_blocked")
    return read_order(call.body, model, rules, editing=editing), rules


async def generate(call: OperationCall) -> Response:
    """Serve `POST /images/generations`."""
    order, rules = _order(call, editing=False)
    return await _produce(call, order, rules, [])


async def edit(call: OperationCall) -> Response:
    """Serve `POST /images/edits`."""
    order, rules = _order(call, editing=True)
    inputs = call.body.files.get("image", [])
    if not inputs:
        raise missing_parameter("image")
    if len(inputs) > catalog.REFERENCE_LIMIT:
        raise Refusal(400, f"At most {catalog.REFERENCE_LIMIT} images.", param="image", code="array_above_max_length")
    return await _produce(call, order, rules, inputs)


def _check_inputs(body: ReceivedBody, inputs: list[bytes]) -> list[tuple[int, int]]:
    sizes = [image_size(content, "image") for content in inputs]
    for name in MASKS:
        for mask in body.files.get(name, []):
            _check_mask(mask, name, sizes[0])
    return sizes


def _check_mask(mask: bytes, name: str, size: tuple[int, int]) -> None:
    if image_size(mask, name) != size:
        message = f"The {name} must have the same dimensions as the image."
        raise Refusal(400, message, param=name, code=MASK_FORMAT_CODE)
    if not is_transparent_png(mask):
        raise Refusal(400, f"The {name} must be a PNG with an alpha channel.", param=name, code=MASK_FORMAT_CODE)


def _output_tokens(order: ImageOrder) -> int:
    return order.n * catalog.output_tokens(order.size, order.quality) + order.partial_images * catalog.PARTIAL_TOKENS


def _usage(order: ImageOrder, sizes: list[tuple[int, int]]) -> dict[str, object]:
    text = catalog.input_tokens(order.prompt)
    image = sum(catalog.reference_tokens(size) for size in sizes)
    output = _output_tokens(order)
    return {
        "input_tokens": text + image,
        "input_tokens_details": {"text_tokens": text, "image_tokens": image},
        "output_tokens": output,
        "output_tokens_details": {"text_tokens": 0, "image_tokens": output},
        "total_tokens": text + image + output,
    }


def _price(order: ImageOrder, rules: ImageRules, sizes: list[tuple[int, int]]) -> float:
    text = catalog.input_tokens(order.prompt) * rules.text_price
    image = sum(catalog.reference_tokens(size) for size in sizes) * rules.image_price
    output = _output_tokens(order) * rules.output_price
    return round((text + image + output) / 1_000_000, 6)


async def _produce(call: OperationCall, order: ImageOrder, rules: ImageRules, inputs: list[bytes]) -> Response:
    emulator = call.emulator
    sizes = await asyncio.to_thread(_check_inputs, call.body, inputs)
    files = await asyncio.to_thread(lambda: [draw(order, number, inputs) for number in range(order.n)])
    now = emulator.now()
    emulator.state.add_images(
        created=now,
        operation=call.operation,
        model=order.model,
        prompt=order.prompt,
        count=order.n,
        usd=_price(order, rules, sizes),
    )
    encoded = [base64.b64encode(file).decode() for file in files]
    if order.stream:
        return StreamingResponse(_events(call, order, sizes, encoded), media_type="text/event-stream")
    return JSONResponse(_answer(call, order, files, encoded, sizes))


BATCH_SHARE = 0.5
"""What a line of a batch costs of the price."""


async def line_answer(
    surface: Surface, operation: str, fields: dict[str, object], now: float
) -> tuple[dict[str, object], tuple[str, str, int, float]]:
    """Return the answer to a line of a batch, and what was made: model, prompt, count, USD; raises Refusal."""
    editing = operation == "image_edit"
    files = {"image": _linked(fields, "images")} if editing else {}
    if editing and fields.get("mask") is not None:
        files["mask"] = _linked({"mask": [fields.pop("mask")]}, "mask")
    fields.pop("images", None)
    body = ReceivedBody(fields, files)
    if not body.given("model"):
        raise missing_parameter("model")
    model = body.string("model", "")
    rules = surface.image_rules(model)
    order = read_order(body, model, rules, editing=editing)
    inputs = files.get("image", [])
    if order.stream or order.as_url or (editing and not inputs):
        raise Refusal(400, "This cannot be asked for in a batch.", param="stream" if order.stream else "images")
    sizes = await asyncio.to_thread(_check_inputs, body, inputs)
    drawn = await asyncio.to_thread(lambda: [draw(order, number, inputs) for number in range(order.n)])
    data = [{"b64_json": base64.b64encode(file).decode()} for file in drawn]
    answer = {"created": int(now), "data": data, **_facts(order), "usage": _usage(order, sizes)}
    return answer, (order.model, order.prompt, order.n, round(_price(order, rules, sizes) * BATCH_SHARE, 6))


def _linked(fields: dict[str, object], name: str) -> list[bytes]:
    given = fields.get(name)
    listed = given if isinstance(given, list) else []
    if not all(isinstance(each, dict) for each in listed):
        raise Refusal(400, f"Invalid type for '{name}': expected an array of objects.", param=name, code="invalid_type")
    return [linked_image(each, name) for each in listed]


def _facts(order: ImageOrder) -> dict[str, object]:
    return {
        "background": "transparent" if order.transparent else "opaque",
        "output_format": order.format,
        "quality": order.quality,
        "size": f"{order.size[0]}x{order.size[1]}",
    }


def _answer(
    call: OperationCall, order: ImageOrder, files: list[bytes], encoded: list[str], sizes: list[tuple[int, int]]
) -> dict[str, object]:
    created = int(call.emulator.now())
    if order.as_url:
        names = [call.emulator.studio.keep(file) for file in files]
        return {"created": created, "data": [{"url": str(call.request.url_for("media", name=name))} for name in names]}
    data = [{"b64_json": image} for image in encoded]
    if order.quality in ("standard", "hd"):
        return {"created": created, "data": data}
    return {"created": created, "data": data, **_facts(order), "usage": _usage(order, sizes)}


async def _events(
    call: OperationCall, order: ImageOrder, sizes: list[tuple[int, int]], encoded: list[str]
) -> AsyncIterator[str]:
    kind = "image_edit" if call.operation == "image_edit" else "image_generation"
    shared = {"created_at": int(call.emulator.now()), **_facts(order)}
    for index in range(order.partial_images):
        sketch = await asyncio.to_thread(sketched, encoded[0], order.format, index)
        yield _event(f"{kind}.partial_image", {"b64_json": sketch, **shared, "partial_image_index": index})
    if call.fault is not None and call.fault.fault == "stream_error":
        message = call.fault.message or "The server had an error while generating the image."
        yield _event("error", {"error": {"type": "server_error", "code": "server_error", "message": message}})
        return
    for image in encoded:
        yield _event(f"{kind}.completed", {"b64_json": image, **shared, "usage": _usage(order, sizes)})


def _event(kind: str, data: dict[str, object]) -> str:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **data})}\n\n"
