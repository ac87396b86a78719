"""Find the credential that a provider sends, a key or a token of Microsoft Entra ID, and sign requests with it."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import re
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from importlib.util import find_spec
from threading import Thread
from typing import TYPE_CHECKING, Any, Literal, Protocol
from urllib.parse import urlsplit

from pydantic import SecretStr

from runner.config.problem import Problem
from runner.config.provider import (
    AzureOpenAIConfig,
    CompatibleConfig,
    EmulatorConfig,
    EndpointConfig,
    OpenAIConfig,
    ProviderConfig,
)
from runner.errors import AuthenticationError, ConfigError, HTTPConnectionError, RunnerError

from .endpoint import PUBLIC, Cloud, cloud_of, resolve
from .json_answer import one_line

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken, TokenCredential


AZURE_TOKEN_ENV = "AZURE_OPENAI_AD_TOKEN"  # noqa: S105  (a variable's name)

ENTRA_SOURCE = "Entra ID"

Header = Literal["Authorization", "api-key"]

_QUOTES = (('"', '"'), ("'", "'"), ("\u201c", "\u201d"), ("\u2018", "\u2019"), ("`", "`"))
_AROUND = " \t\r\n\f\v\u00a0\ufeff"
"""What stands around a key by accident: blanks, the end of a line, a byte order mark."""
_LONG_KEY = 20
"""Characters from which on a key is no word that could be guessed."""

_JWT = re.compile(r"^eyJ[\w-]+={0,2}\.[\w-]+={0,2}\.[\w-]*={0,2}$")


class Credential(Protocol):
    """Sign requests; it may fetch and renew what it signs with."""

    @property
    def header(self) -> Header:
        """Return the header that carries it."""

    @property
    def source(self) -> str:
        """Return where it comes from, for people: the variable's name."""

    async def value(self, *, refused: SecretStr | None = None) -> SecretStr | None:
        """Return what the header holds; None says that there is nothing, or nothing but what the endpoint `refused`."""

    def secrets(self) -> tuple[str, ...]:
        """Return every word that must not be shown."""


@dataclass(frozen=True, slots=True)
class EnvironmentCredential:
    """Hold a key or token as it stood in the environment; it cannot be renewed, and an empty one is not sent."""

    header: Header
    source: str
    secret: SecretStr

    async def value(self, *, refused: SecretStr | None = None) -> SecretStr | None:
        """Return the key or token, as its header wants it."""
        if refused is not None or not self.secret:
            return None
        return SecretStr(f"Bearer {self.secret.get_secret_value()}") if self.header == "Authorization" else self.secret

    def secrets(self) -> tuple[str, ...]:
        """Return the key or token."""
        return (self.secret.get_secret_value(),)


def credential_mark(credential: Credential, *scope: str | None) -> str:
    """Return the name of the credential's variable and a mark by which another key in it is noticed: NAME#1f3a.

    The mark has 16 bits of a hash, of long keys only: far too few to find or to confirm a key by. Tokens, which change
    every hour, have none.
    """
    mark = ""
    if isinstance(credential, EnvironmentCredential):
        key = credential.secret.get_secret_value()
        if len(key) >= _LONG_KEY and not is_token(key):
            mark = hashlib.sha256("\0".join(["runner", key, *(part or "" for part in scope)]).encode()).hexdigest()[:4]
    return f"{credential.source}#{mark}" if mark else credential.source


def mark_of(provider: ProviderConfig, credential: Credential) -> str:
    """Return the mark of a credential where a provider's config sends it; raises `ConfigError` without an endpoint."""
    account = (getattr(provider, "organization", None), getattr(provider, "project", None))
    return credential_mark(credential, resolve(provider).identity, *account)


Keyed = OpenAIConfig | AzureOpenAIConfig | CompatibleConfig
"""The providers whose credential may stand in a variable."""


def credential_of(provider: ProviderConfig, env: Mapping[str, str]) -> Credential:
    """Return what signs for a provider by its config; raises `ConfigError` naming the variable that is missing."""
    if isinstance(provider, EmulatorConfig):
        return EnvironmentCredential("Authorization", "the emulator, which takes any key", SecretStr("none"))
    names = variables(provider)
    if not names:
        return EnvironmentCredential("Authorization", "", SecretStr(""))
    found = find(provider, env)
    if found is None:
        raise ConfigError(f"{' or '.join(names)} is not set", hint=f"export {names[0]}=…, or put it in .env")
    return found


