"""Read what an endpoint answers beside its jobs and files: errors in any form, costs, what a filter took."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import httpx2

from runner.config.dialect import Dialect
from runner.errors import ProviderError

from .allowance import exhausted, number, retry_after, server_time
from .base import Job, JobStatus
from .call import Call
from .job import request_id
from .json_answer import excerpt, one_line, read_json

_LONGEST = 10_000
"""Characters of a message that are searched; gateways wrap what their backends said in much of their own."""

Redact = Callable[[str], str]
"""Takes every secret out of a text: some servers repeat the key that they refuse."""

_THING = r"(?:video|job|content|file|asset|generation|task|result|output)s?"
_GONE_CODE = re.compile(rf"(?:{_THING}[_ -]?)?(?:has[_ -])?(?:expired|deleted)")
_GONE = re.compile(
    rf"\b{_THING}\b.{{0,80}}\b(?:has|have|is|are|was|were|been)\b.{{0,12}}\b(?:expired|deleted)\b", re.IGNORECASE
)
# "not found, or it was deleted" is a guess, and what has expired may be the key.
_DOUBT = re.compile(r"\b(?:or|may|might|maybe|perhaps|possibly|if|key|token|session|signature)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Answer:
    """Describe an error answer, from OpenAI's envelope, FastAPI's `detail`, Azure's inner errors, or a web page."""

    status: int
    message: str
    said: str = ""
    """The same in full, where words are looked for."""
    code: str | None = None
    type: str | None = None
    inner: Mapping[str, Any] = field(default_factory=dict)  # Any: JSON
    request_id: str | None = None
    retry_after: float | None = None
    exhausted: bool = False
    """Whether nothing remains of what is allowed in a time."""
    location: str | None = None
    raw: Any = None  # Any: JSON
    is_page: bool = False
    """Whether it is a web page or other text, so that something else than the API spoke."""
    is_html: bool = False
    server_time: float | None = None
    """Unix seconds by the server's clock, where it says so."""

    @property
    def says_gone(self) -> bool:
        """Return whether it says in words that the job or file is kept no longer; a status alone does not."""
        if self.is_page or self.is_html:
            return False
        coded = any(_GONE_CODE.fullmatch(word) for word in self.words)
        return coded or (_GONE.search(self.message) is not None and _DOUBT.search(self.message) is None)

    @property
    def words(self) -> frozenset[str]:
        """Return its codes and types, in lower case."""
        inner = self.inner.get("code")
        return frozenset(str(word).lower() for word in (self.code, self.type, inner) if word)

    def details(self, call: Call) -> dict[str, Any]:  # Any: keyword arguments of the errors
        """Return what every error about this answer to `call` carries."""
        return {**call.details, "code": self.code or self.type, "request_id": self.request_id,
                "raw_response": self.raw}  # fmt: skip

    def error(
        self, kind: Callable[..., ProviderError], call: Call, what: str, hint: str | None, **more: Any
    ) -> ProviderError:  # Any: as above
        """Return the error that says `what` the answer to `call` means, its own words, and what to type next."""
        details = {**self.details(call), "status_code": self.status, **more}
        return kind(f"{what} ({self.status}): {self.message}", hint=hint, **details)


def read_answer(response: httpx2.Response, redact: Redact) -> Answer:
    """Return what `response`, whose body was read, says."""
    text = redact(response.text)
    raw = read_json(response.text, redact)
    headers = response.headers
    error = error_of(raw)
    # A host's code is the status; what it means stands among the metadata.
    about = error.get("metadata")
    kind = about.get("error_type") if isinstance(about, dict) else None
    inner = error.get("inner_error") or error.get("innererror")
    # Redacted again, as a page's own spelling of its letters is resolved by now.
    said = redact(_message(error) or excerpt(text) or one_line(response.reason_phrase))
    quoted = _quoted(said)
    # What came before it is the gateway's, and tells more.
    shown = _message(quoted) if said.startswith("{") else ""
    return Answer(
        status=response.status_code,
        message=one_line(shown or said),
        said=said,
        code=_word(error.get("code") if kind is None else kind),
        type=_word(error.get("type")),
        inner=inner if isinstance(inner, dict) else quoted,
        request_id=request_id(headers),
        retry_after=retry_after(headers, said),
        exhausted=exhausted(headers),
        location=headers.get("location"),
        raw=raw,
        is_page=raw is None and bool(text.strip()),
        is_html="html" in headers.get("content-type", "") or text.lstrip().startswith("<"),
        server_time=server_time(headers),
    )


