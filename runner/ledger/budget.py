"""Check whether runs may begin under their budget, by list prices and by what is spent already."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from runner.artifacts.result import Result
from runner.config.estimate import Estimate
from runner.config.price import MARGIN, expected_price
from runner.config.problem import ranges
from runner.config.run import Budget, RunConfig, passes
from runner.engine.run import Run
from runner.errors import BudgetError, ConfigError


class Sum(NamedTuple):
    """Describe what runs would cost by their first choices.

    Attributes:
        usd: of known or assumed price, what counts as money.
        unknown: how many runs have no price.
        rough: whether prices among them are estimated from tokens; these have their margin in the sum.
    """

    usd: float
    unknown: int
    rough: bool = False

    def __str__(self) -> str:
        text = str(Estimate(self.usd, complete=not self.unknown, rough=self.rough))
        return f"{text} (estimated from tokens, with a margin of {MARGIN - 1:.0%})" if self.rough else text

    @classmethod
    def of(cls, costs: Sequence[Counted]) -> Sum:
        """Return the sum of what runs count; what costs nothing is known exactly."""
        usd = [cost.usd for cost in costs]
        return cls(sum(each or 0.0 for each in usd), usd.count(None), any(cost.usd and cost.rough for cost in costs))


class Counted(NamedTuple):
    """Describe what one run counts by its present choice.

    Attributes:
        usd: in US dollars, with the margin of an estimate; None if nobody knows.
        rough: whether its price is estimated from tokens.
    """

    usd: float | None
    rough: bool


def counted(config: RunConfig) -> Counted:
    """Return what the run's present choice counts until its real cost is known."""
    price = expected_price(config)
    usd = config.budget.counted(config.provider, None if price is None else price.reserved)
    return Counted(usd, price is not None and price.basis == "tokens")


def spent(results: Iterable[Result], budget: Budget) -> float:
    """Return what the runs' attempts count in US dollars; those of unknown price as `budget` assumes."""
    attempts = (attempt for result in results for attempt in result.attempts)
    return sum(budget.known(each.usd) for each in attempts)


def check_budget(runs: Sequence[Run], *, spent: float = 0.0) -> Sum:
    """Return what the runs would cost, or raise what keeps them from beginning.

    That is a `BudgetError` for a limit, a `ConfigError` for an unknown price. `spent` is what earlier runs of the same
    sweep count, in US dollars.
    """
    costs = [counted(run.config) for run in runs]
    planned = Sum.of(costs)
    if not runs:
        return planned
    budget = runs[0].config.budget
    if budget.limited:
        _refuse_unknown(runs)
    _refuse_dear(runs, costs)
    total = spent + planned.usd
    if passes(total, budget.max_usd):
        already = f" on top of {Estimate(spent)} that is spent or at risk, {Estimate(total)} in all" if spent else ""
        nothing = "nothing was sent for them" if spent else "nothing was sent or written"
        raise BudgetError(
            f"{_runs(len(runs))} would cost {planned._replace(unknown=0)}{already}, above "
            f"budget.max_usd={budget.max_usd:g}; {nothing}",
            hint=f"budget.max_usd={rounded_up(total)} is enough, if nothing has to be paid again",
            code="budget.max_usd",
        )
    return planned


def rounded_up(usd: float) -> str:
    """Return a limit that lets `usd` pass, in whole cents."""
    return f"{-(-round(usd * 1e6) // 10_000) / 100:.2f}"


def _refuse_unknown(runs: Sequence[Run]) -> None:
    unknown = [run.index for run in runs if any(counted(each).usd is None for each in run.config.choices)]
    if unknown:
        raise ConfigError(
            f"no budget can be kept, as no source gives a price for {_named(unknown, len(runs))}; "
            "nothing was sent or written",
            hint="budget.assume_usd_per_run=0.50 counts each such request as that many dollars, 0 as free",
        )


def _refuse_dear(runs: Sequence[Run], costs: Sequence[Counted]) -> None:
    limit = runs[0].config.budget.max_usd_per_run
    dear = [(run, cost) for run, cost in zip(runs, costs, strict=True) if passes(cost.usd or 0.0, limit)]
    if dear:
        usd = max(cost.usd or 0.0 for _, cost in dear)
        named = _named([run.index for run, _ in dear], len(runs))
        most = Sum(usd, 0, any(cost.rough for _, cost in dear))
        raise BudgetError(
            f"{named} would cost {'up to ' if len(dear) > 1 else ''}{most}, above "
            f"budget.max_usd_per_run={limit:g}; nothing was sent or written",
            hint=f"budget.max_usd_per_run={rounded_up(usd)} is enough, if nothing has to be paid again",
            code="budget.max_usd_per_run",
        )


def _named(indexes: Sequence[int], total: int) -> str:
    if total == 1:
        return "the run"
    return f"run{'s' * (len(indexes) > 1)} {ranges(indexes)}"


def _runs(count: int) -> str:
    return "the run" if count == 1 else f"the {count:,} runs"
