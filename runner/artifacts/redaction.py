"""Remove from what servers and libraries say what they should not have repeated."""

from __future__ import annotations

import re
from functools import lru_cache
from sys import intern
from typing import Any

_SECRETS = frozenset(
    {"apikey", "xapikey", "authorization", "proxyauthorization", "accesstoken", "bearertoken", "secret"}
    | {"clientsecret", "password", "cookie", "setcookie"}
)

_LONGEST = 200_000
"""Characters of a text that a record keeps; what is longer is a file as base64, which lies beside the record."""


def redacted(value: Any) -> Any:  # Any: JSON in, the same JSON out
    """Return the same JSON with the values of credential-like keys replaced, and without whole files.

    Some gateways echo the request's headers, and some put a video into what they say of its job.
    """
    if isinstance(value, dict):
        return {_shared(key): "***" if _secret(key) else redacted(child) for key, child in value.items()}
    if isinstance(value, list):
        return [redacted(child) for child in value]
    if isinstance(value, str) and len(value) > _LONGEST:
        return f"<{len(value):,} characters>"
    return value


def _shared(key: Any) -> Any:  # Any: as above, a text but for a mapping of the user's own
    """Return a key as one object for all answers, of which each brings its keys anew."""
    return intern(key) if type(key) is str else key


@lru_cache(1024)
def _secret(key: object) -> bool:
    return "".join(letter for letter in str(key).lower() if letter.isalnum()) in _SECRETS


_USER = re.compile(r"://\S*@")
"""Up to the last @: a password may hold one, and a slash, too."""

_KEY = re.compile(r"([?&][\w-]*(?:key|token|secret|password|sig)=)[^&\s]+", re.IGNORECASE)


def without_credentials(text: str) -> str:
    """Return the text with possible credentials masked in each address in it, as libraries' errors quote them."""
    return _KEY.sub(r"\1***", _USER.sub("://***@", text))