def find(provider: Keyed, env: Mapping[str, str]) -> EnvironmentCredential | None:
    """Return the credential that the environment offers, if any."""
    for name in variables(provider):
        text = cleaned(env.get(name, ""))
        if text:
            bearer = text.removeprefix("Bearer ").strip()
            header = _header(provider, name, bearer)
            return EnvironmentCredential(header, name, SecretStr(bearer if header == "Authorization" else text))
    return None


def variables(provider: Keyed) -> tuple[str, ...]:
    """Return the names of the variables that may hold the credential, first found first used."""
    if not isinstance(provider, AzureOpenAIConfig):
        return () if provider.api_key_env is None else (provider.api_key_env,)
    if provider.auth == "api_key":
        return (provider.api_key_env,)
    # The order of the SDK's own Azure client.
    return (AZURE_TOKEN_ENV, provider.api_key_env)


def cleaned(text: str) -> str:
    """Return a variable's value without the blanks, line breaks and pairs of quotes around it."""
    text = text.strip(_AROUND)
    for opening, closing in _QUOTES:
        if len(text) > 1 and text.startswith(opening) and text.endswith(closing):
            return cleaned(text[1:-1])
    return text


@dataclass(frozen=True, slots=True)
class ConfiguredHeaders:
    """Describe the headers that a config adds to every request to its endpoint, and to no other host.

    Attributes:
        values: each header's name and value.
        hidden: the values that must not be shown.
    """

    values: tuple[tuple[str, SecretStr], ...] = ()
    hidden: tuple[SecretStr, ...] = ()

    def secrets(self) -> tuple[str, ...]:
        """Return every word that must not be shown; of "Bearer WORD" a server may repeat only the word."""
        whole = [value.get_secret_value() for value in self.hidden]
        return tuple(dict.fromkeys([*whole, *(word for value in whole for word in value.split())]))


def headers_of(provider: EndpointConfig, env: Mapping[str, str]) -> ConfiguredHeaders:
    """Return the headers of a provider's config; raises `ConfigError` naming a variable that is missing."""
    missing = next((variable for _, variable in provider.headers_env if not cleaned(env.get(variable, ""))), None)
    if missing is not None:
        raise ConfigError(f"{missing} is not set", hint=f"export {missing}=…, or put it in .env")
    secret = tuple((name, SecretStr(cleaned(env[variable]))) for name, variable in provider.headers_env)
    plain = tuple((name, SecretStr(value)) for name, value in provider.headers)
    return ConfiguredHeaders(plain + secret, tuple(value for _, value in secret))


def is_token(text: str) -> bool:
    """Return whether this is a JSON web token by its form, as Entra ID issues them."""
    return _JWT.match(text) is not None


def _header(provider: Keyed, name: str, text: str) -> Header:
    if not isinstance(provider, AzureOpenAIConfig) or provider.auth == "token" or name == AZURE_TOKEN_ENV:
        return "Authorization"
    return "Authorization" if provider.auth == "auto" and is_token(text) else "api-key"


_AHEAD_SECONDS = 300.0
_MOMENT_SECONDS = 2.0
_AGAIN_SECONDS = 30.0
_SIGN_IN = (
    "az login; or a service principal in AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET; or "
    "provider.managed_identity=true on a machine that has one"
)
_TWICE = re.compile(r"^(\w+): \1")
_log = logging.getLogger("runner")


@dataclass(slots=True)
class _Token:
    header: SecretStr
    expires: float
    renew_at: float


