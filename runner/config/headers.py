"""HTTP headers that a user configures for an endpoint: plain values, and variables that hold secret ones."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer

Pairs = tuple[tuple[str, str], ...]
"""A mapping as pairs, so that a provider's config stays hashable."""

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
# Bare words: in "X-Max-Tokens" or "x-litellm-cache-key-prefix" nothing is secret.
_SECRET_NAME = re.compile(
    r"(^|[-_.])((api|subscription|access|auth)?-?key|(api|access|auth)?-?token|secret|passw(or)?d|auth(orization)?|"
    r"credentials?|cookie|jwt|signature)$",
    re.IGNORECASE,
)
_CREDENTIALS = frozenset({"authorization", "proxy-authorization", "api-key", "cookie"})
# The HTTP client writes these itself; another value would break the request or the reading of its answer. One
# Idempotency-Key for all requests would make them one.
_OF_THE_CLIENT = re.compile(
    r"content-.*|host|accept-encoding|connection|keep-alive|transfer-encoding|te|trailer|upgrade|expect|proxy-.*|"
    r"idempotency-key",
    re.IGNORECASE,
)
_LONGEST = 8192


def is_secret_name(name: str) -> bool:
    """Return whether a header of this name holds a credential."""
    return name.lower() in _CREDENTIALS or _SECRET_NAME.search(name) is not None


def value_problem(value: str) -> str | None:
    """Return why `value` cannot be a header's value, without repeating it; None where it can."""
    if not value.isascii() or not value.isprintable():
        return "holds control characters, line breaks or letters beyond ASCII"
    return "is longer than 8,192 characters" if len(value) > _LONGEST else None


def _plain(given: object) -> Pairs:
    pairs = _pairs(given)
    for name, value in pairs:
        if is_secret_name(name):
            raise ValueError(
                f"the header {name} carries a credential, which would be written down; keep it in a variable, whose "
                f"name belongs here: provider.headers_env.{name}=VARIABLE"
            )
        if (reason := value_problem(value)) is not None:
            raise ValueError(f"the value of {name} {reason}")
    return pairs


def _from_environment(given: object) -> Pairs:
    pairs = _pairs(given)
    for name, variable in pairs:
        if not _ENV_NAME.fullmatch(variable):
            raise ValueError(f"the header {name} must name an environment variable (letters, digits and underscores)")
    return pairs


def _pairs(given: object) -> Pairs:
    """Return the pairs of a mapping without its nulls, each name legal and there once."""
    if isinstance(given, tuple):
        given = dict(given)
    if not isinstance(given, Mapping):
        raise ValueError("must be a mapping of header names, as in {X-Name: value}")  # noqa: TRY004 - pydantic's way
    pairs = tuple((str(name), _text(name, value)) for name, value in given.items() if value is not None)
    for name, _ in pairs:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no legal header name")
        if _OF_THE_CLIENT.fullmatch(name):
            raise ValueError(f"the header {name} is written by the HTTP client itself")
    names = [name.lower() for name, _ in pairs]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"the header {twice} is given twice")
    return pairs


def _text(name: object, value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str | int | float):
        raise ValueError(f"the value of {name} must be a text or a number")  # noqa: TRY004 - pydantic's way
    return str(value).strip()


_AS_MAPPING = PlainSerializer(dict, return_type=dict[str, str])

PlainHeaders = Annotated[Pairs, BeforeValidator(_plain), _AS_MAPPING]
"""Header names with the values that are sent; null takes one out that an option brings."""

HeaderVariables = Annotated[Pairs, BeforeValidator(_from_environment), _AS_MAPPING]
"""Header names with the names of the variables that hold their values."""
