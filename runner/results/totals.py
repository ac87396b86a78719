"""Sum up runs: how many are how far, how long they took, and what they have cost."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from runner.artifacts.result import Result
from runner.artifacts.run_status import RunStatus
from runner.config.estimate import Estimate
from runner.config.price import reserved
from runner.config.run import METRIC, Budget, Objective
from runner.shell import command

from .state import RunState

EMULATED = "emulator"
"""The provider whose money is none."""


def money(results: Sequence[Result]) -> str:
    """Return what is spent of what is estimated, budget and savings on one line; emulated money is never called spent.

    The amounts are those of the page.
    """
    return " · ".join([*_paid(results), *_emulated(results), *_budget(results), *_saved(results)])


def is_paid(result: Result) -> bool:
    """Return whether what the run costs is money, or was before it fell back to the emulator."""
    return result.provider != EMULATED or any(each.provider != EMULATED for each in result.attempts)


def estimated_for(results: Sequence[Result]) -> list[float | None]:
    """Return the estimated US dollars of each run that takes money, those that wait included; reused ones do not."""
    return [each.cost.estimated_usd for each in results if is_paid(each) and each.reused_from is None]


def emulated_for(results: Sequence[Result]) -> list[float | None]:
    """Return what each emulated run would cost in US dollars, those that wait included."""
    return [each.cost.usd for each in results if each.provider == EMULATED and each.reused_from is None]


def spent_of(spent: Estimate, estimated: Estimate) -> str:
    """Return the words for what is spent of what all runs were estimated to cost."""
    return f"{spent} spent of {estimated} estimated" if estimated.usd else f"{spent} spent, estimate unknown"


def would_cost(price: Estimate) -> str:
    """Return the words for what emulated runs would cost."""
    return f"emulated, free (would cost {price} at list price)"


def charged(result: Result) -> str:
    """Return what the run adds to the sum, or would at list price if emulated; nothing where nothing was sent."""
    return "reused" if result.reused_from is not None else charges([result])


def charges(results: Sequence[Result]) -> str:
    """Return the sum of what `charged` tells of each run; nothing where nothing was sent."""
    sent = [result for result in results if result.reused_from is None and _sent(result)]
    costs = [usd for each in sent for usd in ([each.cost.usd] if each.provider == EMULATED else _costs(each))]
    return str(Estimate.total(costs, rough=any(map(_is_rough, sent)))) if sent else ""


def under(budget: Budget, result: Result) -> Result:
    """Return the result with this budget, which may be another than the one that its config was saved with."""
    if result.config.budget == budget:
        return result
    return result.model_copy(update={"config": result.config.model_copy(update={"budget": budget})})


def resume_command_for(results: Sequence[Result], directory: Path) -> str | None:
    """Return the command that brings the runs further, with a budget that is large enough; None if none does."""
    from runner.ledger.budget import rounded_up, spent
    from runner.ledger.summary import may_pass, resume_command

    short = [(r.error.code, r) for r in results if r.error is not None and r.error.type == "BudgetError"]
    if not short:
        failures = [r.error for r in results if r.status.failed and r.error is not None]
        retryable = any(may_pass(error.type, retryable=error.retryable) for error in failures)
        return resume_command(Counter(r.status for r in results), directory, retryable=retryable)

    budget = results[0].config.budget
    keys, limits = {key for key, _ in short}, []
    if "budget.max_usd" in keys:
        needed = spent(results, budget) + sum(_next(r) for r in results if r.status is RunStatus.PLANNED)
        limits.append(f"budget.max_usd={rounded_up(needed)}")
    if "budget.max_usd_per_run" in keys:
        needed = max(spent([r], budget) + _next(r) for key, r in short if key == "budget.max_usd_per_run")
        limits.append(f"budget.max_usd_per_run={rounded_up(needed)}")
    return f"{command('resume', directory)} {' '.join(limits)}"


def _paid(results: Sequence[Result]) -> Iterator[str]:
    paid = [r for r in results if is_paid(r) and r.reused_from is None]
    if paid:
        counted = [r for r in paid if _sent(r)]
        costs = Estimate.total((usd for r in counted for usd in _costs(r)), rough=any(map(_is_rough, counted)))
        rough = any(r.cost.estimated_from == "tokens" for r in paid)
        estimated = Estimate.total(estimated_for(results), rough=rough)
        yield spent_of(costs, estimated)


def _emulated(results: Sequence[Result]) -> Iterator[str]:
    if prices := emulated_for(results):
        free = [r for r in results if r.provider == EMULATED and r.reused_from is None]
        yield would_cost(Estimate.total(prices, rough=any(map(_is_rough, free))))


def _budget(results: Sequence[Result]) -> Iterator[str]:
    from runner.ledger.budget import spent

    budget = results[0].config.budget
    if budget.max_usd is not None:
        yield f"{Estimate(spent(results, budget))} of {Estimate(budget.max_usd)} budget"


def _saved(results: Sequence[Result]) -> Iterator[str]:
    reused = [r.saved_usd for r in results if r.reused_from is not None]
    if reused:
        yield f"reuse saved {Estimate.total(reused)}"


def _is_rough(result: Result) -> bool:
    """Return whether what the run has cost is known by an estimate from tokens alone."""
    return result.cost.actual_usd is None and result.cost.estimated_from == "tokens"


def _sent(result: Result) -> bool:
    """Return whether something may have been paid for."""
    known = result.job_id or result.artifacts or result.status is RunStatus.UNCERTAIN
    return bool(known) or any(each.usd != 0 for each in result.attempts)


def _costs(result: Result) -> list[float | None]:
    """Return what each request to a paid provider may have cost; lost and failed ones included."""
    return [each.usd for each in result.attempts if each.provider != EMULATED] or [result.cost.usd]


def _next(result: Result) -> float:
    """Return what the request that the run would send now counts."""
    config = result.config.choice(result.choice)
    return config.budget.counted(config.provider, reserved(config)) or 0.0


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