def shortened(response: httpx2.Response, size: int) -> httpx2.Response:
    """Return the answer as it is shown, without the megabytes that it may hold."""
    content = response.content[:size]
    return httpx2.Response(response.status_code, headers=response.headers, content=content, request=response.request)


def error_of(raw: Any) -> Mapping[str, Any]:  # Any: JSON
    """Return the error object in a server's JSON; empty if there is none."""
    if isinstance(raw, list) and len(raw) == 1:
        raw = raw[0]  # Google wraps it so
    if not isinstance(raw, dict):
        return {}
    detail, several = raw.get("detail"), raw.get("errors")
    if "error" not in raw and isinstance(detail, dict):
        return error_of(detail)  # FastAPI's, around a dict of the server's
    error = raw.get("error", several if several and isinstance(several, list) else raw)
    if isinstance(error, list) and error and isinstance(error[0], dict):
        error = error[0]
    return error if isinstance(error, dict) else {"message": error}


def _quoted(message: str) -> Mapping[str, Any]:  # Any: JSON
    """Return the backend's error object that a gateway quotes in the message of its own; empty if there is none."""
    start = message.find("{")
    if start < 0:
        return {}
    try:
        raw, _ = json.JSONDecoder().raw_decode(message[:_LONGEST], start)
    except (ValueError, RecursionError):
        return {}
    return error_of(raw) if "error" in raw else {}


def _message(error: Mapping[str, Any]) -> str:  # Any: JSON
    detail = error.get("message") or error.get("detail") or ""
    if isinstance(detail, list):
        # FastAPI's validation errors: [{"loc": ["body", "size"], "msg": "…"}]
        parts = [item if isinstance(item, dict) else {"msg": item} for item in detail]
        said = [(".".join(map(str, part.get("loc", ()))), part.get("msg") or part.get("message", "")) for part in parts]
        detail = "; ".join(f"{place} {words}".strip() for place, words in said)
    elif isinstance(detail, dict):
        detail = detail.get("message") or str(detail)
    return one_line(str(detail), _LONGEST)


def _word(value: object) -> str | None:
    return None if value is None else one_line(str(value), 80)


_MOST_USD = 100_000.0
"""Beyond what any single request costs: a larger number is in another unit."""


def as_told(job: Job, dialect: Dialect, headers: Mapping[str, str]) -> Job:
    """Return the job with what its host tells of it, its signed addresses apart from what is written down.

    A cost of nothing is none yet while the job has not ended.
    """
    signed = tuple(filter(None, texts_below(job.raw, dialect.signed)))
    header = dialect.cost_header
    # In a header, nothing is what a question costs, also that about a finished job.
    cost = told_cost(job.raw, dialect.cost, dialect.cost_units) if header is None else usd(headers.get(header)) or None
    job = replace(
        job, usd=cost if job.status.terminal else cost or None, signed=signed, raw=without(job.raw, dialect.signed)
    )
    video = job.raw.get("video")
    if isinstance(video, dict) and video.get("respect_moderation") is False and not signed:
        said = "the video was made, and moderation keeps it back"
        return replace(job, status=JobStatus.FAILED, error_code="content_filter", error_message=said)
    return job


def told_cost(raw: Any, place: Sequence[str], units: float = 1) -> float | None:  # Any: JSON
    """Return the US dollars, each of so many `units`, that an answer says at `place` its work has cost; None for none.

    Where the account pays the maker with a key of its own (`is_byok`), the host's part is not the whole cost.
    """
    *way, last = place or ("",)
    for key in way:
        raw = raw.get(key) if isinstance(raw, dict) else None
    if not isinstance(raw, dict) or raw.get("is_byok") is True:
        return None
    return usd(raw.get(last), units)


def usd(told: object, units: float = 1) -> float | None:
    """Return the US dollars, each of so many `units`, that a server's word means; None if it can mean none."""
    amount = number(told)
    return amount / units if amount is not None and 0 <= amount <= _MOST_USD * units else None


def without(raw: Any, keys: Container[str]) -> Any:  # Any: JSON
    """Return the same JSON without these keys, at any depth."""
    if isinstance(raw, dict):
        return {key: without(value, keys) for key, value in raw.items() if key not in keys}
    return [without(each, keys) for each in raw] if isinstance(raw, list) else raw


def texts_below(raw: Any, keys: Container[str], *, within: bool = False) -> Iterator[str]:  # Any: JSON
    """Yield the texts that stand below these keys, at any depth."""
    if isinstance(raw, dict):
        for key, value in raw.items():
            yield from texts_below(value, keys, within=within or key in keys)
    elif isinstance(raw, list):
        for each in raw:
            yield from texts_below(each, keys, within=within)
    elif within and isinstance(raw, str):
        yield raw
