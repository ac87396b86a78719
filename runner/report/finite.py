"""JSON that every reader takes: Python's own writes numbers that are none."""

from __future__ import annotations

import math
from typing import Any


def finite(value: Any) -> Any:  # Any: JSON in, the same JSON out
    """Return the same JSON with null for what is no JSON number: NaN and the infinities."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: finite(child) for key, child in value.items()}
    return [finite(child) for child in value] if isinstance(value, list | tuple) else value
