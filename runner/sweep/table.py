"""The table of `dry_run=true`: every run, what differs between them, what each costs, and the sum."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from runner.config import Estimate, RunConfig, estimate
from runner.display import clean

from .varying import Varying

if TYPE_CHECKING:
    from rich.console import Console

_MOST_ROWS = 60
"""Of more runs, the first and last halves of this are shown."""


def print_dry_run(
    numbers: Sequence[int],
    configs: Sequence[RunConfig],
    differing: Varying,
    console: Console | None = None,
    note: str = "",
) -> None:
    """Print what would be sent and what it would cost; an unknown price is never counted as nothing."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = console or Console(highlight=False)
    prices = [estimate(config) for config in configs]
    table = Table(box=None, pad_edge=False)
    table.add_column("run", justify="right", no_wrap=True)
    for key in differing.keys:
        table.add_column(key.removeprefix("request."), overflow="fold", max_width=60)
    if not differing.keys:
        table.add_column("model")
    table.add_column("price", justify="right", no_wrap=True)
    for row in _shown(len(configs)):
        if row is None:
            table.add_row("…")
            continue
        cells = [_cell(value) for value in differing.rows[row]] or [configs[row].model.name]
        table.add_row(str(numbers[row]), *map(Text, cells), str(Estimate.total([prices[row]])))
    console.print(table)
    for line in filter(None, (_summary(configs, prices), note)):
        console.print(line, markup=False, soft_wrap=True)


def _shown(count: int) -> list[int | None]:
    half = _MOST_ROWS // 2
    return [*range(count)] if count <= _MOST_ROWS else [*range(half), None, *range(count - half, count)]


def _cell(value: object) -> str:
    return "" if value is None else clean(str(value), 120)


def _summary(configs: Sequence[RunConfig], prices: Sequence[float | None]) -> str:
    unknown = sum(price is None for price in prices)
    parts = [f"{len(configs):,} run{'s' * (len(configs) != 1)}", f"{Estimate.total(prices)} at list price"]
    if unknown and unknown < len(prices):
        parts.append(f"{unknown:,} of unknown price")
    if any(config.fallbacks for config in configs):
        worst = Estimate.total(estimate(choice) for config in configs for choice in config.choices)
        parts.append(f"{worst} if every fallback is needed and what failed is charged, too")
    if all(config.provider.kind == "emulator" for config in configs):
        parts.append("on the emulator: free")
    return " · ".join(parts) + " · dry run: nothing was sent or written"
