"""Check whether an endpoint can be used, from config and environment alone."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from urllib.parse import SplitResult, parse_qsl

from runner.config.problem import Problem
from runner.config.provider import (
    AzureOpenAIConfig,
    CompatibleConfig,
    EmulatorConfig,
    OpenAIConfig,
    ProviderConfig,
    given_key,
    is_given_key,
    servers_of,
    usual_variable,
    value_problem,
)

from .credentials import EnvironmentCredential, Keyed, check_identity, cleaned, find, is_token, variables
from .endpoint import (
    AZURE_EXAMPLE,
    OPENAI_HOST,
    api_version,
    check_environment,
    cloud_of,
    is_api_version,
    is_azure,
    is_loopback,
    resolve,
    split,
)

_USERINFO = re.compile(r"^([^/?#]*:)?(//)?[^/?#]*@")
_KEY = re.compile(r"[!-~]+")
_QUOTES = "\"'`"
_URL_KEY = "provider.base_url"
_AMBIENT = Problem(
    "OPENAI_CUSTOM_HEADERS",
    "is not used: its headers would go to every server",
    "+provider.headers.NAME=VALUE, or +provider.headers_env.NAME=VARIABLE for a secret one",
    "warning",
)


def check_endpoint(provider: ProviderConfig, env: Mapping[str, str], *, now: float | None = None) -> list[Problem]:
    """Return what keeps requests from being sent: address, credential, API version.

    `env` is the environment, `.env` included; `now` is in Unix seconds. No secret is repeated.
    """
    servers = servers_of(provider)
    if servers:
        every = (check_endpoint(server, env, now=now) for server in servers)
        each = (_at(number, problem) for number, problems in enumerate(every) for problem in problems)
        return [*dict.fromkeys(each)]
    found = list(_headers(provider, env))
    if isinstance(provider, EmulatorConfig):
        return found
    if env.get("OPENAI_CUSTOM_HEADERS"):
        found.append(_AMBIENT)
    address = list(_address(provider))
    found += address
    if not any(problem.severity == "error" for problem in address):
        found += check_environment(resolve(provider).base_url)
    if isinstance(provider, AzureOpenAIConfig):
        found += [*check_identity(provider), *_version(provider)]
    if not (isinstance(provider, AzureOpenAIConfig) and provider.auth == "entra_id"):
        found += _credential(provider, env, time.time() if now is None else now)
    return found


def _at(number: int, problem: Problem) -> Problem:
    """Return the problem of a pool's server under the key that names it."""
    if problem.key != _URL_KEY:
        return problem
    return replace(problem, key=f"provider.base_urls[{number}]", hint=(problem.hint or "").replace(f"{_URL_KEY}=", ""))


def _address(provider: Keyed) -> Iterator[Problem]:
    url = provider.base_url
    if not url:
        if isinstance(provider, AzureOpenAIConfig):
            yield Problem(_URL_KEY, f"is missing: Azure needs your resource's endpoint, for example {AZURE_EXAMPLE}",
                          "provider.base_url=URL, or export AZURE_OPENAI_ENDPOINT=URL")  # fmt: skip
        if isinstance(provider, CompatibleConfig):
            yield Problem(
                _URL_KEY, "is missing: where does the server listen?", "provider.base_url=http://HOST:8000/v1"
            )
        return
    if _USERINFO.match(url):
        yield Problem(_URL_KEY, "holds a user or password before an @, which would be written down",
                      f"remove it; the key belongs into {provider.api_key_env} or .env")  # fmt: skip
        return
    try:
        parts = split(url)
    except ValueError as error:
        example = AZURE_EXAMPLE if isinstance(provider, AzureOpenAIConfig) else "https://HOST/v1"
        yield Problem(_URL_KEY, f"{_shown(url)!r} {error}", f"for example {example}")
        return
    yield from _encryption(provider, parts)
    yield from _kind(provider, parts)
    yield from _query(provider, parts)


def _encryption(provider: Keyed, parts: SplitResult) -> Iterator[Problem]:
    keyed = bool(variables(provider))
    if keyed and parts.scheme == "http" and not is_loopback(parts.hostname) and not provider.allow_http:
        yield Problem(_URL_KEY, f"would send the key unencrypted to {parts.hostname}",
                      "use https://, or provider.allow_http=true if the network is yours")  # fmt: skip


def _kind(provider: Keyed, parts: SplitResult) -> Iterator[Problem]:
    if isinstance(provider, OpenAIConfig) and is_azure(parts.hostname):
        yield Problem(_URL_KEY, f"{parts.hostname} is an Azure resource, asked as if it were OpenAI",
                      "provider=azure_openai knows its routes and keys", "warning")  # fmt: skip
    if isinstance(provider, AzureOpenAIConfig) and parts.hostname == OPENAI_HOST:
        yield Problem(_URL_KEY, f"{OPENAI_HOST} is OpenAI's own endpoint, asked as if it were Azure",
                      "provider=openai", "warning")  # fmt: skip


