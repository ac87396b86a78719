"""Ask chat models by the SDK, and read what they answer leniently."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import httpx2

from runner.config.judge import AnswerForm, TokenLimit

from .allowance import number, renewal
from .answer import told_cost, usd
from .batch_api import Services
from .call import Call
from .client import opened, received
from .job import request_id
from .json_answer import read_documents
from .translation import no_use

_MOST_TOKENS = 100_000_000
"""Tokens that no answer uses."""

_SPOKEN = ("content", "text", "output_text", "reasoning_content")
"""Where a message's text stands, the likeliest first; some servers put everything into the last."""


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """Describe one question to a chat model.

    Attributes:
        model: what is sent as the model.
        messages: as the API takes them, images as data URLs.
        max_tokens: of the answer; `max_tokens_name` is what the server calls that.
        schema: JSON Schema of the answer, with a `title`.
        form: how the server is told that.
        extra: parameters beyond these.
    """

    model: str
    messages: Sequence[Mapping[str, Any]]  # Any: JSON, as below
    max_tokens: int
    schema: Mapping[str, Any]
    form: AnswerForm = "json_schema"
    temperature: float | None = None
    seed: int | None = None
    max_tokens_name: TokenLimit = "max_completion_tokens"
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def fields(self) -> dict[str, Any]:  # Any: JSON
        """Return the request as it is sent."""
        asked = {"temperature": self.temperature, "seed": self.seed}
        given = {name: value for name, value in asked.items() if value is not None}
        own = {"model": self.model, "messages": [*self.messages], self.max_tokens_name: self.max_tokens, **given}
        return {**self.extra, **own, **self._form}

    @property
    def _form(self) -> dict[str, Any]:  # Any: JSON
        if self.form == "text":
            return {}
        if self.form == "json_object":
            return {"response_format": {"type": "json_object"}}
        named = {"name": self.schema["title"], "strict": True, "schema": self.schema}
        return {"response_format": {"type": "json_schema", "json_schema": named}}


@dataclass(frozen=True, slots=True)
class ChatUsage:
    """Count the tokens of a question and its answer; `cached_in` of those that went in came from the cache."""

    tokens_in: int
    tokens_out: int
    cached_in: int = 0


@dataclass(frozen=True, slots=True)
class ChatAnswer:
    """Describe the answer to one question.

    Attributes:
        text: what the model said; empty for nothing.
        refusal: why it did not answer, in its own or the filter's words.
        cut: whether it was broken off at `max_tokens`.
        usage: None where the server tells none that can be true.
        usd: what it has cost, where the server tells.
        model: what answered, by the server's word.
        submit_after: as of a `Job`.
    """

    text: str
    refusal: str | None = None
    cut: bool = False
    usage: ChatUsage | None = None
    usd: float | None = None
    model: str | None = None
    request_id: str | None = None
    submit_after: float | None = None


class ChatAPI:
    """Reach an endpoint's chat models; every method raises only `RunnerError`s."""

    def __init__(self, services: Services) -> None:
        """Take what the provider's other requests use as well."""
        self._services = services

    async def ask(self, request: ChatRequest) -> ChatAnswer:
        """Ask one question (paid): exactly one request; `UncertainError` where it may be paid and no answer came."""
        used = self._services
        await used.ready()
        call = Call(used.place, "judge the file", paid=True, model=request.model)
        completions = used.client.chat.completions.with_streaming_response
        with used.translated(call):
            create = cast("Any", completions.create)  # Any: the fields are JSON, which the SDK's types spell out
            fields = request.fields
            known = {name: fields.pop(name) for name in ("model", "messages")}
            response, broken = await received(await opened(create(**known, extra_body=fields)))
            documents = read_documents(response.content, used.redact)
            answer = read_chat(documents, response.headers)
            if answer is None:
                raise no_use(response, documents, call, used.redact, broken=broken)
            return replace(answer, usd=self._told_cost(documents, response))

    def _told_cost(self, documents: Sequence[Any], response: httpx2.Response) -> float | None:  # Any: JSON
        dialect = self._services.dialect
        if dialect.cost:
            return told_cost(documents[-1], dialect.cost, dialect.cost_units)
        return usd(response.headers.get(dialect.cost_header)) if dialect.cost_header else None


def read_chat(documents: Sequence[Any], headers: Mapping[str, str]) -> ChatAnswer | None:  # Any: JSON
    """Return the answer that a body holds; None if it holds none."""
    for raw in documents:
        found = raw.get("choices") if isinstance(raw, dict) else None
        choice = found[0] if isinstance(found, list) and found else None
        message = choice.get("message") if isinstance(choice, dict) else None
        if not isinstance(choice, dict) or not isinstance(message, dict):
            continue
        text = next(filter(None, (_text(message.get(name)) for name in _SPOKEN)), "")
        ended = str(choice.get("finish_reason") or "")
        return ChatAnswer(
            text=text,
            refusal=_refusal(message, ended, text),
            cut=ended in ("length", "max_tokens"),
            usage=_usage(raw.get("usage")),
            model=raw["model"] if isinstance(raw.get("model"), str) else None,
            request_id=request_id(headers),
            submit_after=renewal(headers),
        )
    return None


def _text(content: object) -> str:
    """Return the text of a message, which may come in parts."""
    if isinstance(content, str):
        return content.strip()
    return "".join(_parts(content)).strip() if isinstance(content, list) else ""


def _parts(content: Sequence[object]) -> Iterator[str]:
    for part in content:
        if isinstance(part, str):
            yield part
        elif isinstance(part, dict) and isinstance(part.get("text"), str):
            yield part["text"]


def _refusal(message: Mapping[str, Any], ended: str, text: str) -> str | None:  # Any: JSON
    said = message.get("refusal")
    if not isinstance(said, str) or not said.strip():
        parts = message.get("content")
        told = [part.get("refusal") for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []
        said = next((each for each in told if isinstance(each, str) and each.strip()), None)
    if said is not None:
        return said.strip()
    return (text or "its content filter took the answer") if ended == "content_filter" else None


def _usage(told: object) -> ChatUsage | None:
    """Return the tokens; None for numbers that cannot be true, as of servers that count none."""
    if not isinstance(told, dict):
        return None
    given = _count(told.get("prompt_tokens", told.get("input_tokens")))
    made = _count(told.get("completion_tokens", told.get("output_tokens")))
    if not given or not made:
        return None
    details = told.get("prompt_tokens_details", told.get("input_tokens_details"))
    cached = _count(details.get("cached_tokens")) if isinstance(details, dict) else None
    return ChatUsage(given, made, cached or 0)


def _count(value: object) -> int | None:
    told = number(value)
    return int(told) if told is not None and 0 <= told <= _MOST_TOKENS else None
