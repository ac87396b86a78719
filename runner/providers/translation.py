"""Turn exceptions of the SDK and its HTTP client, and answers that name nothing made, into errors of ours."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import httpx2
import openai

from runner.errors import (
    BadRequestError,
    GenerationFailedError,
    HTTPConnectionError,
    RateLimitError,
    RunnerError,
    ServerError,
    UncertainError,
)

from .answer import Answer, Redact, read_answer, shortened
from .call import Call, code_of_filter, filtered_reasons, words_of_filter
from .images import lacks_images
from .job import reason_of, says_error
from .json_answer import kept, one_line, plain, read_documents
from .refusal import filtered, refusal

# Everything up to the first byte of the request: resolving, connecting, TLS, waiting for a free connection.
_UNSENT = (
    httpx2.ConnectError,
    httpx2.ConnectTimeout,
    httpx2.PoolTimeout,
    httpx2.ProxyError,
    httpx2.UnsupportedProtocol,
)
PROXY = "unreachable_proxy"
"""The code of an `HTTPConnectionError` for a proxy that is not there, or wants a password."""

_REASONS: tuple[tuple[type[BaseException], str], ...] = (
    (socket.gaierror, "its name does not resolve"),
    (ConnectionRefusedError, "connection refused"),
    (ConnectionResetError, "connection reset"),
    (httpx2.PoolTimeout, "no connection became free in time"),
    (httpx2.ConnectTimeout, "connecting timed out"),
    (httpx2.ReadTimeout, "the answer did not come in time (provider.timeout)"),
    (httpx2.WriteTimeout, "sending timed out"),
)


def translate(error: Exception, call: Call, redact: Redact) -> RunnerError:
    """Return the error of ours that `error`, raised by `call`, amounts to."""
    if isinstance(error, RunnerError):
        return error
    if isinstance(error, openai.APIStatusError):
        return refused(error.response, call, redact)
    if type(error) is openai.APIError:
        return stream_failure(error, call, redact)
    cause = error.__cause__ if isinstance(error, openai.APIConnectionError) else None
    if isinstance(cause, RunnerError):
        # Signing failed, before anything was sent; the SDK takes that for a connection's failing too.
        return cause
    return _broken(cause or error, call, redact)


def refused(response: httpx2.Response, call: Call, redact: Redact) -> RunnerError:
    """Return the error that an error response stands for; its body was read."""
    answer = read_answer(response, redact)
    # 408 and 499 are sent by gateways too, when the service behind them may long have begun.
    if call.paid and (answer.status >= 500 or answer.status in (408, 499)):
        return uncertain(f"{call.place.host} answered {answer.status} ({answer.message})", call, answer)
    return refusal(answer, call)


def unreadable(response: httpx2.Response, call: Call, redact: Redact) -> RunnerError:
    """Return the error that a success stands for whose body is not what was asked, and nothing was paid for."""
    answer = read_answer(response, redact)
    if answer.is_page and answer.is_html:
        return refusal(answer, call)
    said = answer.message if response.content.strip() else "the answer is empty"
    what = f"{call.place.host} answered {answer.status}, but without what was asked: {said}"
    return ServerError(what, hint="nothing is paid twice by asking again", request_id=answer.request_id,
                       raw_response=answer.raw, status_code=answer.status, **call.details)  # fmt: skip


def _broken(error: BaseException, call: Call, redact: Redact) -> RunnerError:
    host, reason = call.place.host, redact(_reason(error)).rstrip(".")
    if isinstance(error, _UNSENT):
        proxy = call.place.proxy
        if proxy is not None and _failed_at_proxy(error):
            return HTTPConnectionError(
                f"{host} cannot be reached: the proxy that {proxy.variable} names ({proxy.host}) failed: {reason}; "
                "nothing was sent",
                hint=f"correct or unset {proxy.variable}, or go without it: NO_PROXY={host.partition(':')[0]}",
                code=PROXY if _is_wrong_proxy(error) else None,
                **call.details,
            )
        return HTTPConnectionError(f"{host} cannot be reached: {reason}; nothing was sent",
                                   hint=_unreached(error, call), **call.details)  # fmt: skip
    if isinstance(error, httpx2.LocalProtocolError | httpx2.InvalidURL):
        # Its own words would repeat the header that is not valid, which may be the key.
        return BadRequestError(f"the request to {host} cannot be written as HTTP; nothing was sent", **call.details)
    if call.paid:
        return uncertain(f"{host} gave no answer: {reason}", call)
    return ServerError(f"{host} gave no answer to {call.action}: {reason}",
                       hint="nothing is paid twice by asking again", **call.details)  # fmt: skip


def _failed_at_proxy(error: BaseException) -> bool:
    """Return whether the way ended at the proxy; TLS begins behind it."""
    return not isinstance(error, httpx2.PoolTimeout) and not any(isinstance(e, ssl.SSLError) for e in _causes(error))


def _is_wrong_proxy(error: BaseException) -> bool:
    """Return whether this is what a wrong setting leads to: nobody there, or a password that is wanted."""
    nobody = any(isinstance(cause, socket.gaierror | ConnectionRefusedError) for cause in _causes(error))
    return nobody or (isinstance(error, httpx2.ProxyError) and "407" in str(error))


def _unreached(error: BaseException, call: Call) -> str:
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in _causes(error)):
        return "where an authority of your own signs certificates: SSL_CERT_FILE=AUTHORITY.pem"
    hint = f"check provider.base_url (now {call.place.endpoint}) and the network"
    if call.place.azure and any(isinstance(cause, socket.gaierror) for cause in _causes(error)):
        hint += (
            "; the portal shows a resource's endpoint under Keys and Endpoint, and a private one resolves only in its"
            " own network"
        )
    return hint


def uncertain(what: str, call: Call, answer: Answer | None = None) -> UncertainError:
    """Return the error for a paid request of which nobody knows what came."""
    known = {} if answer is None else {"request_id": answer.request_id, "raw_response": answer.raw, "code": answer.code}
    error = UncertainError(
        f"{what}. The request to {call.action} was sent: it may have been carried out and charged",
        hint="it is never sent again by itself; look for it in the provider's list of jobs or usage",
        **call.details,
        **known,
    )
    if answer is not None and answer.status >= 400:
        error.shared = None  # a gateway whose backend is down answers all runs so
    return error


def _reason(error: BaseException) -> str:
    causes = list(_causes(error))
    for kind, reason in _REASONS:
        if any(isinstance(cause, kind) for cause in causes):
            return reason
    tls = next((cause for cause in causes if isinstance(cause, ssl.SSLError)), None)
    if tls is not None:
        return f"TLS failed: {one_line(getattr(tls, 'verify_message', None) or str(tls))}"
    return one_line(str(error)) or type(error).__name__


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield `error` and all that led to it; anyio groups one failure per address it tried."""
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for member in error.exceptions:
                yield from _causes(member)
        error = error.__cause__ or error.__context__


