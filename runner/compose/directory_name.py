"""The name under `outputs/` that this process writes to: never shared, even within one second."""

from __future__ import annotations

import secrets
from datetime import datetime

_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"


def started() -> str:
    """DATE/TIME and four random characters, as in 2026-11-23/09-30-00-x7k2 (local time)."""
    suffix = "".join(secrets.choice(_ALPHABET) for _ in range(4))
    return f"{datetime.now().astimezone():%Y-%m-%d/%H-%M-%S}-{suffix}"
