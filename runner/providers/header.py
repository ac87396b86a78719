"""Reading the numbers and moments that a server tells, in a header or in its JSON: both may hold anything."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

_LATEST = 4_102_444_800.0
"""The year 2100 in Unix seconds. What is later counts in other units."""

_UNITS = (1.0, 1e3, 1e6, 1e9)
"""Parts of a second that moments are counted in; whatever it is in one of them, is far from now in the others."""


def finite(text: str | None) -> float | None:
    """Return the number that a header holds, None if it is absent or holds none."""
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def number(value: object) -> float | None:
    """Return the finite number that a JSON value is or spells, None if it is none; a boolean is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return finite(value.strip()) if isinstance(value, str) else finite(repr(float(value)))
    except OverflowError:
        return None


def moment(value: object) -> float | None:
    """Return the Unix time in seconds that a JSON value means: seconds, milliseconds or a date, as a number or text.

    None for 0, for what is negative, and for what is no time at all.
    """
    told = number(value)
    if told is None:
        told = date_of(value) if isinstance(value, str) else None
    if told is None or told <= 0:
        return None
    return next((told / unit for unit in _UNITS if told / unit < _LATEST), None)


def date_of(text: str) -> float | None:
    """Return the Unix time in seconds of an HTTP or ISO date, in UTC where it names no zone; None if it is neither."""
    for read in (dt.datetime.fromisoformat, parsedate_to_datetime):
        try:
            date = read(text.strip())
            return (date if date.tzinfo else date.replace(tzinfo=dt.UTC)).timestamp()
        except (ValueError, OverflowError, TypeError, IndexError):
            continue
    return None


def server_time(headers: Mapping[str, str]) -> float | None:
    """Return the `Date` of an answer in Unix seconds, None where it has none that can be read."""
    return date_of(headers.get("date", ""))
