"""Sum up runs: how many are how far, what they cost, how long they took, and the number that an optimiser gets."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from runner.artifacts.result import Result
from runner.artifacts.run_status import RunStatus
from runner.config.run import METRIC, Objective

from .money import EMULATED, emulated_for, estimated_for
from .state import RunState


def totals(
    results: Sequence[Result], states: Sequence[RunState], budget_usd: float | None, reserved: float = 0.0
) -> dict[str, object]:
    """Return the sums of all runs; `states` has each one's, money is in US dollars, latencies in seconds.

    `reserved` is spent, too: by requests that are under way and in no result yet. `estimated_usd` is of all runs that
    take money, those included that wait, and `emulated_usd` of all that do not. `saved_usd` is what reused runs would
    have cost; `resumed` counts the jobs of earlier processes that later ones collected, and `resumed_usd` sums their
    prices, which were not paid again.
    """
    counts = Counter(states)
    ended = counts[RunState.DONE] + counts[RunState.FAILED]
    collected = [attempt for each in results if (attempt := each.collected) is not None]
    verified = [each for each in results if each.status is RunStatus.VERIFIED]
    latencies = sorted(each.latency_seconds for each in verified if each.latency_seconds)
    return {
        "runs": len(results),
        **{state.value: counts[state] for state in RunState},
        "estimated_usd": _sum(estimated_for(results)),
        "emulated_usd": _sum(emulated_for(results)),
        "spent_usd": _sum([*(each.spent_usd for each in results), *([reserved] if reserved else [])]),
        "actual_usd": _sum(each.cost.actual_usd for each in results),
        "budget_usd": budget_usd,
        "emulated": all(each.provider == EMULATED for each in results),
        "success_rate": round(counts[RunState.DONE] / ended, 4) if ended else None,
        "latency_p50": _percentile(latencies, 0.5),
        "latency_p95": _percentile(latencies, 0.95),
        "retries": sum(max(0, len(each.attempts) - 1) for each in results),
        "reused": sum(each.reused_from is not None for each in results),
        "saved_usd": _sum(each.saved_usd for each in results) or 0.0,
        "resumed": len(collected),
        "resumed_usd": _sum(attempt.usd for attempt in collected) or 0.0,
    }


def _sum(amounts: Iterable[float | None]) -> float | None:
    """Return the sum of what is known; None if nothing is."""
    known = [amount for amount in amounts if amount is not None]
    return round(sum(known), 6) if known else None


def _percentile(ordered: Sequence[float], share: float) -> float | None:
    """Return the smallest value that at least `share` of all do not exceed."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None


def objective_value(
    result: Result, objective: Objective, scores: Mapping[str, float | None] = MappingProxyType({})
) -> float | None:
    """Return the cost in USD, latency or duration in seconds, file size in bytes, or a metric of its `scores`.

    None where the run does not tell. The latency is what `results.csv` and the page show: from the request to the
    checked file, its download included.
    """
    if objective.startswith(METRIC):
        return scores.get(objective.removeprefix(METRIC))
    match objective:
        case "cost":
            return result.cost.usd
        case "latency":
            return result.latency_seconds
        case "duration":
            return result.artifacts[0].duration_seconds if result.artifacts else None
        case "file_size":
            return float(result.artifacts[0].bytes) if result.artifacts else None
    return None
