"""Say what goes wrong and when, from rules in YAML or a header, and how a fault reaches the wire."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Literal, cast

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator
from starlette.responses import HTMLResponse, Response
from starlette.types import Message, Receive, Scope, Send

from runner.errors import ConfigError
from runner.text_file import read_text

from .job import JobOutcome
from .surface import Refusal, Surface

Operation = Literal[
    "create", "remix", "edit", "extend", "retrieve", "list", "content", "delete", "character",
    "image_generate", "image_edit", "media", "models", "file_create", "file_retrieve", "file_content", "file_delete",
    "batch_create", "batch_retrieve", "batch_list", "batch_cancel", "batch_line", "chat",
]  # fmt: skip
FaultName = Literal[
    "drop_before_commit", "drop_after_commit", "rate_limit", "status", "slow", "stalled", "unknown_status", "stuck",
    "moderation", "internal", "content_not_ready", "truncated", "corrupt", "wrong_length", "slow_body", "expired",
    "unauthorized", "html", "content_filter", "stream_cut", "stream_error", "invalid_batch", "expired_batch",
    "odd_line", "missing_line", "refusal", "prose", "fenced", "cut_answer",
]  # fmt: skip
JOB_OPERATIONS: frozenset[str] = frozenset({"create", "remix", "edit", "extend"})
IMAGE_OPERATIONS: frozenset[str] = frozenset({"image_generate", "image_edit"})
CHAT: frozenset[str] = frozenset({"chat"})
PAID: frozenset[str] = JOB_OPERATIONS | IMAGE_OPERATIONS | CHAT
DOMAINS: dict[str, frozenset[str]] = {
    "stuck": JOB_OPERATIONS,
    "internal": JOB_OPERATIONS,
    "moderation": JOB_OPERATIONS | IMAGE_OPERATIONS | {"batch_line"},
    "content_filter": PAID,
    "invalid_batch": frozenset({"batch_create"}),
    "expired_batch": frozenset({"batch_create"}),
    "odd_line": frozenset({"batch_line"}),
    "missing_line": frozenset({"batch_line"}),
    "refusal": CHAT,
    "prose": CHAT,
    "fenced": CHAT,
    "cut_answer": CHAT,
    "unknown_status": JOB_OPERATIONS | {"retrieve"},
    "stream_cut": IMAGE_OPERATIONS,
    "stream_error": IMAGE_OPERATIONS,
    "content_not_ready": frozenset({"content"}),
    "expired": frozenset({"content", "file_content", "media"}),
}
HEADER = "x-emulator-fault"


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Fault(_Model):
    """Describe one thing that goes wrong; each argument is read by the faults named beside it."""

    fault: FaultName
    retry_after: float | None = None
    """rate_limit, status: the Retry-After header, in emulated seconds; absent when None."""
    status: int = Field(default=500, ge=200, le=599)
    """status, html: the HTTP status of the answer."""
    commit: bool = False
    """status, html, stalled: do what was asked first, so that only the answer is lost."""
    seconds: float = Field(default=5.0, ge=0)
    """slow, slow_body: the delay, in emulated seconds."""
    word: str = "processing"
    """unknown_status: the word that the job reports."""
    when: Literal["running", "done"] = "running"
    """unknown_status on a creating operation: the phase of the job that the word replaces."""
    bytes: int | None = Field(default=None, ge=0)
    """truncated, wrong_length: how much is missing; half of the body when None."""
    message: str | None = None
    """moderation, internal: the job's error message; stream_error: the stream's."""
    events: int = Field(default=1, ge=0)
    """stream_cut: how many of a stream's events arrive before the connection is cut."""


class Match(_Model):
    """Describe which requests a rule is about; what is left out matches everything."""

    operation: Operation | Literal["image"] | tuple[Operation, ...] | None = None
    prompt: str | None = None
    """Regular expression, searched in the prompt of the request or of the job it names."""
    header: dict[str, str] = Field(default_factory=dict)
    """Regular expressions, searched in the request's headers."""

    def operations(self) -> frozenset[str] | None:
        """Return the named operations, or None for all."""
        if self.operation == "image":
            return IMAGE_OPERATIONS
        names = (self.operation,) if isinstance(self.operation, str) else self.operation
        return None if names is None else frozenset(names)

    def covers(self, operation: str, prompt: str | None, headers: Mapping[str, str]) -> bool:
        """Say whether a request is meant."""
        named = self.operations()
        return (
            (named is None or operation in named)
            and (self.prompt is None or re.search(self.prompt, prompt or "") is not None)
            and all(re.search(pattern, headers.get(name, "")) for name, pattern in self.header.items())
        )