class EntraCredential:
    """Sign with tokens of an azure-identity credential, fetched once for all requests and renewed before they expire.

    The credential is a synchronous one, in a thread: the asynchronous ones need aiohttp, a second HTTP stack for one
    request an hour. `get_bearer_token_provider` cannot be told that a token was refused, nor which tenant to ask.
    """

    header: Header = "Authorization"
    source = ENTRA_SOURCE

    def __init__(
        self,
        make: Callable[[], TokenCredential],
        scope: str,
        *,
        tenant_id: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._make = make
        self._scope = scope
        self._tenant_id = tenant_id
        self._clock = clock
        self._credential: TokenCredential | None = None
        self._token: _Token | None = None
        # Answers to requests that were signed earlier may still repeat an earlier token.
        self._known: deque[str] = deque(maxlen=4)
        self._fetching: asyncio.Task[_Token] | None = None
        self._asked_at = 0.0

    async def value(self, *, refused: SecretStr | None = None) -> SecretStr | None:
        """Return the header with a token that is valid; None if nothing but the `refused` one can be had.

        Raises `AuthenticationError` if nobody is signed in, `HTTPConnectionError` if Entra ID cannot be reached.
        """
        token = self._token
        if token is None or token.header == refused:
            token = await self._fetch(afresh=True)
        elif self._clock() >= token.renew_at:
            token = await self._renewed(token)
        return None if token.header == refused else token.header

    def secrets(self) -> tuple[str, ...]:
        """Return the tokens of late."""
        return tuple(self._known)

    async def _renewed(self, token: _Token) -> _Token:
        try:
            return await self._fetch()
        except RunnerError as error:
            if self._clock() >= token.expires:
                raise
            _log.warning("the token is still valid but could not be renewed: %s", error)
            token.renew_at = self._clock() + _AGAIN_SECONDS
            return token

    async def _fetch(self, *, afresh: bool = False) -> _Token:
        """Return a new token; whoever asks while one is being fetched shares it, or its failure."""
        if self._fetching is None or (self._fetching.done() and not self._just_refused(self._fetching)):
            self._asked_at = self._clock()
            self._fetching = asyncio.create_task(self._fetched(afresh=afresh))
            # Looked at here too, for the case that all who wait for it are cancelled.
            self._fetching.add_done_callback(lambda task: None if task.cancelled() else task.exception())
        return await asyncio.shield(self._fetching)

    def _just_refused(self, task: asyncio.Task[_Token]) -> bool:
        """Return whether signing in failed a moment ago: who was under way to ask then needs no answer of its own."""
        refused = not task.cancelled() and isinstance(task.exception(), AuthenticationError)
        return refused and self._clock() - self._asked_at < _MOMENT_SECONDS

    async def _fetched(self, *, afresh: bool) -> _Token:
        if afresh:
            # The old credential may keep the refused token in a cache of its own.
            self._credential = None
        try:
            access = await _aside(self._get)
        except Exception as error:  # noqa: BLE001 - whatever it is, it came before sending: no answer was lost
            raise _failure(error, self._scope) from None
        self._known.append(access.token)
        ahead = min(_AHEAD_SECONDS, (access.expires_on - self._clock()) / 4)
        self._token = _Token(SecretStr(f"Bearer {access.token}"), access.expires_on, access.expires_on - ahead)
        return self._token

    def _get(self) -> AccessToken:
        if self._credential is None:
            self._credential = self._make()
        return self._credential.get_token(self._scope, tenant_id=self._tenant_id)


def entra_credential(config: AzureOpenAIConfig, given: TokenCredential | None = None) -> EntraCredential:
    """Return what signs for a config's resource: the `given` credential, else azure-identity's, made when first used.

    Raises `ConfigError` where azure-identity is needed and not installed.
    """
    scope = config.token_scope or _cloud(config).token_scope
    if given is not None:
        return EntraCredential(lambda: given, scope, tenant_id=config.tenant_id)
    if not _installed():
        raise ConfigError(f"provider.auth={_MISSING}", hint=INSTALL)
    # A managed identity belongs to one tenant and would refuse to be asked for another.
    tenant_id = None if config.managed_identity else config.tenant_id
    return EntraCredential(lambda: identity(config), scope, tenant_id=tenant_id)


async def _aside(function: Callable[[], AccessToken]) -> AccessToken:
    """Call in a thread that nothing waits for at the end: signing in may take a minute."""
    future: Future[AccessToken] = Future()
    future.set_running_or_notify_cancel()

    def work() -> None:
        try:
            future.set_result(function())
        except BaseException as error:  # noqa: BLE001 - raised again where it is awaited
            future.set_exception(error)

    Thread(target=work, name="runner-entra", daemon=True).start()
    return await asyncio.wrap_future(future)


def _failure(error: Exception, scope: str) -> RunnerError:
    """Return the error of ours for what azure-identity raised."""
    said, *attempts = _lines(error)
    code = type(error).__name__
    # By name: a credential that was handed in may come without azure-core.
    kinds = {kind.__name__ for kind in type(error).__mro__}
    if isinstance(error, ValueError):
        return ConfigError(f"Entra ID cannot be asked for a token: {said}; nothing was sent", code=code,
                           hint="check provider.tenant_id, provider.client_id and provider.token_scope")  # fmt: skip
    if "AzureError" in kinds and "ClientAuthenticationError" not in kinds:
        return HTTPConnectionError(f"Entra ID gave no token for {scope}: {said}; nothing was sent", code=code,
                                   hint="check the network and its proxy; it is tried again")  # fmt: skip
    return AuthenticationError(f"no token of Entra ID for {scope} (az login?): {said}; nothing was sent", code=code,
                               hint="\n".join([_SIGN_IN, *attempts]), provider="azure_openai")  # fmt: skip


def _lines(error: Exception) -> list[str]:
    """Return what went wrong, then each way to sign in that was tried, as azure-identity indents them."""
    first, *more = str(error).splitlines() or [type(error).__name__]
    tried = [_TWICE.sub(r"\1:", one_line(line, 160)) for line in more if line.startswith("\t")]
    return [one_line(first, 300).rstrip("."), *(f"tried {line}" for line in tried)]


INSTALL = "pip install 'mediarunner[azure]'"
_MISSING = "entra_id needs azure-identity, which is not installed"


def identity(config: AzureOpenAIConfig) -> TokenCredential:
    """Return a new credential, which signs in when it is first asked for a token."""
    from azure.identity import DefaultAzureCredential, ManagedIdentityCredential

    # Without a handler Python prints its warnings, each failed attempt twice; the error says it all.
    logging.getLogger("azure").addHandler(logging.NullHandler())
    if config.managed_identity:
        return ManagedIdentityCredential(client_id=config.client_id)
    # A browser would open in the middle of a sweep.
    return DefaultAzureCredential(exclude_interactive_browser_credential=True, **_options(config))


def _cloud(config: AzureOpenAIConfig) -> Cloud:
    return cloud_of(urlsplit(config.base_url or "").hostname)


def check_identity(config: AzureOpenAIConfig) -> Iterator[Problem]:
    """Yield what can be said against signing in by Entra ID without doing it."""
    if config.auth != "entra_id":
        for name in ("tenant_id", "client_id", "managed_identity", "token_scope"):
            if getattr(config, name):
                yield Problem(f"provider.{name}", "is not used: it is for provider.auth=entra_id", None, "warning")
        return
    if not _installed():
        yield Problem("provider.auth", _MISSING, INSTALL)
    if config.managed_identity and config.tenant_id:
        yield Problem("provider.tenant_id", "has no meaning for a managed identity, which belongs to one tenant",
                      "provider.tenant_id=null")  # fmt: skip
    if config.token_scope is not None and "://" not in config.token_scope:
        example = f"for example {PUBLIC.token_scope}"
        yield Problem("provider.token_scope", f"{config.token_scope!r} is no scope", example)


def _options(config: AzureOpenAIConfig) -> dict[str, Any]:  # Any: keyword arguments of azure-identity
    """Return what leads a sign-in away from its defaults; a key that is absent is read from AZURE_* variables."""
    options: dict[str, Any] = {}  # Any: as above
    if config.client_id is not None:
        options |= {"managed_identity_client_id": config.client_id, "workload_identity_client_id": config.client_id}
    if config.tenant_id is not None:
        options["additionally_allowed_tenants"] = [config.tenant_id]
    cloud = _cloud(config)
    if cloud is not PUBLIC and "AZURE_AUTHORITY_HOST" not in os.environ:
        options["authority"] = cloud.authority
    return options


def _installed() -> bool:
    try:
        return find_spec("azure.identity") is not None
    except ModuleNotFoundError:
        return False
