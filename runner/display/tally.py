"""Count how far all runs are together, from their events: numbers, money, and about how long it will take."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from runner.artifacts.result import Result, RunStatus
from runner.config.price import Estimate
from runner.engine.run import Event, Run

from .line import roughly

Now = Callable[[], float]
"""Seconds on a clock that only goes forward."""

_KNOWN = 8
"""Runs that must have succeeded before anything is foretold."""

_KEPT = 256
"""Latest latencies that the forecast is made of."""


@dataclass(slots=True)
class Active:
    """Describe one run that is under way.

    Attributes:
        event: its latest.
        since: when it began.
        before: US dollars that it counted until then.
        price: US dollars that it counts on top of that while its end is open.
    """

    event: Event
    since: float
    before: float
    price: float


class Tally:
    """Count events, each in a few microseconds.

    Attributes:
        total: how many runs there are.
        active: those under way, by number, the oldest first.
        ended: how many have ended, those included that had before.
        began: when this began.
    """

    def __init__(self, runs: Sequence[Run], now: Now = time.monotonic) -> None:
        self._now = now
        self.began = now()
        self.total = len(runs)
        self.active: dict[int, Active] = {}
        self.ended = sum(not run.open for run in runs)
        self._ends: Counter[str] = Counter()
        self._latencies: deque[float] = deque(maxlen=_KEPT)
        self._money = _Money(runs)

    @property
    def seconds(self) -> float:
        """Return how long this has gone on."""
        return self._now() - self.began

    @property
    def waiting(self) -> int:
        """Return how many runs have not begun."""
        return max(0, self.total - self.ended - len(self.active))

    def take(self, event: Event) -> None:
        """Take an event in."""
        index = event.run.index
        known = self.active.get(index)
        if event.result is not None:
            self._end(event, event.result, self.active.pop(index, None))
        elif event.status is RunStatus.PLANNED:
            # Again, as nothing came of its request.
            if known is not None:
                del self.active[index]
                self._money.spent -= known.price
        elif known is None:
            before, price = self._money.taken(event.run)
            self.active[index] = Active(event, self._now(), before, price)
        else:
            known.event = event

    def parts(self) -> Iterator[str]:
        """Yield what is to be said of it, the most important first."""
        yield f"{self.ended:,}/{self.total:,} runs" if self.total > 1 else f"{self.ended}/1 run"
        # Copied, as a display draws in a thread of its own.
        yield from (f"{count:,} {word}" for word, count in [*self._ends.items()] if word != "succeeded")
        if self.active and self.total > 1:
            yield f"{len(self.active):,} under way"
        if (left := self.seconds_left()) is not None:
            yield f"{roughly(left)} left"
        yield from self._money.parts()

    def seconds_left(self) -> float | None:
        """Estimate the seconds that the rest takes, by how long the latest runs took; None where that tells nothing."""
        known, active = sorted(self._latencies), [*self.active.values()]  # another thread asks
        if len(known) < _KNOWN or 10 * len(known) < min(len(active), _KEPT) or not active:
            return None
        usual, slow = sum(known) / len(known), known[len(known) * 9 // 10]
        if self.waiting:
            # As many at a time as now, and then the last ones.
            return self.waiting / len(active) * usual + slow
        youngest = self._now() - max(each.since for each in active)
        return slow - youngest if youngest < slow else None

    def _end(self, event: Event, result: Result, known: Active | None) -> None:
        self.ended += 1
        self._ends[_word(result)] += 1
        self._money.settle(event.run, result, known)
        # What was resumed took longer than this process saw.
        if known is not None and result.status is RunStatus.VERIFIED and event.run.earlier is None:
            self._latencies.append(self._now() - known.since)


class _Money:
    """Sum up what runs count as spent, beside their estimates; `BudgetTracker` keeps the limits."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self._budget = runs[0].config.budget if runs else None
        self._free = not any(run.config.budget.counts(run.config.provider) for run in runs)
        self._runs = runs
        self.spent = 0.0 if self._free else sum(_spent(run.earlier, run) for run in runs if run.earlier is not None)

    @cached_property
    def estimated(self) -> Estimate:
        """Return what all runs would count by their first choices; computed on first use, which delays no request."""
        from runner.ledger.budget import counted

        rough = not self._free and any(counted(run.config).rough for run in self._runs)
        return Estimate.total((_price(run) for run in self._runs), rough=rough)

    def taken(self, run: Run) -> tuple[float, float]:
        """Return what a run that begins has spent already, and what it counts from now on."""
        if self._free:
            return 0.0, 0.0
        before = 0.0 if run.earlier is None else _spent(run.earlier, run)
        price = (_price(run) or 0.0) if run.pays else 0.0
        self.spent += price
        return before, price

    def settle(self, run: Run, result: Result, known: Active | None) -> None:
        """Replace what a run was taken to cost by what its attempts count."""
        if self._free or (known is None and not result.attempts):
            return
        if known is not None:
            before = known.before + known.price
        else:
            before = 0.0 if run.earlier is None else _spent(run.earlier, run)
        self.spent += _spent(result, run) - before

    def parts(self) -> Iterator[str]:
        if self._free:
            yield "emulated, free"
            return
        yield f"{Estimate(self.spent)} spent"
        yield f"{self.estimated} estimated" if self.estimated.usd else "estimate unknown"
        if self._budget is not None and self._budget.max_usd is not None:
            yield f"budget {Estimate(self._budget.max_usd)}"


def _price(run: Run) -> float | None:
    from runner.ledger.budget import counted

    return counted(run.config).usd


def _spent(result: Result, run: Run) -> float:
    return sum(run.config.budget.known(attempt.usd) for attempt in result.attempts)


def _word(result: Result) -> str:
    if result.status is RunStatus.VERIFIED:
        return "succeeded" if result.reused_from is None else "reused"
    return "failed" if result.status.failed else "uncertain" if result.status.lost else "left for later"
