"""Know refusals by their codes or words, whatever their status: those of many makers, and those of Azure alone."""

from __future__ import annotations

import re
from dataclasses import dataclass

from runner.errors import (
    AuthenticationError,
    BadRequestError,
    ModelNotFoundError,
    ProviderError,
    QuotaError,
    UnexpectedAnswerError,
)

from .answer import Answer
from .call import Call


@dataclass(frozen=True, slots=True)
class Rule:
    """Describe a refusal, known by a code or by words of its message.

    `what` and `hint` may name {host}, {action}, {model}, {endpoint}, {source}, where the credential came from, and
    {model_key}, the key by which the model is chosen there.
    """

    kind: type[ProviderError]
    words: frozenset[str]
    pattern: re.Pattern[str] | None
    what: str
    hint: str

    def covers(self, answer: Answer) -> bool:
        """Return whether the answer is this refusal, by its codes or its message."""
        return bool(answer.words & self.words) or (
            self.pattern is not None and self.pattern.search(answer.said) is not None
        )

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
        return self.kind(
            f"{self.what.format(**names)} ({answer.status}): {answer.message}",
            hint=self.hint.format(**names),
            code=answer.code or answer.type,
            request_id=answer.request_id,
            raw_response=answer.raw,
            status_code=answer.status,
            **call.details,
        )


def rule_for(kind: type[ProviderError], words: str, pattern: str, what: str, hint: str) -> Rule:
    """Return the rule for codes (`words`, in lower case, between blanks) and a pattern of the message (or none)."""
    return Rule(kind, frozenset(words.split()), re.compile(pattern, re.IGNORECASE) if pattern else None, what, hint)


_OWNER = r"(?:resource|account|organi[sz]ation|subscription|project|workspace|user|team|tenant|client)"

_FORBIDDEN = (
    rule_for(
        AuthenticationError,
        "account_deactivated account_suspended user_suspended user_banned account_blocked resourceblocked",
        rf"{_OWNER}\W+(?:[\w-]+\W+){{0,4}}?(?:blocked|suspended|deactivated|disabled|banned|terminated|locked)\b",
        "{host} has blocked this account or resource",
        "its mail or portal tells why and who lifts the block; the key is as it was, and nothing was created",
    ),
    rule_for(
        AuthenticationError,
        "organization_not_verified organization_must_be_verified",
        r"must be verified|verify (?:your )?(?:organi[sz]ation|account|identity)|organi[sz]ation.{0,40}\bverif",
        "{host} wants the organization verified before it makes anything with {model}",
        "platform.openai.com/settings/organization/general: Verify Organization, which counts after some minutes; or "
        "{model_key}=NAME of a model without that condition; nothing was created",
    ),
    rule_for(
        AuthenticationError,
        "unsupported_country_region_territory unsupported_country unsupported_region",
        r"(?:country|region|location|territory).{0,40}(?:not supported|not available|unsupported|not allowed|blocked)"
        r"|not (?:available|supported|allowed) in your (?:country|region|location|area)",
        "{host} does not serve the country or region that this machine asks from",
        "ask from a supported one, through a proxy (HTTPS_PROXY) or another provider; nothing was created",
    ),
    rule_for(
        AuthenticationError,
        "ip_not_authorized ip_not_allowed",
        r"\bip(?: address)?\b.{0,60}(?:not (?:allowed|authori[sz]ed|permitted|whitelisted)|blocked|denied|allow ?list)",
        "{host} does not admit this machine's address",
        "add the address to the allowed ones at the provider, or run where it is allowed; nothing was created",
    ),
    rule_for(
        ModelNotFoundError,
        "model_not_allowed model_access_denied key_model_access_denied team_model_access_denied "
        "project_model_access_denied user_model_access_denied org_model_access_denied",
        r"(?:\bnot|\bno|n't)\b.{0,40}\b(?:access|permission|allowed|authori[sz]ed|entitled).{0,40}\bmodels?\b",
        "this account may not use the model {model!r} at {host}",
        "{model_key}=NAME of one that it may use, or ask for access to this one; nothing was created",
    ),
    rule_for(
        AuthenticationError,
        "missing_scope insufficient_permissions insufficient_scope",
        r"missing scopes?|insufficient (?:permission|scope)|not have (?:the )?(?:permission|scope)",
        "the key from {source} is known at {host}, but may not {action}",
        "give it the permission at the provider (a restricted key lists what it may), or use another key",
    ),
)

