"""Read a request's body as fields and files, and its fields typed, refusing what the API would refuse."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass, field

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException
from starlette.requests import Request

from .refusal import Refusal, invalid_type, invalid_value, missing_parameter, unknown_parameter

MAX_FIELD_BYTES = 32 * 1024 * 1024
FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")


@dataclass(frozen=True)
class Body:
    """Describe what a client sent: `fields` as JSON values or form strings, `files` by name without a trailing `[]`."""

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


def _listing(allowed: Collection[str]) -> str:
    *most, last = (f"'{value}'" for value in allowed)
    return f"Supported values are: {', '.join(most)}, and {last}." if most else f"The supported value is: {last}."


class Parameters:
    """One request's parameters; every method raises Refusal(400) naming the parameter it dislikes."""

    def __init__(self, body: Body) -> None:
        self._body = body

    def allow(self, *names: str) -> None:
        """Refuse any parameter that is not named."""
        for name in (*self._body.fields, *self._body.files):
            if name not in names:
                raise unknown_parameter(name)

    def given(self, name: str) -> bool:
        """Say whether a parameter was sent and is not null."""
        return self._body.fields.get(name) is not None or name in self._body.files

    def text(self, name: str, *, longest: int) -> str:
        """Return a required string of 1 to `longest` characters."""
        value = self._string(name)
        if value is None:
            raise missing_parameter(name)
        if not value:
            raise Refusal(400, f"Invalid '{name}': empty string.", param=name, code="empty_string")
        if len(value) > longest:
            message = f"Invalid '{name}': string too long. Expected at most {longest}, got {len(value)}."
            raise Refusal(400, message, param=name, code="string_above_max_length")
        return value

    def choice(self, name: str, allowed: Collection[str], default: str) -> str:
        """One of `allowed`, or the default."""
        value = self._string(name)
        if value is None:
            return default
        if value not in allowed:
            raise invalid_value(name, value, _listing(allowed))
        return value

    def string(self, name: str, default: str) -> str:
        """Any string, or the default."""
        return self._string(name) or default

    def whole(self, name: str, low: int, high: int, default: int) -> int:
        """Return a whole number from `low` to `high`, or the default; forms carry it as digits."""
        value = self._body.fields.get(name)
        if value is None:
            return default
        if self._body.form and isinstance(value, str) and value.lstrip("-").isdecimal():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            raise invalid_type(name, "an integer", value)
        if not low <= value <= high:
            raise invalid_value(name, value, f"Expected a value from {low} to {high}.")
        return value

    def flag(self, name: str) -> bool:
        """Return a boolean, false when absent; forms carry it as a word."""
        value = self._body.fields.get(name)
        if self._body.form and value in ("true", "false"):
            return value == "true"
        if value is not None and not isinstance(value, bool):
            raise invalid_type(name, "a boolean", value)
        return bool(value)

    def files(self, name: str) -> list[bytes]:
        """Return the uploaded files of one name."""
        return self._body.files.get(name, [])

    def reference(self, name: str) -> dict[str, str]:
        """Return an object of strings, such as `{"id": ...}`; empty when absent."""
        value = self._body.fields.get(name)
        if value is None:
            return {}
        if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
            raise invalid_type(name, "an object of strings", value)
        return value

    def _string(self, name: str) -> str | None:
        value = self._body.fields.get(name)
        if value is None:
            return None
        if not isinstance(value, str):
            raise invalid_type(name, "a string", value)
        if not value.isascii():
            self._encodable(name, value)
        return value

    @staticmethod
    def _encodable(name: str, value: str) -> None:
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise invalid_value(name, "...", "The string holds a lone surrogate.") from error
