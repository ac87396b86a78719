"""What a page's runs amount to: how many are how far, what they cost, how long they took, what was saved."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from runner.artifacts.result import Result, RunStatus

_FREE = "emulator"


def totals(results: Sequence[Result], groups: Sequence[str], budget_usd: float | None) -> dict[str, object]:
    """The sums of all runs; `groups` has each one's, money is in US dollars, latencies in seconds."""
    counts = Counter(groups)
    ended = counts["done"] + counts["failed"]
    latencies = sorted(seconds for each in results if each.status is RunStatus.VERIFIED and (seconds := latency(each)))
    return {
        "runs": len(results),
        **{group: counts[group] for group in ("done", "failed", "uncertain", "running", "pending")},
        "estimated_usd": _sum(each.cost.estimated_usd for each in results),
        "spent_usd": _sum(each.spent_usd for each in results),
        "actual_usd": _sum(each.cost.actual_usd for each in results),
        "budget_usd": budget_usd,
        "emulated": all(each.provider == _FREE for each in results),
        "success_rate": round(counts["done"] / ended, 4) if ended else None,
        "latency_p50": _percentile(latencies, 0.5),
        "latency_p95": _percentile(latencies, 0.95),
        "retries": sum(max(0, len(each.attempts) - 1) for each in results),
        "reused": sum(each.reused_from is not None for each in results),
        "saved_usd": _sum(each.saved_usd for each in results) or 0.0,
        "resumed": sum(each.resumed > 0 and each.status is RunStatus.VERIFIED for each in results),
    }


def latency(result: Result) -> float | None:
    """Seconds from the first request that counts to the end; None if there is no such request or no end yet."""
    begin, end = result.timestamps.get(RunStatus.SUBMITTING.value), max(result.timestamps.values(), default=None)
    over = result.status is RunStatus.VERIFIED or result.status.failed
    return round((end - begin).total_seconds(), 3) if over and begin and end else None


def _sum(amounts: Iterable[float | None]) -> float | None:
    """Of what is known; None if nothing is."""
    known = [amount for amount in amounts if amount is not None]
    return round(sum(known), 6) if known else None


def _percentile(ordered: Sequence[float], share: float) -> float | None:
    """The smallest value that at least `share` of all do not exceed."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None
