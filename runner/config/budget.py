"""What a run and its whole sweep may cost, and when to ask before anything is paid."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import BeforeValidator, Field

from .frozen import Frozen
from .provider import EmulatorConfig, ProviderConfig


def _no_switch(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("it is an amount of US dollars")  # noqa: TRY004 - pydantic collects ValueErrors only
    return value


Usd = Annotated[float, BeforeValidator(_no_switch), Field(ge=0)]
"""US dollars, finite and not negative."""


class Budget(Frozen):
    """Limits in US dollars; None: no limit.

    Attributes:
        max_usd: what the sweep, or the single run, may cost altogether, uncertain and failed requests counted.
        max_usd_per_run: the same for each run with its repetitions and fallbacks.
        confirm_above_usd: without `max_usd`, a sum above this is asked about before the start; None: never.
        assume_usd_per_run: what a request counts whose price is unknown.
        count_emulator: whether emulated work counts as if it were paid.
    """

    max_usd: Usd | None = None
    max_usd_per_run: Usd | None = None
    confirm_above_usd: Usd | None = 20
    assume_usd_per_run: Usd | None = None
    count_emulator: bool = False

    @property
    def limited(self) -> bool:
        """Return whether there is anything that must not be passed."""
        return self.max_usd is not None or self.max_usd_per_run is not None

    def counts(self, provider: ProviderConfig) -> bool:
        """Return whether what this provider does is money."""
        return self.count_emulator or not isinstance(provider, EmulatorConfig)

    def known(self, usd: float | None) -> float:
        """Return what an attempt counts in US dollars, whose price may be unknown; no record gives money back."""
        return (self.assume_usd_per_run or 0.0) if usd is None or not math.isfinite(usd) else max(0.0, usd)

    def counted(self, provider: ProviderConfig, usd: float | None) -> float | None:
        """Return what a price of `usd` counts there in US dollars; None: nobody knows."""
        if not self.counts(provider):
            return 0.0
        return self.assume_usd_per_run if usd is None else usd


def passes(usd: float, limit: float | None) -> bool:
    """Return whether a sum is above its limit by more than what adding up fractions of a cent leaves."""
    return limit is not None and usd > limit + 1e-6
