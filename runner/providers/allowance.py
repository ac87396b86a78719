"""What a server tells of how much it allows in a time, in the x-ratelimit headers of OpenAI and Azure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from .header import finite

_SECONDS = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_PART = r"(\d+(?:\.\d+)?)(ms|us|µs|ns|[dhms])"
_YEAR = 366 * 86_400.0
"""What is longer is no duration: some gateways give a moment in Unix time."""


def exhausted(headers: Mapping[str, str]) -> bool:
    """Whether no request, or no token for one, remains of what is allowed in a time."""
    return any(_remaining(headers, kind) == 0 for kind in ("requests", "tokens"))


def renewal(headers: Mapping[str, str], *, refused: bool = False) -> float | None:
    """Seconds until something is allowed again, None if something still is or nothing is said.

    A refusal (`refused`) by itself says that nothing remains of what the headers leave open.
    """
    nothing = (0, None) if refused else (0,)
    resets = [
        reset
        for kind in ("requests", "tokens")
        if _remaining(headers, kind) in nothing and (reset := _reset(headers, kind)) is not None
    ]
    return max(resets, default=None)


def duration(text: str) -> float | None:
    """The seconds that "12ms", "1s", "6m0s" (OpenAI) or "17" (Azure) mean, None for what is no duration."""
    parts = re.findall(_PART, text)
    if parts and "".join(number + unit for number, unit in parts) == text:
        seconds: float | None = sum(float(number) * _SECONDS[unit] for number, unit in parts)
    else:
        seconds = finite(text)
    return seconds if seconds is not None and 0 <= seconds <= _YEAR else None


def _remaining(headers: Mapping[str, str], kind: str) -> float | None:
    # Azure says -1 where it has no limit.
    return finite(headers.get(f"x-ratelimit-remaining-{kind}"))


def _reset(headers: Mapping[str, str], kind: str) -> float | None:
    # With one hyphen more in some of Azure's refusals.
    text = headers.get(f"x-ratelimit-reset-{kind}") or headers.get(f"x-rate-limit-reset-{kind}")
    return duration(text.strip()) if text else None
