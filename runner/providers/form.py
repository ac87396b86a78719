"""A request as the server's dialect reads it: names, nested values, and where an input image's address stands."""

from __future__ import annotations

import json
from collections.abc import Container, Mapping
from dataclasses import replace
from typing import Any

from runner.config import Dialect

from .body import Body

_PACK = "extra_params"
_IMAGES = frozenset({"generate", "edit"})


def in_dialect(body: Body, dialect: Dialect) -> Body:
    """The same request, said so that a server of this dialect reads all of it."""
    extra = {dialect.name(key): value for key, value in body.extra.items()}
    if body.fields.get("size") == "auto" and not dialect.takes_auto:
        body = replace(body, fields={key: value for key, value in body.fields.items() if key != "size"})
    if body.operation in _IMAGES:
        if dialect.asks_base64:
            extra.setdefault("response_format", "b64_json")
        if dialect.packs_images and body.operation == "generate":
            extra = _packed(extra, dialect.image_fields)
        return replace(body, extra=_text(extra) if dialect.nested_as_text and body.operation == "edit" else extra)
    json_body = body.json
    if body.json and body.target is None and dialect.image_address is not None:
        url = extra.pop("input_reference")["image_url"]
        extra[dialect.image_address] = {"image_url": url} if dialect.image_address == "image_reference" else url
        json_body = False
    extra = _packed(extra, dialect.fields)
    return replace(body, extra=_text(extra) if dialect.nested_as_text and not json_body else extra, json=json_body)


def _packed(extra: Mapping[str, Any], fields: Container[str] | None) -> dict[str, Any]:  # Any: JSON values
    """What the request has no field for, moved into the one that takes anything; elsewhere it would be ignored."""
    if fields is None:
        return dict(extra)
    known = {key: value for key, value in extra.items() if key in fields}
    others = {key: value for key, value in extra.items() if key not in fields}
    return {**known, _PACK: {**others, **known.get(_PACK, {})}} if others else known


def _text(extra: Mapping[str, Any]) -> dict[str, Any]:  # Any: JSON values
    return {key: json.dumps(value) if isinstance(value, dict | list) else value for key, value in extra.items()}
