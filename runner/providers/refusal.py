"""An endpoint's refusal as the error that says what happened and what to type next."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runner.errors import (
    AuthenticationError,
    BadRequestError,
    ContentModerationError,
    ExpiredError,
    ModelNotFoundError,
    ProviderError,
    QuotaError,
    RateLimitError,
    RunnerError,
    ServerError,
    UncertainError,
    UnexpectedAnswerError,
)

from .answer import Answer, error_of
from .azure_refusal import azure_refusal
from .base import PAGE
from .call import Call
from .content_filter import categories

MODERATED = ("content_filter", "content_policy", "contentfilter", "moderation", "responsibleai", "safety", "sentinel")
"""Parts of the codes by which servers say that a filter struck."""
_QUOTA = frozenset({"billing_hard_limit_reached", "billing_not_active", "insufficient_balance", "insufficient_quota"})
_NO_MODEL = frozenset({"deploymentnotfound", "model_not_found", "modelnotfound", "invalid_model"})


def refusal(answer: Answer, call: Call) -> RunnerError:
    """The error for an answer that is no success, or no answer of the API's."""
    special = azure_refusal(answer, call) if call.place.azure else None
    return special or next(make for applies, make in _RULES if applies(answer, call))(answer, call)


def _details(answer: Answer, call: Call) -> dict[str, Any]:  # Any: keyword arguments of the errors
    code = answer.code or answer.type
    return {**call.details, "code": code, "request_id": answer.request_id, "raw_response": answer.raw,
            "status_code": answer.status}  # fmt: skip


def _bad_request(answer: Answer, call: Call) -> ProviderError:
    return BadRequestError(
        f"{call.place.host} refused to {call.action} ({answer.status}): {answer.message}",
        hint="nothing was created" if call.paid else None,
        **_details(answer, call),
    )


def _quota(answer: Answer, call: Call) -> ProviderError:
    return QuotaError(
        f"the account's quota at {call.place.host} is used up ({answer.status}): {answer.message}",
        hint="check plan and billing at the provider; nothing was created",
        **_details(answer, call),
    )


def _rate_limit(answer: Answer, call: Call) -> ProviderError:
    running = any(word in answer.message.lower() for word in ("running", "concurrent", "in progress"))
    key = "provider.max_concurrent_jobs" if running else "provider.requests_per_minute"
    return RateLimitError(
        f"{call.place.host} asks to wait ({answer.status}): {answer.message}",
        hint=f"nothing was created; it is tried again, and a lower {key} avoids it",
        retry_after=answer.retry_after,
        exhausted=answer.exhausted and not running,
        **_details(answer, call),
    )


def _server(answer: Answer, call: Call) -> ProviderError:
    return ServerError(
        f"{call.place.host} could not {call.action} just now ({answer.status}): {answer.message}",
        hint="nothing is paid twice by asking again",
        **_details(answer, call),
    )


def _page(answer: Answer, call: Call) -> ProviderError | UncertainError:
    if answer.location and 300 <= answer.status < 400:
        what = f"redirected ({answer.status}) instead of answering"
    else:
        what = f"answered with a page instead of the API's JSON ({answer.status}): {answer.message!r}"
    if call.paid and 200 <= answer.status < 300:
        # Whoever said yes may have passed the request on before it lost the answer.
        return UncertainError(
            f"{call.place.host} {what}; the request to {call.action} may have been carried out and charged",
            hint=f"is provider.base_url right? now {call.place.endpoint}; it is never sent again by itself",
            code=PAGE,
            **call.details,
        )
    return UnexpectedAnswerError(
        f"{call.place.host} {what}",
        hint=f"is provider.base_url right? now {call.place.endpoint}; or a proxy or login page stands before it",
        **_details(answer, call),
    )


