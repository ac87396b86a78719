"""Signing requests: the only place where a credential meets a request."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import Protocol
from urllib.parse import quote, quote_plus

import httpx2
from pydantic import SecretStr

from .credentials import ConfiguredHeaders, Credential

_HIDDEN = "[redacted]"
# Servers without keys take any word, as in EMPTY or x: those are no secrets, and messages are full of them.
_SHORTEST = 8


class CredentialAuth(httpx2.Auth):
    """Puts the credential and the configured headers on each request to the endpoint, and nothing in their places.

    They are on the request only while that is under way: exceptions and responses keep their request, and whoever logs
    them would log the key. A 401 was refused before any work, so that asking once more with a renewed credential pays
    nothing twice.
    """

    def __init__(self, credential: Credential, headers: ConfiguredHeaders = ConfiguredHeaders()) -> None:  # noqa: B008
        self._credential = credential
        self._headers = headers

    async def async_auth_flow(self, request: httpx2.Request) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        """Sign, send, and once more with a renewed credential after a 401."""
        value = await self._credential.value()
        self._sign(request, value)
        try:
            response = yield request
            if value is not None and response.status_code == 401:
                renewed = await self._credential.value(refused=value)
                if renewed is not None:
                    self._sign(request, renewed)
                    yield request
        finally:
            self._unsign(request)

    def _sign(self, request: httpx2.Request, value: SecretStr | None) -> None:
        self._unsign(request)
        if value is not None:
            request.headers[self._credential.header] = value.get_secret_value()
        for name, configured in self._headers.values:
            request.headers[name] = configured.get_secret_value()

    def _unsign(self, request: httpx2.Request) -> None:
        for name in ("Authorization", "api-key", *(name for name, _ in self._headers.values)):
            request.headers.pop(name, None)


class Secretive(Protocol):
    """Something that knows words that must not be shown."""

    def secrets(self) -> tuple[str, ...]:
        """Return those words."""


def redactor(*sources: Secretive) -> Callable[[str], str]:
    """Return a function that takes the secrets of `sources` out of a text, however a server spells them."""
    known: dict[str, tuple[str, ...]] = {}

    def redact(text: str) -> str:
        for secret in (word for source in sources for word in source.secrets()):
            if len(secret) >= _SHORTEST:
                if secret not in known:
                    known[secret] = tuple(sorted(set(_spellings(secret)), key=len, reverse=True))
                for spelling in known[secret]:
                    text = text.replace(spelling, _HIDDEN)
        return text

    return redact


def _spellings(secret: str) -> Iterator[str]:
    """Yield the secret as it is, and as addresses, JSON, pages and base64 (inside a longer text, too) write it."""
    yield from (secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1], html.escape(secret))
    content = secret.encode()
    for before in range(3):
        # The characters that hold no bit of a neighbour.
        first, end = -(-before * 8 // 6), (before + len(content)) * 8 // 6
        core = base64.b64encode(bytes(before) + content)[first:end].decode()
        yield from (core, core.replace("+", "-").replace("/", "_"))
