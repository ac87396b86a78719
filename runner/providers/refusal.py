"""Turn an endpoint's refusal into the error that says what happened and what to type next."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from runner.errors import (
    AuthenticationError,
    BadRequestError,
    ContentModerationError,
    ExpiredError,
    JobNotFoundError,
    ModelNotFoundError,
    QuotaError,
    RateLimitError,
    RunnerError,
    ServerError,
    UncertainError,
    UnexpectedAnswerError,
)

from .allowance import about_jobs, about_quota, about_rate, too_large
from .answer import Answer, error_of
from .base import PAGE
from .call import Call
from .content_filter import categories, code_of_filter, words_of_filter
from .refusal_rule import Rule, azure_refusal, worded_refusal

_NO_MODEL = frozenset({
    "deploymentnotfound", "deployment_not_found", "model_not_found", "modelnotfound", "invalid_model", "unknown_model",
})  # fmt: skip
_INVALID_MODEL = re.compile(
    r"invalid model name|model mismatch: request specifies|llm provider not provided|is not a valid model id",
    re.IGNORECASE,
)
"""What LiteLLM, vLLM-Omni and OpenRouter say of a model that they do not serve."""
_UNKNOWN_MODEL = re.compile(
    r"\b(?:unknown|no such) (?:model|deployment)\b"
    r"|\b(?:model|deployment)\b.{0,160}\b(?:does ?n[o']t exist|not exist|not found|not (?:served|deployed|loaded))\b",
    re.IGNORECASE | re.DOTALL,
)
_SERVED = re.compile(r"server is running '([^'\s]+)'")
_UNKNOWN_KEYS = frozenset({"auth_error", "expired_key", "invalid_api_key", "token_not_found_in_db"})
"""Codes by which gateways refuse a key, with whatever status."""
_ABOUT_KEY = re.compile(
    r"api[ _-]?key|\bkey\b|token|credential|authenti|unauthori[sz]ed|signature|bearer", re.IGNORECASE
)
_OF_THE_ADDRESS = frozenset({401, 404, 405, 407, 410})
"""Statuses of pages that come whatever the request holds: a wrong address, a page to sign in."""


def refusal(answer: Answer, call: Call) -> RunnerError:
    """Return the error for an answer that is no success, or no answer of the API's."""
    special = azure_refusal(answer, call) if call.place.azure else None
    if special is None and not _is_about_quota(answer):
        special = worded_refusal(answer, call)
    return special or next(make for applies, make in _RULES if applies(answer, call))(answer, call)


def _is_about_quota(answer: Answer) -> bool:
    return about_quota(answer.status, answer.words, answer.said)


def _bad_request(answer: Answer, call: Call) -> RunnerError:
    what = f"{call.place.host} refused to {call.action}"
    return answer.error(BadRequestError, call, what, "nothing was created" if call.paid else None)


def _rate_limit(answer: Answer, call: Call) -> RunnerError:
    crowded = about_jobs(answer.said)
    exhausted = not crowded and (answer.exhausted or about_rate(answer.words, answer.said))
    key = "provider.max_concurrent_jobs" if crowded else "provider.requests_per_minute"
    hint = f"nothing was created; it is tried again, and a lower {key} avoids it"
    limits = {"retry_after": answer.retry_after, "exhausted": exhausted, "crowded": crowded}
    return answer.error(RateLimitError, call, f"{call.place.host} asks to wait", hint, **limits)


def _page(answer: Answer, call: Call) -> RunnerError:
    if answer.location and 300 <= answer.status < 400:
        what = f"redirected ({answer.status}) instead of answering"
    else:
        what = f"answered with a page instead of the API's JSON ({answer.status}): {answer.message!r}"
    if call.paid and 200 <= answer.status < 300:
        # A server that answered with success may have passed the request on before it lost the answer.
        return UncertainError(
            f"{call.place.host} {what}; the request to {call.action} may have been carried out and charged",
            hint=f"is provider.base_url right? now {call.place.endpoint}; it is never sent again by itself",
            code=PAGE,
            **call.details,
        )
    alike = answer.status < 400 or answer.status in _OF_THE_ADDRESS
    hint = f"is provider.base_url right? now {call.place.endpoint}; or a proxy or login page stands before it"
    if not alike:
        hint = f"a firewall or gateway before the API may reject this prompt or image; if it rejects every one: {hint}"
    known = {**answer.details(call), "status_code": answer.status}
    return UnexpectedAnswerError(f"{call.place.host} {what}", hint=hint, unsure=not alike, **known)


def filtered(
    call: Call, said: str, outcome: str, details: Mapping[str, Any], *nodes: object
) -> ContentModerationError:  # Any: keyword arguments of the errors
    """Return the error for a content filter that struck; `nodes` are the JSON objects that may tell which one."""
    found = categories(*nodes)
    because = f" for {', '.join(found)}" if found else ""
    return ContentModerationError(
        f"{call.place.host}'s content filter refused to {call.action}{because}: {said}",
        hint=f"change request.prompt or the input image; {outcome}",
        **details,
    )


def _moderation(answer: Answer, call: Call) -> RunnerError:
    details = {**answer.details(call), "status_code": answer.status}
    return filtered(call, answer.message, "nothing was created", details, answer.inner, error_of(answer.raw))


_NO_KEY = Rule(
    AuthenticationError,
    "{host} wants a key, and none is configured",
    "provider.api_key_env=NAME, the variable that holds it",
)


def _authentication(answer: Answer, call: Call) -> RunnerError:
    place = call.place
    source = place.key_source
    if not source:
        return _NO_KEY.error(answer, call)
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
    return answer.error(AuthenticationError, call, f"{place.host} refused the credential from {source}", hint)


