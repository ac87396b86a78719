"""Turn a refusal, known by its code or words, into the error that says what happened and what to type next."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from runner.errors import (
    AuthenticationError,
    BadRequestError,
    ContentModerationError,
    ExpiredError,
    JobNotFoundError,
    ModelNotFoundError,
    ProviderError,
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
from .call import Call, categories, code_of_filter, words_of_filter


@dataclass(frozen=True, slots=True)
class Rule:
    """Describe a refusal.

    `what` and `hint` may name {host}, {action}, {model}, {endpoint}, {source}, where the credential came from, and
    {model_key}, the key by which the model is chosen there.

    Attributes:
        words: the codes that it is known by, in lower case, between blanks.
        pattern: what its message is known by.
        unsure: whether it leaves open if all runs would meet it.
    """

    kind: type[ProviderError]
    what: str
    hint: str
    words: str = ""
    pattern: str = ""
    unsure: bool = False

    def covers(self, answer: Answer, *, by_message: bool = True) -> bool:
        """Return whether the answer is this refusal, by its codes or, if it may be, `by_message`."""
        if not answer.words.isdisjoint(self.words.split()):
            return True
        return by_message and bool(self.pattern and re.search(self.pattern, answer.said, re.IGNORECASE))

    def error(self, answer: Answer, call: Call) -> ProviderError:
        """Return the error that this refusal of `call` is."""
        place = call.place
        names = {
            "host": place.host,
            "action": call.action,
            "model": call.model,
            "endpoint": place.endpoint,
            "source": place.key_source or "provider.api_key_env",
            "model_key": "model.name" if place.provider in ("openai", "emulator") else "model.deployment",
        }
        what, hint = self.what.format(**names), self.hint.format(**names)
        return answer.error(self.kind, call, what, hint, unsure=self.unsure)


_OWNER = r"(?:resource|account|organi[sz]ation|subscription|project|workspace|user|team|tenant|client)"

_BLOCKED = (
    Rule(
        AuthenticationError,
        "{host} has blocked this account or resource",
        "its mail or portal tells why and who lifts the block; the key is as it was, and nothing was created",
        words="account_deactivated account_suspended user_suspended user_banned account_blocked resourceblocked",
        pattern=rf"{_OWNER}\W+(?:[\w-]+\W+){{0,4}}?(?:blocked|suspended|deactivated|disabled|banned|terminated|locked)\b",
    ),
    Rule(
        AuthenticationError,
        "{host} wants the organization verified before it makes anything with {model}",
        "platform.openai.com/settings/organization/general: Verify Organization, which counts after some minutes; or "
        "{model_key}=NAME of a model without that condition; nothing was created",
        words="organization_not_verified organization_must_be_verified",
        pattern=r"must be verified|verify (?:your )?(?:organi[sz]ation|account|identity)|organi[sz]ation.{0,40}\bverif",
    ),
    Rule(
        AuthenticationError,
        "{host} does not serve the country or region that this machine asks from",
        "ask from a supported one, through a proxy (HTTPS_PROXY) or another provider; nothing was created",
        words="unsupported_country_region_territory unsupported_country unsupported_region",
        pattern=r"(?:country|region|location|territory).{0,40}"
        r"(?:not supported|not available|unsupported|not allowed|blocked)"
        r"|not (?:available|supported|allowed) in your (?:country|region|location|area)",
    ),
    Rule(
        AuthenticationError,
        "{host} does not admit this machine's address",
        "add the address to the allowed ones at the provider, or run where it is allowed; nothing was created",
        words="ip_not_authorized ip_not_allowed",
        pattern=r"\bip(?: address)?\b.{0,60}"
        r"(?:not (?:allowed|authori[sz]ed|permitted|whitelisted)|blocked|denied|allow ?list)",
    ),
    Rule(
        ModelNotFoundError,
        "this account may not use the model {model!r} at {host}",
        "{model_key}=NAME of one that it may use, or ask for access to this one; nothing was created",
        words="model_not_allowed model_access_denied key_model_access_denied team_model_access_denied "
        "project_model_access_denied user_model_access_denied org_model_access_denied",
        pattern=r"(?:\bnot|\bno|n't)\b.{0,40}\b(?:access|permission|allowed|authori[sz]ed|entitled).{0,40}\bmodels?\b",
    ),
    Rule(
        AuthenticationError,
        "the key from {source} is known at {host}, but may not {action}",
        "give it the permission at the provider (a restricted key lists what it may), or use another key",
        words="missing_scope insufficient_permissions insufficient_scope",
        pattern=r"missing scopes?|insufficient (?:permission|scope)|not have (?:the )?(?:permission|scope)",
    ),
)

_GATEWAY_KEY = Rule(
    AuthenticationError,
    "the gateway {host} does not know the key from {source}: it has no database and knows its master key alone",
    "provider.api_key_env=NAME of the variable that holds the gateway's master key, or give the gateway a database",
    words="no_db_connection",
)


_OTHERWISE = (404, 408, 410, 425, 429)
"""Statuses whose words are about something else."""


def worded_refusal(answer: Answer, call: Call) -> ProviderError | None:
    """Return the error for a refusal whose words say more than its status; None for all others."""
    if answer.is_page or not 400 <= answer.status < 500 or answer.status in _OTHERWISE:
        return None
    if _GATEWAY_KEY.covers(answer):
        return _GATEWAY_KEY.error(answer, call)
    # Elsewhere a message may quote a prompt that speaks of blocked users.
    forbidden = answer.status in (401, 403, 451)
    rule = next((rule for rule in _BLOCKED if rule.covers(answer, by_message=forbidden)), None)
    return None if rule is None else rule.error(answer, call)


_WORDED_RULES = (
    Rule(
        AuthenticationError,
        "{host} does not let this identity {action}",
        "give it the role Cognitive Services OpenAI User on the resource (portal: Access control); that takes minutes",
        words="permissiondenied",
        pattern=r"lacks the required data action|does not have (access|permission|the required)",
    ),
    Rule(
        AuthenticationError,
        "{host} takes no keys",
        "provider.auth=entra_id, after pip install 'mediarunner[azure]' and az login",
        words="authenticationtypedisabled",
        pattern=r"key.based authentication is disabled",
    ),
    Rule(
        AuthenticationError,
        "{host} does not admit this network",
        "allow this machine's address under the resource's Networking, or run inside its private network",
        words="publicnetworkaccessdisabled",
        pattern=r"virtual network|firewall rules|public (network )?access is disabled|private endpoint",
    ),
    Rule(
        AuthenticationError,
        "{host} belongs to another tenant than the token",
        "provider.tenant_id=TENANT with provider.auth=entra_id, or az login --tenant TENANT",
        pattern=r"tenant provided in token|token.{0,40}(does not match|wrong).{0,40}tenant|wrong issuer",
    ),
    Rule(
        QuotaError,
        "the quota of {host} is used up",
        "portal: Quotas, or the resource's pricing tier; nothing was created",
        words="quotaexceeded insufficientquota",
        pattern=r"out of call volume quota",
    ),
    Rule(
        BadRequestError,
        "{host} does not know this api-version",
        "provider.api_version=null (and no ?api-version= in provider.base_url) is the v1 API",
        words="unsupportedapiversion invalidapiversion invalidapiversionparameter apiversionunsupported",
        pattern=r"api[- ]version",
    ),
    Rule(
        ModelNotFoundError,
        "the deployment {model!r} at {host} is of a model that cannot {action}",
        "model.deployment=NAME of a deployment of the right model; the portal lists them under Deployments",
        words="operationnotsupported",
        pattern=r"does not work with the specified model|operation is unsupported",
    ),
)
_NO_RESOURCE = Rule(
    UnexpectedAnswerError,
    "{host} has no route to {action}",
    "is this the resource's own endpoint (provider.base_url, now {endpoint}), in a region that offers this model? "
    "With a dated provider.api_version: does that version have the route? null is the v1 API",
    words="resourcenotfound",
    pattern=r"resource not found",
)


def azure_refusal(answer: Answer, call: Call) -> ProviderError | None:
    """Return the error for a refusal that only Azure has; None for all that it words like OpenAI."""
    if answer.is_page or not 400 <= answer.status < 500 or answer.status in (408, 425, 429):
        return None
    rule = next((rule for rule in _WORDED_RULES if rule.covers(answer)), None)
    about_route = answer.status == 404 and call.job_id is None and call.source is None
    if rule is None and about_route and _NO_RESOURCE.covers(answer):
        rule = _NO_RESOURCE
    return None if rule is None else rule.error(answer, call)


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
    # What some servers answer where a path leads to something else of theirs, or to files.
    (lambda answer, call: answer.status == 405 and call.paid and call.source is None, _not_found),
    (lambda answer, call: call.job_id is not None and answer.says_gone, _not_found),
    # For a read, a conflict passes. A paid request was not accepted, and only a person can tell with what it
    # conflicts, so that it is not repeated.
    (lambda answer, call: answer.status in (409, 423) and not call.paid, _SERVER.error),
    (lambda _answer, _call: True, _bad_request),
)