_GATEWAY_KEY = rule_for(
    AuthenticationError,
    "no_db_connection",
    "",
    "the gateway {host} does not know the key from {source}: it has no database and knows its master key alone",
    "provider.api_key_env=NAME of the variable that holds the gateway's master key, or give the gateway a database",
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
    rule = next((rule for rule in _FORBIDDEN if answer.words & rule.words or (forbidden and rule.covers(answer))), None)
    return None if rule is None else rule.error(answer, call)


_RULES = (
    rule_for(
        AuthenticationError,
        "permissiondenied",
        r"lacks the required data action|does not have (access|permission|the required)",
        "{host} does not let this identity {action}",
        "give it the role Cognitive Services OpenAI User on the resource (portal: Access control); that takes minutes",
    ),
    rule_for(
        AuthenticationError,
        "authenticationtypedisabled",
        r"key.based authentication is disabled",
        "{host} takes no keys",
        "provider.auth=entra_id, after pip install 'mediarunner[azure]' and az login",
    ),
    rule_for(
        AuthenticationError,
        "publicnetworkaccessdisabled",
        r"virtual network|firewall rules|public (network )?access is disabled|private endpoint",
        "{host} does not admit this network",
        "allow this machine's address under the resource's Networking, or run inside its private network",
    ),
    rule_for(
        AuthenticationError,
        "",
        r"tenant provided in token|token.{0,40}(does not match|wrong).{0,40}tenant|wrong issuer",
        "{host} belongs to another tenant than the token",
        "provider.tenant_id=TENANT with provider.auth=entra_id, or az login --tenant TENANT",
    ),
    rule_for(
        QuotaError,
        "quotaexceeded insufficientquota",
        r"out of call volume quota",
        "the quota of {host} is used up",
        "portal: Quotas, or the resource's pricing tier; nothing was created",
    ),
    rule_for(
        BadRequestError,
        "unsupportedapiversion invalidapiversion invalidapiversionparameter apiversionunsupported",
        r"api[- ]version",
        "{host} does not know this api-version",
        "provider.api_version=null (and no ?api-version= in provider.base_url) is the v1 API",
    ),
    rule_for(
        ModelNotFoundError,
        "operationnotsupported",
        r"does not work with the specified model|operation is unsupported",
        "the deployment {model!r} at {host} is of a model that cannot {action}",
        "model.deployment=NAME of a deployment of the right model; the portal lists them under Deployments",
    ),
)
_NO_RESOURCE = rule_for(
    UnexpectedAnswerError,
    "resourcenotfound",
    r"resource not found",
    "{host} has no route to {action}",
    "is this the resource's own endpoint (provider.base_url, now {endpoint}), in a region that offers this model? "
    "With a dated provider.api_version: does that version have the route? null is the v1 API",
)


def azure_refusal(answer: Answer, call: Call) -> ProviderError | None:
    """Return the error for a refusal that only Azure has; None for all that it words like OpenAI."""
    if answer.is_page or not 400 <= answer.status < 500 or answer.status in (408, 425, 429):
        return None
    rule = next((rule for rule in _RULES if rule.covers(answer)), None)
    about_route = answer.status == 404 and call.job_id is None and call.source is None
    if rule is None and about_route and _NO_RESOURCE.covers(answer):
        rule = _NO_RESOURCE
    return None if rule is None else rule.error(answer, call)
