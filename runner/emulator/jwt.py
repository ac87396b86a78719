"""Tokens as Entra ID issues them: JSON web tokens, told by their form and read without checking the signature."""

from __future__ import annotations

import base64
import json
import re

_JWT = re.compile(r"eyJ[\w-]+={0,2}\.[\w-]+={0,2}\.[\w-]*={0,2}")


def is_jwt(text: str) -> bool:
    """Whether this is a token by its form."""
    return _JWT.fullmatch(text) is not None


def is_expired(token: str, now: float) -> bool:
    """Whether the `exp` claim of a token lies before `now`, in Unix seconds; a token without one never expires."""
    payload = token.split(".")[1].rstrip("=")
    try:
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except ValueError:
        return False
    expiry = claims.get("exp") if isinstance(claims, dict) else None
    return isinstance(expiry, int | float) and expiry <= now
