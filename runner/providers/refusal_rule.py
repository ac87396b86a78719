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

_FORBIDDEN = (
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
    rule = next((rule for rule in _FORBIDDEN if rule.covers(answer, by_message=forbidden)), None)
    return None if rule is None else rule.error(answer, call)


_RULES = (
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
    rule = next((rule for rule in _RULES if rule.covers(answer)), None)
    about_route = answer.status == 404 and call.job_id is None and call.source is None
    if rule is None and about_route and _NO_RESOURCE.covers(answer):
        rule = _NO_RESOURCE
    return None if rule is None else rule.error(answer, call)
