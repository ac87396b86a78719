"""Signing requests: the only place where a credential meets a request."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable

import httpx2
from pydantic import SecretStr

from .credentials import Credential

_HIDDEN = "[redacted]"
# Servers without keys take any word, as in EMPTY or x: those are no secrets, and messages are full of them.
_SHORTEST = 8


class CredentialAuth(httpx2.Auth):
    """Puts the credential on each request to the endpoint, and nothing that stood in its place.

    A 401 was refused before any work, so that asking once more with a renewed credential pays nothing twice.
    """

    def __init__(self, credential: Credential) -> None:
        self._credential = credential

    async def async_auth_flow(self, request: httpx2.Request) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        """Sign, send, and once more with a renewed credential after a 401."""
        value = await self._credential.value()
        self._sign(request, value)
        response = yield request
        if value is not None and response.status_code == 401:
            renewed = await self._credential.value(refused=value)
            if renewed is not None:
                self._sign(request, renewed)
                yield request

    def _sign(self, request: httpx2.Request, value: SecretStr | None) -> None:
        for header in ("Authorization", "api-key"):
            request.headers.pop(header, None)
        if value is not None:
            request.headers[self._credential.header] = value.get_secret_value()


def redactor(credential: Credential) -> Callable[[str], str]:
    """A function that takes the credential's secrets out of a text; servers may repeat what they refuse."""

    def redact(text: str) -> str:
        for secret in credential.secrets():
            if len(secret) >= _SHORTEST:
                text = text.replace(secret, _HIDDEN)
        return text

    return redact
