"""A success that answers a paid request and names neither job nor image: what it means, and what is kept of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import httpx2

from runner.errors import (
    BadRequestError,
    ContentModerationError,
    GenerationFailedError,
    RateLimitError,
    RunnerError,
    UncertainError,
)

from .answer import Answer, Redact, read_answer
from .call import Call
from .content_filter import code_of_filter, filtered_reasons, words_of_filter
from .excerpt import one_line
from .images import lacks_images
from .job import reason_of, says_error
from .json_answer import plain, read_documents
from .refusal import refusal
from .translation import translate, uncertain

_REFUSING = {
    "invalidrequest": 400, "invalidrequesterror": 400, "invalidparameter": 400, "invalidparametererror": 400,
    "invalidargument": 400, "badrequest": 400, "authenticationerror": 401, "invalidapikey": 401, "unauthorized": 401,
    "insufficientquota": 402, "insufficientbalance": 402, "permissiondenied": 403, "permissionerror": 403,
    "notfounderror": 404, "modelnotfound": 404, "ratelimitexceeded": 429, "ratelimiterror": 429,
    "toomanyrequests": 429, "validationerror": 422, **{str(code): code for code in
    (400, 401, 402, 403, 404, 405, 413, 415, 422, 429)},
}  # fmt: skip
"""The HTTP statuses that codes stand for by which a request is refused before any work."""

_MOST_SHOWN = 100_000
_MOST_SEARCHED = 4 * 1024**2


def no_use(
    response: httpx2.Response,
    documents: Sequence[Any],  # Any: JSON
    call: Call,
    redact: Redact,
    *,
    broken: Exception | None = None,
    prompt: str = "",
    images: bool = False,
) -> RunnerError:
    """Return the error for a success that answers a paid request without what was asked for.

    `documents` are its JSON; `broken` is why it may not be all there; `images` are what was asked for. Where it is not
    certain that nothing was created, the error has the answer itself.
    """
    content = response.content
    if broken is not None:
        error = translate(broken, call, redact)
    else:
        error = _meaning(response, documents[-1] if documents else None, call, redact, prompt, images=images)
    if isinstance(error, UncertainError) and content.strip():
        error.answer = kept_content(content, redact)
    return error


def kept_content(content: bytes, redact: Redact) -> bytes:
    """Return an answer as it came, without secrets that stand in it in any spelling."""
    text = content.decode("latin-1")
    clean = redact(text)
    content = content if clean is text or clean == text else clean.encode("latin-1", errors="replace")
    if b"\\u" in content[:_MOST_SEARCHED]:
        # JSON can spell every letter of a key by its number.
        told = read_documents(content, lambda each: each)
        safe = read_documents(content, redact)
        if told != safe:
            return json.dumps(safe[0] if len(safe) == 1 else safe).encode()
    return content


def _meaning(
    response: httpx2.Response, raw: object, call: Call, redact: Redact, prompt: str, *, images: bool
) -> RunnerError:
    code, said = reason_of(raw)
    shown = httpx2.Response(
        response.status_code, headers=response.headers, content=response.content[:_MOST_SHOWN], request=response.request
    )
    answer = read_answer(shown, redact)
    if said is not None:
        answer = replace(answer, message=said, said=said, code=answer.code or code)
    if raw is not None:
        answer = replace(answer, is_page=False, is_html=False)
    elif b"\0" in response.content[:_MOST_SHOWN]:
        kind = one_line(response.headers.get("content-type") or "an unknown kind", 80)
        answer = replace(answer, message=f"{len(response.content):,} bytes of {kind}", is_page=False, is_html=False)
    failed, empty = says_error(raw), images and lacks_images(raw)
    taken = filtered_reasons(raw)
    if taken or ((failed or empty) and (code_of_filter(code, answer.type) or words_of_filter(said, prompt))):
        return _filtered("; ".join(dict.fromkeys(filter(None, (said, *taken)))), answer, call)
    status = _refused_with(answer, code) if failed else None
    if status is not None:
        return _refused(replace(answer, status=status), call)
    if empty and not (failed and _is_null(raw)):
        return _empty(said, answer, call)
    if answer.is_page and answer.is_html:
        return refusal(answer, call)
    return uncertain(
        f"{call.place.host} answered {answer.status}, but without what was asked: {answer.message}", call, answer
    )


def _refused_with(answer: Answer, code: str | None) -> int | None:
    """The HTTP status that the error in a success should have had, if it says for certain that nothing was created."""
    words = (plain(str(word)) for word in (code, answer.code, answer.type) if word)
    return next((_REFUSING[word] for word in words if word in _REFUSING), None)


def _refused(answer: Answer, call: Call) -> RunnerError:
    error = refusal(answer, call)
    if not isinstance(error, RateLimitError):
        return error
    # Whoever says yes and means no is not trusted so far that it is paid again without being asked for.
    patient = BadRequestError(
        f"{call.place.host} refused to {call.action} for now: {answer.message}",
        hint="nothing was created; resume --retry-failed sends it again",
        code=error.code,
        request_id=error.request_id,
        raw_response=error.raw_response,
        **call.details,
    )
    patient.retryable = True
    return patient


def _filtered(said: str, answer: Answer, call: Call) -> RunnerError:
    # Without an HTTP status: it struck in the middle of the work, which may be charged.
    return ContentModerationError(
        f"{call.place.host}'s content filter refused to {call.action}: {said}",
        hint="change request.prompt or the input image; what was begun may be charged",
        **_details(answer, call),
    )


def _empty(said: str | None, answer: Answer, call: Call) -> RunnerError:
    return GenerationFailedError(
        f"{call.place.host} answered {answer.status} without any image: {said or 'no reason is given'}",
        hint="it is not sent again by itself; what was begun may be charged",
        **_details(answer, call),
    )


def _is_null(raw: object) -> bool:
    """Return whether an answer has no list for images, but nothing in its place."""
    return isinstance(raw, dict) and not any(isinstance(value, list) for value in raw.values())


def _details(answer: Answer, call: Call) -> dict[str, Any]:  # Any: keyword arguments of the errors
    return {**call.details, "code": answer.code or answer.type, "request_id": answer.request_id,
            "raw_response": answer.raw}  # fmt: skip
