"""Azure's own ways of refusing, each with what to do about it in the portal or the config."""

from __future__ import annotations

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
from .refusal_rule import rule_for

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