def _no_model(answer: Answer, call: Call) -> RunnerError:
    place = call.place
    hint = "model.deployment=NAME, as your Azure resource calls it" if place.azure else "model.name=NAME"
    if place.provider == "compatible":
        served = _SERVED.search(answer.said)
        name = served[1] if served else "NAME, as this server calls it; doctor, with the same options, lists the names"
        hint = f"model.deployment={name}"
    noun = "deployment" if place.azure else "model"
    return answer.error(ModelNotFoundError, call, f"{place.host} has no {noun} {call.model!r}", hint)


def _absent(answer: Answer, call: Call) -> RunnerError:
    """Return what a 404 means: it may pass, or come of another key; only plain words are final."""
    details = answer.details(call)
    details["code"] = details["code"] or ("gone" if answer.status == 410 else "not_found")
    if answer.says_gone:
        return ExpiredError(f"{call.place.host} no longer keeps job {call.job_id}: {answer.message}", **details)
    source = call.place.key_source
    key = f"the key in {source} is another account's" if source else "another account asks"
    return answer.error(
        JobNotFoundError,
        call,
        f"{call.place.host} knows no job {call.job_id}",
        f"its id is kept, and nothing is paid twice; perhaps {key}, provider.base_url is another endpoint or "
        "region, the gateway is being redeployed, or the job was deleted there; resume looks again",
        server_time=answer.server_time,
        code=details["code"],
    )


def _not_found(answer: Answer, call: Call) -> RunnerError:
    place = call.place
    if call.job_id is not None:
        return _absent(answer, call)
    if call.source is not None:
        hint = "request.video=ID of a finished video of the same endpoint and account"
        return answer.error(BadRequestError, call, f"{place.host} has no video {call.source} to start from", hint)
    if "video_generation_user_error" in answer.words:
        return _no_model(answer, call)
    advice = " and provider.api_version" if place.azure else "; most servers want it to end in /v1"
    hint = f"check provider.base_url (now {place.endpoint}){advice}"
    return answer.error(UnexpectedAnswerError, call, f"{place.host} has no route to {call.action}", hint)


def _lacks_model(answer: Answer, call: Call) -> bool:
    if call.job_id is not None or call.source is not None:
        return False
    # Many say so with 400 and no code of their own. A message may quote the prompt: it must name the model, too.
    named = call.model is not None and call.model in answer.said and _UNKNOWN_MODEL.search(answer.said) is not None
    return named or _INVALID_MODEL.search(answer.said) is not None or bool(answer.words & _NO_MODEL)


def _is_about_key(answer: Answer, call: Call) -> bool:
    return answer.status == 403 and (not call.place.key_source or _ABOUT_KEY.search(answer.said) is not None)


_TOO_LARGE = Rule(
    BadRequestError,
    "what this run sends is too large for {host}",
    "smaller input images (request.image_list), or a higher limit where the server or a proxy before it sets one; "
    "nothing was created",
)
_ASKS_TOO_MUCH = Rule(
    BadRequestError,
    "this run asks {host} for more than it ever gives at once",
    "ask for less: fewer images, a smaller size or fewer input images; nothing was created",
)
_QUOTA = Rule(
    QuotaError,
    "the account's quota at {host} is used up",
    "check plan and billing at the provider; nothing was created",
)
_SERVER = Rule(ServerError, "{host} could not {action} just now", "nothing is paid twice by asking again")
_FORBIDDEN = Rule(
    AuthenticationError,
    "{host} does not allow to {action}",
    "the words are the server's: a right that the account or key lacks, or something in this request; nothing was "
    "created",
    unsure=True,
)

# The first that applies. Codes come before the status, which servers choose freely; pages come before the statuses
# whose errors speak of keys and models, as a page was not sent by the API.
_RULES: tuple[tuple[Callable[[Answer, Call], bool], Callable[[Answer, Call], RunnerError]], ...] = (
    (lambda answer, _: answer.status == 413, _TOO_LARGE.error),
    (lambda answer, _: answer.status < 500 and _is_about_quota(answer), _QUOTA.error),
    (lambda answer, _: answer.status == 429 and too_large(answer.said), _ASKS_TOO_MUCH.error),
    # A server that says when it will be back may be asked again then; who paid may have been served.
    (lambda answer, call: answer.status == 503 and answer.retry_after is not None and not call.paid, _rate_limit),
    # 425 Too Early: refused unprocessed, like a 429.
    (lambda answer, _: answer.status in (425, 429), _rate_limit),
    (lambda answer, _: answer.status >= 500 or answer.status == 408, _SERVER.error),
    (lambda answer, _: answer.is_page or answer.status < 400, _page),
    (lambda answer, _: code_of_filter(*answer.words), _moderation),
    (lambda answer, _: answer.status in (403, 451) and words_of_filter(answer.said), _moderation),
    (lambda answer, _: answer.status == 401 or bool(answer.words & _UNKNOWN_KEYS), _authentication),
    (_is_about_key, _authentication),
    (lambda answer, _: answer.status in (403, 451), _FORBIDDEN.error),
    (_lacks_model, _no_model),
    (lambda answer, _: answer.status in (404, 410), _not_found),
    (lambda answer, call: call.job_id is not None and answer.says_gone, _not_found),
    # For a read, a conflict passes. A paid request was not accepted, and only a person can tell with what it
    # conflicts, so that it is not repeated.
    (lambda answer, call: answer.status in (409, 423) and not call.paid, _SERVER.error),
    (lambda _answer, _call: True, _bad_request),
)
