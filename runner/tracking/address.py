"""Addresses as they may be shown and kept: without the user, password or key in them."""

from __future__ import annotations

import re

_USER = re.compile(r"://\S*@")
"""Up to the last @: a password may hold one, and a slash, too."""

_KEY = re.compile(r"([?&][\w-]*(?:key|token|secret|password|sig)=)[^&\s]+", re.IGNORECASE)


def without_credentials(text: str) -> str:
    """The text with what may be a credential masked in each address in it, as the libraries' errors quote them."""
    return _KEY.sub(r"\1***", _USER.sub("://***@", text))
