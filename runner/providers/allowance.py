"""Read what a server tells of how much it allows, and numbers and moments in its headers and its JSON."""

from __future__ import annotations

import datetime as dt
import math
import re
import time
from collections.abc import Collection, Mapping
from email.utils import parsedate_to_datetime

_SECONDS = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_PART = r"(\d+(?:\.\d+)?)(ms|us|µs|ns|[dhms])"
_YEAR = 366 * 86_400.0
"""What is longer is no duration: some gateways give a moment in Unix time."""


def exhausted(headers: Mapping[str, str]) -> bool:
    """Return whether no request, or no token for one, remains of what is allowed in a time."""
    return any(_remaining(headers, kind) == 0 for kind in ("requests", "tokens"))


def renewal(headers: Mapping[str, str], *, refused: bool = False) -> float | None:
    """Return seconds until something is allowed again, None if something still is or nothing is said.

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
    """Return the seconds that "12ms", "1s", "6m0s" (OpenAI) or "17" (Azure) mean, None for what is no duration."""
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
    names = (f"x-ratelimit-reset-{kind}", f"x-rate-limit-reset-{kind}", "x-ratelimit-reset", "ratelimit-reset")
    seconds = wait_of(next((text for name in names if (text := headers.get(name))), ""))
    return seconds if seconds is not None and seconds <= _YEAR else None


def retry_after(headers: Mapping[str, str], said: str = "") -> float | None:
    """Return the seconds that a refusal asks to wait, from its headers, else from its words (`said`)."""
    exact = milliseconds(headers, "retry-after-ms")
    if exact is not None:
        return exact
    text = headers.get("retry-after", "")
    told = wait_of(text)
    if told is None:
        told = wait_of(text.partition(",")[0])  # said twice, by a server and by a gateway before it
    if told is None:
        told = renewal(headers, refused=True)
    return wait_in_words(said) if told is None else told


def milliseconds(headers: Mapping[str, str], name: str) -> float | None:
    """Return the seconds that a header tells in milliseconds, None if it is absent or holds no number."""
    told = finite(headers.get(name))
    return None if told is None else max(0.0, told / 1000)


def wait_of(text: str) -> float | None:
    """Return the seconds from now that a header means: a number, "6m0s", an HTTP or ISO date, a Unix time.

    None for what is none of these.
    """
    text, now = text.strip(), time.time()
    number = finite(text)
    if number is not None:
        told = moment(number)
        return max(0.0, number if told is None or abs(told - now) > _YEAR else told - now)
    if (seconds := duration(text)) is not None:
        return seconds
    date = date_of(text)
    return None if date is None else max(0.0, date - now)


def wait_in_words(said: str) -> float | None:
    """Return the seconds that words like "Please try again in 7m12s" or "retry after 60 seconds" mean."""
    found = _AGAIN.search(said)
    if found is None:
        return None
    parts = re.findall(_SPOKEN, found[1], re.IGNORECASE)
    return sum(float(number) * _SECONDS[_unit(unit)] for number, unit in parts)


def _unit(word: str) -> str:
    word = word.lower()
    return "ms" if word.startswith(("ms", "milli")) else word[0]


def about_quota(status: int, words: Collection[str], said: str) -> bool:
    """Return whether a refusal means that money or quota is used up, so that waiting does not help."""
    if status == 402 or not _QUOTA_CODES.isdisjoint(words):
        return True
    said = said.lower()
    if status not in (403, 429):
        # What is said of a request that is not valid may quote its prompt.
        return _MONEY.search(said) is not None
    if _NOTHING_ALLOWED.search(said) or _MONEY.search(said):
        return True
    if _IN_A_TIME.search(said) or wait_in_words(said) is not None:
        return False
    return _QUOTA.search(said) is not None or ("billing" in said and not _RATE.search(said))


def too_large(said: str) -> bool:
    """Return whether a 429 says that this request alone asks for more than is ever allowed at once."""
    numbers = _REQUESTED.search(said)
    beyond = numbers is not None and _count(numbers[2]) > _count(numbers[1])
    return beyond or _TOO_LARGE.search(said) is not None


def about_jobs(said: str) -> bool:
    """Return whether a 429 says that too much is running at once, and nothing about a time."""
    return _AT_ONCE.search(said) is not None and _IN_A_TIME.search(said) is None


def about_rate(words: Collection[str], said: str) -> bool:
    """Return whether a 429 says that too much was asked for in a time, and nothing about what is running."""
    return _AT_ONCE.search(said) is None and (
        _IN_A_TIME.search(said) is not None
        or _RATE.search(said) is not None
        or any("rate_limit" in word or "throttl" in word for word in words)
    )


def _count(digits: str) -> float:
    return float(digits.replace(",", "")[:15] or 0)


def _any(*alternatives: str) -> re.Pattern[str]:
    return re.compile("|".join(alternatives), re.IGNORECASE)


_QUOTA_CODES = frozenset({
    "account_overdue", "accountoverdueerror", "arrearage", "billing_hard_limit_reached", "billing_not_active",
    "budget_exceeded", "credit_balance_too_low", "insufficient_balance", "insufficient_credits", "insufficient_funds",
    "insufficient_quota", "insufficient_user_quota", "insufficientbalance", "insufficientquota", "payment_required",
    "pre_consume_token_quota_failed", "spending_limit_reached", "token_quota_exceeded",
})  # fmt: skip
_MONEY = _any(
    r"budget has been exceeded",
    r"\bexceeded\w*budget|exceeded \w*budget|(?:crossed|over) (?:the |your |its )?budget|budget (?:is )?exceeded",
    r"credit balance is too low",
    r"(?:insufficient|not enough) (?:account |user |token |your )?(?:balance|credits?|funds|quota)",
    r"(?:balance|credits?|funds|quota) (?:is |are )?(?:insufficient|not enough|too low)",
    r"billing hard limit|spend(?:ing)? limit|payment required|account is (?:overdue|in arrears)|out of credits?",
    "余额不足|额度不足|额度已用尽|欠费",
)
_QUOTA = _any(
    r"exceed\w*.{0,40}\b(?:quota|budget)",
    r"\b(?:quota|budget|credits?)\b.{0,40}(?:exceed|exhausted|used up|reached|depleted|has run out)",
    r"(?:run|ran|running) out of.{0,20}(?:quota|credits?|budget|funds)",
    r"(?:daily|weekly|monthly|usage|plan).{0,20} (?:limit|cap|allowance)\b.{0,30}(?:reached|exceed|used up|hit)",
    r"(?:reached|exceeded|hit|used up).{0,30}(?:daily|weekly|monthly|usage|plan) (?:\w+ )?(?:limit|cap|allowance)\b",
)
_NOTHING_ALLOWED = _any(r"\blimit(?:\s*[:=]\s*|\s+(?:is\s+)?)0(?![\d.,]*\d)")
_IN_A_TIME = _any(
    r"\bper[ _-]?(?:second|sec|minute|min|hour|day)s?\b|per(?:minute|day|second)",
    r"\b(?:[rtiq]pm|[rt]pd|[qr]ps)\b|call rate limit|(?:requests?|tokens?|images?)[ _-]per",
)
_RATE = _any(r"rate[ _-]?limit", r"\brequests?\b", "throttl")
_AT_ONCE = _any(
    r"\brunning\b|concurren|\bin[ -]progress\b|\bpending\b|\bparallel\b|simultaneous|\bin[ -]?flight\b|\bunfinished\b",
    r"\bactive (?:\w+ )?(?:jobs?|tasks?|requests?|generations?|videos?)|\bqueued\b|queue (?:is )?full|full queue",
)
_TOO_LARGE = _any(r"request (?:is )?too large|too large for|request (?:size )?exceeds the max")
_REQUESTED = _any(r"\blimit:? ?([\d,]{1,20}).{0,60}?\brequested:? ?([\d,]{1,20})")
_NUMBER, _UNIT = r"\d{1,9}(?:\.\d{1,9})?", r"(?:ms|milli|s|m|h|d)[a-z]*(?![a-z])"
_SPOKEN = rf"({_NUMBER}) ?({_UNIT})"
_AGAIN = _any(rf"(?:again|retry|wait)(?: your request)?,? (?:in |after |for |at least )*((?:{_NUMBER} ?{_UNIT}[ ,]*)+)")
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