def stream_failure(error: openai.APIError, call: Call, redact: Redact) -> RunnerError:
    """Return what the error event of a stream means: the generation was begun and has failed, as a job fails."""
    body = kept(error.body, redact) if isinstance(error.body, dict) else {}
    code = body.get("code") or body.get("type")
    said = one_line(redact(error.message))
    # Any: keyword arguments of the errors
    details: dict[str, Any] = {**call.details, "code": None if code is None else one_line(str(code), 80)}
    if code_of_filter(body.get("code"), body.get("type")) or words_of_filter(error.message):
        return filtered(call, said, _BEGUN, details, body)
    return GenerationFailedError(
        f"{call.place.host} began to {call.action} and failed: {said}",
        hint=f"it is not sent again by itself; {_BEGUN}", **details,
    )  # fmt: skip


_BEGUN = "what was begun may be charged"

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
    answer = read_answer(shortened(response, _MOST_SHOWN), redact)
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
        # Without an HTTP status: it struck in the middle of the work, which may be charged.
        reasons = "; ".join(dict.fromkeys(filter(None, (said, *taken))))
        return filtered(call, reasons, _BEGUN, answer.details(call))
    words = (plain(str(word)) for word in (code, answer.code, answer.type) if word)
    status = next((_REFUSING[word] for word in words if word in _REFUSING), None)
    if failed and status is not None:
        return _refused(replace(answer, status=status), call)
    if empty and not (failed and _is_null(raw)):
        return _empty(said, answer, call)
    if answer.is_page and answer.is_html:
        return refusal(answer, call)
    return uncertain(
        f"{call.place.host} answered {answer.status}, but without what was asked: {answer.message}", call, answer
    )


def _refused(answer: Answer, call: Call) -> RunnerError:
    error = refusal(answer, call)
    if not isinstance(error, RateLimitError):
        return error
    # A server that reports an error within a success is not trusted enough to pay again without being asked to.
    patient = BadRequestError(
        f"{call.place.host} refused to {call.action} for now: {answer.message}",
        hint="nothing was created; resume --retry-failed sends it again",
        **answer.details(call),
    )
    patient.retryable = True
    return patient


def _empty(said: str | None, answer: Answer, call: Call) -> RunnerError:
    return GenerationFailedError(
        f"{call.place.host} answered {answer.status} without any image: {said or 'no reason is given'}",
        hint=f"it is not sent again by itself; {_BEGUN}",
        **answer.details(call),
    )


def _is_null(raw: object) -> bool:
    """Return whether an answer has no list for images, but nothing in its place."""
    return isinstance(raw, dict) and not any(isinstance(value, list) for value in raw.values())