class FaultRule(Fault):
    """Describe a fault and the requests it befalls: those that match, counted from 1."""

    match: Match = Match()
    nth: int | tuple[int, ...] | None = None
    every: int | None = Field(default=None, ge=1)
    after: int = Field(default=0, ge=0)
    probability: float = Field(default=1.0, ge=0, le=1)
    times: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _possible(self) -> FaultRule:
        named, domain = self.match.operations(), DOMAINS.get(self.fault)
        if named and domain and not named & domain:
            message = f"fault {self.fault} befalls only {', '.join(sorted(domain))}; the rule matches none of them"
            raise ValueError(message)
        return self

    def strikes(self, count: int, chance: float) -> bool:
        """Say whether the match number `count` is hit, `chance` being its draw from 0 to 1."""
        numbers = (self.nth,) if isinstance(self.nth, int) else self.nth
        return (
            (numbers is None or count in numbers)
            and (self.every is None or count % self.every == 0)
            and count > self.after
            and chance < self.probability
        )


class FaultFileError(Exception):
    """Raised for a fault file, or a fault header, that cannot be understood."""


class FaultPlan:
    """Hold one emulator's rules with their counts; the same seed and requests give the same faults."""

    def __init__(self, rules: Iterable[FaultRule] = (), seed: int = 0) -> None:
        self._rules = tuple(rules)
        self._seed = seed
        self._seen = [0] * len(self._rules)
        self._struck = [0] * len(self._rules)
        self.injected: Counter[str] = Counter()
        """How often each fault befell a request, by name."""

    @property
    def reads_prompts(self) -> bool:
        """Say whether any rule looks at prompts."""
        return any(rule.match.prompt is not None for rule in self._rules)

    def pick(self, operation: str, prompt: str | None, headers: Mapping[str, str]) -> Fault | None:
        """Return the fault that befalls this request: the header's, else the first rule's that strikes."""
        chosen = parse_header(headers[HEADER]) if HEADER in headers else self._choose(operation, prompt, headers)
        if chosen is not None:
            self.injected[chosen.fault] += 1
        return chosen

    def _choose(self, operation: str, prompt: str | None, headers: Mapping[str, str]) -> Fault | None:
        chosen: Fault | None = None
        for index, rule in enumerate(self._rules):
            domain = DOMAINS.get(rule.fault)
            if (domain is None or operation in domain) and rule.match.covers(operation, prompt, headers):
                self._seen[index] += 1
                spent = rule.times is not None and self._struck[index] >= rule.times
                if chosen is None and not spent and rule.strikes(self._seen[index], self._chance(index)):
                    self._struck[index] += 1
                    chosen = rule
        return chosen

    def _chance(self, index: int) -> float:
        key = f"{self._seed}/{index}/{self._seen[index]}".encode()
        return int.from_bytes(hashlib.sha256(key).digest()[:8], "big") / 2**64


def parse_header(text: str) -> Fault:
    """Read `name` or `name;argument=value;...`."""
    name, *arguments = (part.strip() for part in text.split(";"))
    pairs = dict(argument.partition("=")[::2] for argument in arguments if argument)
    try:
        return Fault.model_validate({"fault": name, **pairs})
    except ValidationError as error:
        raise FaultFileError(f"{HEADER}: {error.errors()[0]['msg']}") from error


def load_rules(path: Path) -> tuple[FaultRule, ...]:
    """Read a YAML list of rules; raises FaultFileError with the place and the reason."""
    try:
        data = yaml.safe_load(read_text(path))
        return TypeAdapter(tuple[FaultRule, ...]).validate_python(data or ())
    except ConfigError as error:
        raise FaultFileError(error.message) from error
    except OSError as error:
        raise FaultFileError(f"{path}: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise FaultFileError(f"{path}: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(step) for step in first["loc"])
        raise FaultFileError(f"{path}: rule {place}: {first['msg']}") from error


TRANSPORT = "runner.transport"
DAMAGE = bytes(value ^ 0xA5 for value in range(256))
DAMAGED_FROM = 16
PIECES = 16
_MODERATED = "Your request was blocked by our moderation system."
_INTERNAL = "The server had an error while generating the video."
_PAGE = "<!DOCTYPE html><html><head><title>Bad gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"

DAMAGING = ("truncated", "corrupt", "wrong_length", "slow_body", "stream_cut")