def _query(provider: Keyed, parts: SplitResult) -> Iterator[Problem]:
    names = {name.lower() for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
    others = names - {"api-version"}
    if others or "=" in parts.fragment:
        # What has no value may itself be a key.
        said = ", ".join(sorted(name for name in others if f"{name}=" in parts.query.lower()))
        yield Problem(_URL_KEY, f"has a query{f' ({said})' if said else ''}, of which only api-version is accepted",
                      "remove it; a key belongs into the variable that provider.api_key_env or provider.headers_env "
                      "names")  # fmt: skip
    elif names and not isinstance(provider, AzureOpenAIConfig):
        yield Problem(_URL_KEY, "its query (api-version) is not sent", "remove it", "warning")
    lowered = parts.path.lower()
    if isinstance(provider, AzureOpenAIConfig) and "/openai/deployments/" in lowered:
        yield Problem(_URL_KEY, "names a deployment, which is not taken from there",
                      "model.deployment=NAME says what is sent", "warning")  # fmt: skip


def _headers(provider: ProviderConfig, env: Mapping[str, str]) -> Iterator[Problem]:
    for name, variable in provider.headers_env:
        key, given = f"provider.headers_env.{name}", env.get(variable, "")
        value = cleaned(given)
        reason = value_problem(value)
        if not value:
            yield Problem(key, f"{variable} is not set", f"export {variable}=…, or write {variable}=… into .env")
        elif reason is not None:
            yield Problem(key, f"{variable} {reason}", f"set {variable} again, on one line and without quotes")
        elif value != given:
            yield _cleaned(key, variable)
    names = {name.lower() for name, _ in provider.headers_env}
    sent = None if isinstance(provider, EmulatorConfig) else find(provider, env)
    if sent is not None and sent.header.lower() in names:
        yield Problem("provider.headers_env", f"{sent.header} would replace the key in {sent.source}",
                      f"leave one of the two out: headers_env, or {sent.source}")  # fmt: skip


def _cleaned(key: str, variable: str) -> Problem:
    return Problem(key, f"{variable} has quotes, blanks or line breaks around its value, which are not sent",
                   f"set {variable} again without them", "warning")  # fmt: skip


def _credential(provider: Keyed, env: Mapping[str, str], now: float) -> Iterator[Problem]:
    found = find(provider, env)
    if found is None and not variables(provider):
        return
    if found is None and is_given_key(provider.api_key_env):
        yield _unknown_key(provider, env)
        return
    if found is None:
        names = variables(provider)
        yield Problem("provider.api_key_env", f"{provider.api_key_env} is not set",
                      f"export {provider.api_key_env}=…, or write {provider.api_key_env}=… into .env"
                      + (f"; {names[0]} may hold a token instead" if len(names) > 1 else "")
                      + ("; provider.auth=entra_id needs none" if provider.kind == "azure_openai" else ""))  # fmt: skip
        return
    secret = found.secret.get_secret_value()
    if cleaned(env[found.source]) != env[found.source]:
        yield _cleaned("provider.api_key_env", found.source)
    if not _KEY.fullmatch(secret) or secret.strip(_QUOTES) != secret:
        yield Problem("provider.api_key_env", f"{found.source} holds characters that no key has, perhaps an extra line",
                      f"set {found.source} again, without quotes, spaces or line breaks")  # fmt: skip
    elif secret.startswith(f"{found.source}="):
        yield Problem("provider.api_key_env", f"{found.source} holds its own name before the key",
                      f"set {found.source} again, to what follows the equals sign")  # fmt: skip
    elif is_token(secret):
        yield from _token(found, now, cloud_of(_host(provider)).token_scope)


def _unknown_key(provider: Keyed, env: Mapping[str, str]) -> Problem:
    """Return that nobody knows here which key a program gave, and how it is said."""
    name, usual = str(provider.api_key_env), usual_variable(provider)
    hint = f"export {name}=…"
    if name == given_key(0):  # a fallback's cannot be typed
        named = f"{usual}, if that holds it" if usual and env.get(usual) else "NAME of the variable that holds it"
        hint += f", or provider.api_key_env={named}"
    message = f"{name} stands for the key that a program gave, which is not written, and is not set"
    return Problem("provider.api_key_env", message, hint)


def _token(credential: EnvironmentCredential, now: float, scope: str) -> Iterator[Problem]:
    name = credential.source
    if credential.header == "api-key":
        yield Problem("provider.auth", f"{name} holds a token, which Azure refuses as an api-key",
                      "provider.auth=auto or token", "warning")  # fmt: skip
    expiry = _expiry(credential.secret.get_secret_value())
    if expiry is not None and expiry <= now:
        yield Problem("provider.api_key_env", f"the token in {name} expired {_ago(now - expiry)} ago",
                      f"export {name}=$(az account get-access-token --scope {scope} --query accessToken -o tsv), or "
                      "provider.auth=entra_id, which renews them")  # fmt: skip


def _version(provider: AzureOpenAIConfig) -> Iterator[Problem]:
    version = api_version(provider)
    if version is not None and not is_api_version(version):
        in_url = version != provider.api_version
        yield Problem(_URL_KEY if in_url else "provider.api_version", f"{version!r} is no API version of Azure",
                      "YYYY-MM-DD, YYYY-MM-DD-preview, preview or v1; null is the v1 API")  # fmt: skip


def _host(provider: Keyed) -> str | None:
    try:
        return split(provider.base_url or "").hostname
    except ValueError:
        return None


def _shown(url: str) -> str:
    """Return `url` without its query, which may hold a secret."""
    text = url.partition("?")[0]
    return text if len(text) <= 80 else text[:79] + "…"


def _expiry(token: str) -> float | None:
    payload = token.split(".")[1]
    try:
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except ValueError:
        return None
    expiry = claims.get("exp") if isinstance(claims, dict) else None
    return float(expiry) if isinstance(expiry, int | float) else None


def _ago(seconds: float) -> str:
    minutes = int(seconds // 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h"