def _moderation(answer: Answer, call: Call) -> ProviderError:
    found = categories(answer.inner, error_of(answer.raw))
    because = f" for {', '.join(found)}" if found else ""
    return ContentModerationError(
        f"{call.place.host}'s content filter refused to {call.action}{because}: {answer.message}",
        hint="change request.prompt or the input image; nothing was created",
        **_details(answer, call),
    )


def _authentication(answer: Answer, call: Call) -> ProviderError:
    place = call.place
    if not place.key_source:
        return AuthenticationError(
            f"{place.host} wants a key, and none is configured ({answer.status}): {answer.message}",
            hint="provider.api_key_env=NAME, the variable that holds it",
            **_details(answer, call),
        )
    source = place.key_source
    hint = f"check {source}: is it this endpoint's, and does it hold the whole key?"
    if place.azure and place.sends_api_key:
        hint += " A token of Entra ID is refused as an api-key: provider.auth=token sends it as one"
    elif place.entra:
        hint = (
            "is the token for this resource? az account show tells whose tenant you are signed in to "
            "(provider.tenant_id); provider.token_scope is what tokens are asked for"
        )
    elif place.azure:
        hint += " Tokens live about an hour: az account get-access-token makes a new one, provider.auth=entra_id renews"
    return AuthenticationError(
        f"{place.host} refused the credential from {source} ({answer.status}): {answer.message}",
        hint=hint,
        **_details(answer, call),
    )


def _not_found(answer: Answer, call: Call) -> RunnerError:
    place = call.place
    if call.job_id is not None:
        details = {name: value for name, value in _details(answer, call).items() if name != "status_code"}
        details["code"] = details["code"] or ("gone" if answer.status == 410 else "not_found")
        return ExpiredError(
            f"{place.host} knows no job {call.job_id} ({answer.status}): {answer.message}",
            hint="it was deleted there, has expired, or belongs to another endpoint or account",
            **details,
        )
    if call.source is not None:
        return BadRequestError(
            f"{place.host} has no video {call.source} to start from ({answer.status}): {answer.message}",
            hint="request.video=ID of a finished video of the same endpoint and account",
            **_details(answer, call),
        )
    if answer.words & _NO_MODEL or "video_generation_user_error" in answer.words:
        hint = "model.deployment=NAME, as your Azure resource calls it" if place.azure else "model.name=NAME"
        noun = "deployment" if place.azure else "model"
        return ModelNotFoundError(
            f"{place.host} has no {noun} {call.model!r} ({answer.status}): {answer.message}",
            hint=hint,
            **_details(answer, call),
        )
    return UnexpectedAnswerError(
        f"{place.host} has no route to {call.action} ({answer.status}): {answer.message}",
        hint=f"check provider.base_url (now {place.endpoint})"
        + (" and provider.api_version" if place.azure else "; most servers want it to end in /v1"),
        **_details(answer, call),
    )


_Rule = tuple[Callable[[Answer, Call], bool], Callable[[Answer, Call], RunnerError]]

# The first that applies. Codes come before the status, which servers choose freely; pages come before the statuses
# whose errors speak of keys and models, as a page was not sent by the API.
_RULES: tuple[_Rule, ...] = (
    (lambda answer, _: bool(answer.words & _QUOTA) or answer.status == 402, _quota),
    # 425 Too Early: refused unprocessed, like a 429.
    (lambda answer, _: answer.status in (425, 429), _rate_limit),
    (lambda answer, _: answer.status >= 500 or answer.status == 408, _server),
    (lambda answer, _: answer.is_page or answer.status < 400, _page),
    (lambda answer, _: any(part in word for word in answer.words for part in MODERATED), _moderation),
    (lambda answer, _: answer.status in (401, 403), _authentication),
    (lambda answer, _: answer.status in (404, 410), _not_found),
    # A conflict passes for who only reads. A paid request was not accepted, and only a person can tell with what it
    # conflicts, so that it is not repeated.
    (lambda answer, call: answer.status in (409, 423) and not call.paid, _server),
    (lambda _answer, _call: True, _bad_request),
)
