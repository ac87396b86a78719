"""Track the money of all runs together: reserved before each paid request, settled when more is known."""

from __future__ import annotations

from runner.config.estimate import Estimate
from runner.config.run import Budget, passes
from runner.errors import BudgetError, ConfigError, ContentModerationError, ProviderError, RunnerError

from .limiter import StoppedError

SWEEP = "budget.max_usd"
RUN = "budget.max_usd_per_run"


class BudgetTracker:
    """Count what is or may be spent, in US dollars, against a limit (None: none); used on one event loop.

    A request counts from the moment it is sent. What is taken for it goes back if it provably created nothing.
    """

    def __init__(self, limit: float | None = None, spent: float = 0.0) -> None:
        self.limit = limit
        self.spent = spent
        self._refused = False

    def take(self, usd: float | None, budget: Budget, by_run: float = 0.0) -> None:
        """Take a request's price, before it is sent; `by_run` is what its run has spent already.

        Raises `BudgetError` where that would pass a limit. Once the sweep's is reached, everyone after the first to
        hear of it gets `StoppedError`.
        """
        if self._refused:
            raise StoppedError
        if usd is None and (self.limit is not None or budget.max_usd_per_run is not None):
            raise BudgetError("the price of a request is unknown, so that no budget can be kept",
                              hint="budget.assume_usd_per_run=N counts it as N", code=RUN)  # fmt: skip
        price = usd or 0.0
        if passes(by_run + price, budget.max_usd_per_run):
            raise BudgetError(_text(RUN, budget.max_usd_per_run, by_run, price), hint=_KEPT, code=RUN)
        if passes(self.spent + price, self.limit):
            self._refused = True
            raise BudgetError(_text(SWEEP, self.limit, self.spent, price), hint=_KEPT, code=SWEEP)
        self.spent += price

    def correct(self, before: float | None, after: float | None) -> None:
        """Replace what a request was taken to cost by what is known of it now."""
        self.spent += (after or 0.0) - (before or 0.0)


_KEPT = "nothing was sent for it; requests under way continue to their end"


def _text(key: str, limit: float | None, spent: float, price: float) -> str:
    return f"{key}={limit:g} is reached: {Estimate(spent)} spent or at risk, {Estimate(price)} for the next request"


def created_nothing(error: RunnerError) -> bool:
    """Return whether a paid request that met `error` provably cost nothing.

    A filter that strikes without an HTTP status struck in the middle of the work, which may be charged.
    """
    begun = isinstance(error, ContentModerationError) and error.status_code is None
    return isinstance(error, ProviderError | ConfigError) and not begun
