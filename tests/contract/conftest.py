"""OpenAI's published API description, and what a body must be by it."""

from __future__ import annotations

import json
from collections.abc import Callable
from email.message import Message
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import httpx2
import pytest
from jsonschema import Draft202012Validator

DESCRIPTION = Path(__file__).with_name("openai_videos_images.json")
"""The part of it that concerns videos and images; its `info` has source, licence, version and date."""


@pytest.fixture(scope="session")
def contract() -> dict[str, Any]:
    return json.loads(DESCRIPTION.read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def check(contract) -> Callable[[str, object], None]:
    """Assert that a value is what a named schema of the contract describes."""

    def validate(name: str, answer: object) -> None:
        document = {"$ref": f"#/components/schemas/{name}", "components": contract["components"]}
        Draft202012Validator(document).validate(answer)

    return validate


class Operations:
    """The contract's operations, to hold requests against."""

    def __init__(self, contract: dict[str, Any]) -> None:
        self._contract = contract

    def check(self, request: httpx2.Request, *, beyond: frozenset[str] = frozenset()) -> dict[str, Any]:
        """Assert that the operation exists, knows each field but those `beyond` it, and takes the values."""
        path = request.url.path.partition("/v1")[2]
        known = next(template for template in self._contract["paths"] if _fits(template, path))
        content = self._contract["paths"][known][request.method.lower()]["requestBody"]["content"]
        kind = request.headers["content-type"].partition(";")[0]
        schema = content[kind]["schema"]
        properties = self._resolved(schema)["properties"]
        body = json.loads(request.content) if kind == "application/json" else self._form(request, properties)
        assert body.keys() <= properties.keys() | beyond, (known, body.keys() - properties.keys())
        Draft202012Validator({**schema, "components": self._contract["components"]}).validate(body)
        return body

    def _resolved(self, schema: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in schema:
            schema = self._contract["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        return schema

    def _form(self, request: httpx2.Request, properties: dict[str, Any]) -> dict[str, Any]:
        head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
        message = BytesParser().parsebytes(head + request.content)
        body: dict[str, Any] = {}
        for part in message.get_payload():
            self._add(body, part, properties)
        return body

    def _add(self, body: dict[str, Any], part: Message, properties: dict[str, Any]) -> None:
        name = str(part.get_param("name", header="content-disposition"))
        if part.get_filename():
            # What a file holds is not text; its place is what counts.
            if name.endswith("[]"):
                body.setdefault(name.removesuffix("[]"), []).append("binary")
            else:
                body[name] = "binary"
            return
        text = part.get_payload(decode=True).decode()
        # A form holds text alone; what reads as the number or the word that the contract wants is one.
        kinds = self._kinds(properties.get(name, {}))
        body[name] = json.loads(text) if kinds & {"integer", "boolean"} else text

    def _kinds(self, schema: dict[str, Any]) -> set[str]:
        resolved = self._resolved(schema)
        return {str(resolved.get("type")), *(kind for one in resolved.get("anyOf", ()) for kind in self._kinds(one))}


def _fits(template: str, path: str) -> bool:
    theirs, ours = template.split("/"), path.split("/")
    return len(theirs) == len(ours) and all(
        part.startswith("{") or part == given for part, given in zip(theirs, ours, strict=True)
    )


@pytest.fixture(scope="session")
def operations(contract) -> Operations:
    return Operations(contract)