def outcome(fault: Fault | None) -> JobOutcome:
    """Return what a fault on a creating operation makes of the job."""
    match fault and fault.fault:
        case "stuck":
            return JobOutcome(stuck=True)
        case "moderation":
            return JobOutcome(code="moderation_blocked", message=(fault and fault.message) or _MODERATED)
        case "internal":
            return JobOutcome(code="internal_error", message=(fault and fault.message) or _INTERNAL)
        case "unknown_status" if fault:
            return JobOutcome(word=fault.word, when=fault.when)
    return JobOutcome()


def replaced(fault: Fault, surface: Surface) -> Response | None:
    """Return the answer that a fault gives instead of the real one; raises Refusal for those in the API's own words."""
    match fault.fault:
        case "rate_limit":
            headers = _retry(fault, surface)
            raise Refusal(429, "Rate limit reached.", "requests", code="rate_limit_exceeded", headers=headers)
        case "status":
            message = "The server had an error while processing your request."
            raise Refusal(fault.status, message, "server_error", headers=_retry(fault, surface))
        case "unauthorized":
            raise Refusal(401, "Incorrect API key provided.", code="invalid_api_key")
        case "content_filter":
            raise surface.filtered()
        case "content_not_ready":
            raise Refusal(409, "Video is not ready yet.", code="video_not_ready")
        case "expired":
            raise Refusal(404, "The file's content has expired.", code="video_expired")
        case "html":
            return HTMLResponse(_PAGE, status_code=fault.status if "status" in fault.model_fields_set else 502)
    return None


def _retry(fault: Fault, surface: Surface) -> dict[str, str]:
    return {} if fault.retry_after is None else {"retry-after": f"{surface.settings.real(fault.retry_after):g}"}


def _transport(scope: Scope) -> asyncio.Transport:
    return cast("asyncio.Transport", scope["extensions"][TRANSPORT])


async def gone(receive: Receive) -> None:
    """Wait until the client's connection is closed."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def drop(scope: Scope, receive: Receive) -> None:
    """Cut the connection without an answer."""
    _transport(scope).abort()
    await gone(receive)


class Damage:
    """Wrap an ASGI `send` and spoil the body which passes through it."""

    def __init__(
        self, fault: Fault, scope: Scope, receive: Receive, send: Send, pause: Callable[[float], float]
    ) -> None:
        self._fault, self._scope, self._receive, self._send = fault, scope, receive, send
        self._pause = pause
        self._length = 0
        self._left = 0
        self._sent = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            await self._send(self._start(message))
        elif message["type"] == "http.response.body":
            await self._body(message.get("body", b""), more=message.get("more_body", False))

    def _start(self, message: Message) -> Message:
        headers = dict(message["headers"])
        self._length = int(headers.get(b"content-length", 0))
        self._left = self._length
        if self._fault.fault in ("truncated", "wrong_length"):
            missing = self._length // 2 if self._fault.bytes is None else self._fault.bytes
            self._left = max(0, self._length - missing)
        if self._fault.fault == "wrong_length":
            headers[b"content-length"] = str(self._left).encode()
        return {**message, "headers": list(headers.items())}

    async def _body(self, body: bytes, *, more: bool) -> None:
        if self._fault.fault == "stream_cut":
            await self._event(body)
            return
        if self._fault.fault == "corrupt":
            intact = max(0, DAMAGED_FROM - self._sent)
            body = body[:intact] + body[intact:].translate(DAMAGE)
        elif self._fault.fault == "slow_body":
            await self._slowly(body)
            body = b""
        body, self._left = body[: self._left], max(0, self._left - len(body))
        self._sent += len(body)
        if self._fault.fault != "truncated":
            await self._send({"type": "http.response.body", "body": body, "more_body": more})
            return
        await self._send({"type": "http.response.body", "body": body, "more_body": True})
        if self._left == 0 or not more:
            # close, not abort: what was sent must arrive, and then nothing.
            _transport(self._scope).close()
            await gone(self._receive)

    async def _event(self, body: bytes) -> None:
        """Pass an event on, as the body of a stream comes in one piece for each."""
        if self._sent < self._fault.events:
            self._sent += 1
            await self._send({"type": "http.response.body", "body": body, "more_body": True})
        else:
            _transport(self._scope).close()
            await gone(self._receive)

    async def _slowly(self, body: bytes) -> None:
        step = max(1, self._length // PIECES)
        for start in range(0, len(body), step):
            piece = body[start : start + step]
            await asyncio.sleep(self._pause(self._fault.seconds * len(piece) / max(1, self._length)))
            await self._send({"type": "http.response.body", "body": piece, "more_body": True})
