"""A server's JSON about a job, read leniently: compatible servers leave out or rename much."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from .base import Job, JobStatus
from .content_filter import categories
from .excerpt import one_line
from .status import job_status


def read_job(raw: object, headers: Mapping[str, str], job_id: str | None = None) -> Job | None:
    """The job that `raw` describes, or None if it describes none; `job_id` is used where it names none."""
    if not isinstance(raw, dict) or not isinstance(raw.get("status"), str):
        return None
    name = raw.get("id", job_id)
    if not isinstance(name, str) or not name:
        return None
    status = job_status(raw["status"])
    code, message = _error(raw.get("error"))
    return Job(
        id=name,
        status=status,
        raw_status=one_line(raw["status"]),
        progress=100 if status is JobStatus.COMPLETED else _percent(raw.get("progress")),
        error_code=code,
        error_message=message,
        created_at=_number(raw.get("created_at")),
        expires_at=_number(raw.get("expires_at")),
        poll_after=_poll_after(headers),
        request_id=request_id(headers),
        raw=raw,
    )


def request_id(headers: Mapping[str, str]) -> str | None:
    """The id under which the provider's support finds the request."""
    return headers.get("x-request-id") or headers.get("apim-request-id")


def _error(error: Any) -> tuple[str | None, str | None]:  # Any: an object, a text or null, by server
    if isinstance(error, dict):
        code, message = error.get("code"), error.get("message")
        found = categories(error, error.get("inner_error"), error.get("innererror"))
        if found:
            message = f"{message or 'filtered'} ({', '.join(found)})"
        return None if code is None else one_line(str(code)), None if message is None else one_line(str(message))
    return None, one_line(str(error)) if error else None


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _percent(value: object) -> float:
    return min(100.0, max(0.0, _number(value) or 0.0))


def _poll_after(headers: Mapping[str, str]) -> float | None:
    milliseconds = finite(headers.get("openai-poll-after-ms"))
    return None if milliseconds is None else max(0.0, milliseconds / 1000)


def finite(text: str | None) -> float | None:
    """The number that a header holds; a header may hold anything."""
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) else None
