"""Find the credential that a provider sends, in the environment, and sign requests with it; it is never shown."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from pydantic import SecretStr

from runner.config.provider import (
    AzureOpenAIConfig,
    CompatibleConfig,
    EmulatorConfig,
    EndpointConfig,
    OpenAIConfig,
    ProviderConfig,
)
from runner.errors import ConfigError

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
