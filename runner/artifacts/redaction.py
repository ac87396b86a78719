"""A server's JSON without what it should not have repeated."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

_SECRETS = frozenset(
    {"apikey", "xapikey", "authorization", "proxyauthorization", "accesstoken", "bearertoken", "secret"}
    | {"clientsecret", "password", "cookie", "setcookie"}
)


def redacted(value: Any) -> Any:  # Any: JSON in, the same JSON out
    """The same JSON with the values of credential-like keys replaced: some gateways echo the request's headers."""
    if isinstance(value, dict):
        return {key: "***" if _secret(key) else redacted(child) for key, child in value.items()}
    if isinstance(value, list):
        return [redacted(child) for child in value]
    return value


@lru_cache(1024)
def _secret(key: object) -> bool:
    return "".join(letter for letter in str(key).lower() if letter.isalnum()) in _SECRETS
