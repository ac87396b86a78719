"""Signing requests: the only place where a credential meets a request."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import AsyncGenerator, Callable, Iterator
from urllib.parse import quote, quote_plus

import httpx2
from pydantic import SecretStr

from .credentials import Credential

_HIDDEN = "[redacted]"
# Servers without keys take any word, as in EMPTY or x: those are no secrets, and messages are full of them.
_SHORTEST = 8


class CredentialAuth(httpx2.Auth):
    """Puts the credential on each request to the endpoint, and nothing that stood in its place.

    It is on the request only while that is under way: exceptions and responses keep their request, and whoever logs
    them would log the key. A 401 was refused before any work, so that asking once more with a renewed credential pays
    nothing twice.
    """

    def __init__(self, credential: Credential) -> None:
        self._credential = credential

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
            self._sign(request, None)

    def _sign(self, request: httpx2.Request, value: SecretStr | None) -> None:
        for header in ("Authorization", "api-key"):
            request.headers.pop(header, None)
        if value is not None:
            request.headers[self._credential.header] = value.get_secret_value()


def redactor(credential: Credential) -> Callable[[str], str]:
    """A function that takes the credential's secrets out of a text, however a server that repeats them spells them."""
    known: dict[str, tuple[str, ...]] = {}

    def redact(text: str) -> str:
        for secret in credential.secrets():
            if len(secret) >= _SHORTEST:
                if secret not in known:
                    known[secret] = tuple(sorted(set(_spellings(secret)), key=len, reverse=True))
                for spelling in known[secret]:
                    text = text.replace(spelling, _HIDDEN)
        return text

    return redact


def _spellings(secret: str) -> Iterator[str]:
    """The secret as it is, and as addresses, JSON, pages and base64 (inside a longer text, too) write it."""
    yield from (secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1], html.escape(secret))
    content = secret.encode()
    for before in range(3):
        # The characters that hold no bit of a neighbour.
        first, end = -(-before * 8 // 6), (before + len(content)) * 8 // 6
        core = base64.b64encode(bytes(before) + content)[first:end].decode()
        yield from (core, core.replace("+", "-").replace("/", "_"))
