"""Reading what a header holds, which may be anything."""

from __future__ import annotations

import math


def finite(text: str | None) -> float | None:
    """The number that a header holds, None if it is absent or holds none."""
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
