"""The table of `dry_run=true`: every run, what differs between them, what each costs, and the sum."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from runner.config import Budget, Estimate, Price, RunConfig, expected_price
from runner.config.price import MARGIN
from runner.display import clean
from runner.engine.run import Run
from runner.ledger.budget import check_budget, counted_sum
from runner.results.varying import varying

from .consent import PlannedCost, asks

if TYPE_CHECKING:
    from rich.console import Console

_MOST_COLUMNS = 60
_MOST_ROWS = 60
"""Of more runs, the first and last halves of this are shown."""


def print_dry_run(
    runs: Sequence[Run], console: Console | None = None, note: str = "", left: PlannedCost | None = None
) -> None:
    """Print what would be sent and what it would cost; an unknown price is never counted as nothing.

    Raises what would keep the runs from beginning, after the table: `BudgetError`, or `ConfigError` for an unknown
    price. `left` are the runs that will be paid, where others are done already or reused.
    """
    from rich.console import Console

    from runner.display.table import Head, print_grid

    console = console or Console(highlight=False)
    left = left or PlannedCost([*runs], 0.0)
    paid = {run.index for run in left.runs}
    configs = [run.config for run in runs]
    differing = varying([run.overrides for run in runs], configs)
    prices = [expected_price(run.config) if run.index in paid else Price(0.0, "list") for run in runs]
    names = [key.removeprefix("request.") for key in differing.keys] or ["model"]
    heads = [Head("run", right=True), *(Head(name, most=_MOST_COLUMNS) for name in names), Head("price", right=True)]
    rows = []
    for row in _shown(len(runs)):
        if row is None:
            rows.append((["…", *("" for _ in heads[1:])], ""))
            continue
        cells = [_cell(value) for value in differing.rows[row]] or [configs[row].model.name]
        index = runs[row].index
        cost = str(Estimate.of([prices[row]])) if index in paid else "none: is there"
        rows.append(([str(index), *cells, cost], ""))
    print_grid(heads, rows, console)
    for line in filter(None, (_summary(configs, prices, left), note)):
        console.print(line, markup=False, soft_wrap=True)
    check_budget(left.runs, spent=left.spent)


def _shown(count: int) -> list[int | None]:
    half = _MOST_ROWS // 2
    return [*range(count)] if count <= _MOST_ROWS else [*range(half), None, *range(count - half, count)]


def _cell(value: object) -> str:
    return "" if value is None else clean(str(value), 120)


def _summary(configs: Sequence[RunConfig], prices: Sequence[Price | None], left: PlannedCost) -> str:
    unknown, total = prices.count(None), Estimate.of(prices)
    source = "(estimated from tokens)" if total.rough else "at list price"
    parts = [f"{len(configs):,} run{'s' * (len(configs) != 1)}", f"{total} {source}"]
    if unknown and unknown < len(prices):
        parts.append(f"{unknown:,} of unknown price")
    if any(config.fallbacks for config in configs):
        worst = Estimate.of(expected_price(choice) for config in configs for choice in config.choices)
        parts.append(f"{worst} if every fallback is needed and what failed is charged, too")
    if all(config.provider.kind == "emulator" for config in configs):
        parts.append("on the emulator: free" + ", but counted" * configs[0].budget.count_emulator)
    parts += _limits(configs[0].budget, left)
    return " · ".join(parts) + " · dry run: nothing was sent or written"


def _limits(budget: Budget, left: PlannedCost) -> Iterator[str]:
    configs = [run.config for run in left.runs]
    total = counted_sum(configs)
    if budget.max_usd is not None:
        margin = f", with a margin of {MARGIN - 1:.0%} on estimates" if total.rough else ""
        yield f"{Estimate(left.spent + total.usd, rough=total.rough)} of {Estimate(budget.max_usd)} budget{margin}"
    if asks(configs, total, left.spent):
        yield f"asks before it starts, as that is above {Estimate(budget.confirm_above_usd or 0.0)} (yes=true answers)"
