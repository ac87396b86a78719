"""Write sums of money, of which parts may be unknown or rough."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .price import Price


@dataclass(frozen=True, slots=True)
class Estimate:
    """Describe a sum in US dollars; whether parts of it are unknown, and whether parts are estimated from tokens."""

    usd: float
    complete: bool = True
    rough: bool = False

    def __str__(self) -> str:
        if self.complete:
            return f"about {dollars(self.usd)}" if self.rough else dollars(self.usd)
        return f"≥ {dollars(self.usd)}" if self.usd else "unknown"

    @classmethod
    def total(cls, costs: Iterable[float | None], *, rough: bool = False) -> Estimate:
        """Return the sum of what is known, marked incomplete if anything is not."""
        known = [*costs]
        return cls(sum(cost for cost in known if cost is not None), complete=None not in known, rough=rough)

    @classmethod
    def of(cls, prices: Iterable[Price | None]) -> Estimate:
        """Return the sum of prices, marked as what it is."""
        known = [*prices]
        rough = any(price is not None and price.basis == "tokens" for price in known)
        return cls.total((None if price is None else price.usd for price in known), rough=rough)


def dollars(usd: float) -> str:
    """Return an amount with its cents, below ten cents with up to four digits: as the page writes it."""
    if usd == 0 or usd >= 0.1:
        return f"${usd:,.2f}"
    whole, _, digits = f"{usd:.4f}".partition(".")
    return f"${whole}.{digits.rstrip('0').ljust(2, '0')}"
