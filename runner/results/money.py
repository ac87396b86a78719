"""Tell what runs have cost, in the closing lines, and how to resume where a budget has stopped them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from runner.artifacts.result import Result
from runner.artifacts.run_status import RunStatus
from runner.config.estimate import Estimate
from runner.config.price import reserved
from runner.config.run import Budget
from runner.shell import command

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
