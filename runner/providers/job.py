"""A server's JSON about a job, read leniently: compatible servers leave out or rename much."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .allowance import renewal
from .base import Job, JobStatus
from .content_filter import categories
from .excerpt import one_line
from .header import finite
from .status import job_status

_LONGEST_ID = 1000
"""Gateways pack an upstream's id, its name and the model into theirs."""


def read_job(raw: object, headers: Mapping[str, str], job_id: str | None = None) -> Job | None:
    """The job that `raw` describes, or None if it describes none; `job_id` is used where it names none."""
    if not isinstance(raw, dict) or not isinstance(raw.get("status"), str):
        return None
    # What a server answers about one job is not taken for another's.
    name = job_id or raw.get("id")
    if not isinstance(name, str) or not is_id(name):
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
        submit_after=renewal(headers),
        request_id=request_id(headers),
        raw=raw,
    )


def is_id(text: str) -> bool:
    """Whether a server's word can be an id: it is shown, logged and stored, and becomes a part of addresses."""
    return 0 < len(text) <= _LONGEST_ID and text.isprintable() and text.strip(".") != ""


def request_id(headers: Mapping[str, str]) -> str | None:
    """The id under which the provider's support finds the request."""
    given = headers.get("x-request-id") or headers.get("apim-request-id")
    return one_line(given, 200) if given else None


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
