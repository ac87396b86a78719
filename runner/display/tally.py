"""Count how far all runs are together, from their events: numbers, money, and about how long it will take."""

from __future__ import annotations

import signal
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from runner.artifacts.result import Result
from runner.artifacts.run_status import RunStatus
from runner.config.estimate import Estimate
from runner.config.price import estimate
from runner.engine.run import Event, Run
from runner.results.state import RunState, state_of
from runner.results.totals import EMULATED, spent_of, would_cost

from .line import roughly

Now = Callable[[], float]
"""Seconds on a clock that only goes forward."""

_KNOWN = 3
"""Runs that must have succeeded before anything is foretold."""

_KEPT = 256
"""Latest durations that the forecast is made of."""

_UNDER_WAY = (RunState.GENERATING, RunState.DOWNLOADING)
_OVER = (RunState.DONE, RunState.FAILED, RunState.UNCERTAIN)


@dataclass(slots=True)
class Active:
    """Describe one run that is under way.

    Attributes:
        event: its latest.
        since: when it began.
        before: US dollars that it counted until then.
        price: US dollars that it counts on top of that while its end is open.
        made: when its file was made and its download began; None before that.
    """

    event: Event
    since: float
    before: float
    price: float
    made: float | None = None


class Tally:
    """Count events, each in a few microseconds.

    Attributes:
        total: how many runs there are.
        states: how many of them are in each state.
        reused: how many were finished with another run's files.
        active: those under way, by number, the oldest first.
        began: when this began.
        interrupts: how many signals to end have come.
    """

    def __init__(self, runs: Sequence[Run], now: Now = time.monotonic) -> None:
        self._now = now
        self.began = now()
        self.total = len(runs)
        self.active: dict[int, Active] = {}
        self.reused = 0
        self.interrupts = 0
        self._state = {run.index: _state_before(run) for run in runs}
        self.states = Counter(self._state.values())
        self._making: deque[float] = deque(maxlen=_KEPT)
        self._downloading: deque[float] = deque(maxlen=_KEPT)
        self._money = _Money(runs)

    @property
    def seconds(self) -> float:
        """Return how long this has gone on."""
        return self._now() - self.began

    @property
    def ended(self) -> int:
        """Return how many runs have ended, those included that had before."""
        return sum(self.states[state] for state in _OVER)

    @property
    def waiting(self) -> int:
        """Return how many runs this process has not begun."""
        return max(0, self.total - self.ended - len(self.active))

    def take(self, event: Event) -> None:
        """Take an event in."""
        index = event.run.index
        known = self.active.get(index)
        if event.result is not None:
            self._end(event, event.result, self.active.pop(index, None))
            self._enter(index, state_of(event.result.status, busy=False))
            return
        state = state_of(event.status, busy=True)
        self._enter(index, state)
        if event.status is RunStatus.PLANNED:
            # Again, as nothing came of its request.
            if known is not None:
                del self.active[index]
                self._money.spent -= known.price
            return
        if known is None:
            before, price = self._money.taken(event.run)
            known = self.active[index] = Active(event, self._now(), before, price)
        known.event = event
        if state is RunState.DOWNLOADING and known.made is None:
            known.made = self._now()

    def interrupt(self, signal_number: int) -> str:
        """Take in a signal to end; return the words for what it was, what goes on and what the next one does."""
        self.interrupts += 1
        sent = sum(each.event.status is RunStatus.SUBMITTING for each in self.active.values())
        goes_on = sum(each.event.status.paid and each.event.job_id is not None for each in self.active.values())
        parts = [f"interrupted by {name_of(signal_number)}" if self.interrupts == 1 else "interrupted again"]
        parts.append("nothing more is sent" if self.interrupts == 1 else "no answer is awaited any more")
        if goes_on:
            parts.append(f"{_jobs(goes_on)} on at the provider")
        if sent and self.interrupts == 1:
            answers = "the answer to a paid request is" if sent == 1 else f"the answers to {sent:,} paid requests are"
            parts.append(f"{answers} awaited (Ctrl-C again does not wait)")
        elif sent:
            parts.append(f"{sent:,} paid request{'s' * (sent > 1)} may have been charged")
        return "; ".join(parts)

    def parts(self) -> Iterator[str]:
        """Yield what is to be said of it in one line, the most important first."""
        yield self.runs()
        if self.total > 1:
            yield from self.counts()
        yield from self.rest()
        yield from self.money()

    def runs(self) -> str:
        """Return how many of the runs have ended."""
        return f"{self.ended:,}/{self.total:,} run{'s' * (self.total > 1)}"

    def counts(self) -> Iterator[str]:
        """Yield how many runs are in each state that occurs."""
        yield from (f"{self.states[state]:,} {state}" for state in RunState if self.states[state])
        if self.reused:
            yield f"{self.reused:,} reused"

    def rest(self) -> Iterator[str]:
        """Yield how long it will take, if that can be told."""
        if (left := self.seconds_left()) is not None:
            yield f"{roughly(left)} left"

    def money(self) -> Iterator[str]:
        """Yield what is spent of what is estimated, and the budget."""
        yield from self._money.parts()

    def seconds_left(self) -> float | None:
        """Estimate the seconds that the rest takes, downloads included; None where what is known tells nothing.

        It goes by how long the latest runs took to be made and to be downloaded.
        """
        making, downloading = sorted(self._making), sorted(self._downloading)
        active = [*self.active.values()]  # another thread asks
        if len(making) < _KNOWN or 10 * len(making) < min(len(active), _KEPT) or not active:
            return None
        slow, slow_download = (_slow(known) for known in (making, downloading))
        if self.waiting:
            # As many at a time as now, and then the last ones.
            usual = sum(making) / len(making) + sum(downloading) / len(downloading)
            return self.waiting / len(active) * usual + slow + slow_download
        left = [*self._left(active, slow, slow_download)]
        return max(left) if left else None

    def _left(self, active: Sequence[Active], slow: float, slow_download: float) -> Iterator[float]:
        """Yield what each run takes yet; nothing of one that has taken longer than it was to."""
        now = self._now()
        for each in active:
            if each.made is not None:
                left = each.made + slow_download - now
            else:
                left = each.since + slow - now
                left += slow_download if left > 0 else 0
            if left > 0:
                yield left

    def _enter(self, index: int, state: RunState) -> None:
        before = self._state.get(index)
        if before is not state:
            if before is not None:
                self.states[before] -= 1
            self.states[state] += 1
            self._state[index] = state

    def _end(self, event: Event, result: Result, known: Active | None) -> None:
        self.reused += result.reused_from is not None
        self._money.settle(event.run, result, known)
        # What was resumed took longer than this process saw.
        if known is not None and result.status is RunStatus.VERIFIED and event.run.earlier is None:
            now = self._now()
            made = now if known.made is None else known.made
            self._making.append(made - known.since)
            self._downloading.append(now - made)


def name_of(signal_number: int) -> str:
    """Return what a user calls a signal."""
    return "Ctrl-C" if signal_number == signal.SIGINT else signal.Signals(signal_number).name


def _jobs(count: int) -> str:
    return "1 job goes" if count == 1 else f"{count:,} jobs go"


def _state_before(run: Run) -> RunState:
    """Return the state in which a run is taken up: one that is tried again waits for its turn."""
    return RunState.QUEUED if run.again else state_of(run.status, busy=True)


def _slow(ordered: Sequence[float]) -> float:
    """Return what nine of ten do not exceed."""
    return ordered[len(ordered) * 9 // 10]


class _Money:
    """Sum up what runs count as spent, beside their estimates; `BudgetTracker` keeps the limits."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self._budget = runs[0].config.budget if runs else None
        self._counted = any(run.config.budget.counts(run.config.provider) for run in runs)
        self._emulated = all(run.config.provider.kind == EMULATED for run in runs)
        self._runs = runs
        self._change = 0.0
        self.spent = sum(_spent(run.earlier, run) for run in runs if run.earlier is not None) if self._counted else 0.0

    @cached_property
    def estimated(self) -> Estimate:
        """Return what all runs would cost by their first choices; computed on first use, which delays no request."""
        from runner.config.price import expected_price

        return Estimate.of(expected_price(run.config) for run in self._runs if not _is_reused(run.earlier))

    def taken(self, run: Run) -> tuple[float, float]:
        """Return what a run that begins has spent already, and what it counts from now on."""
        if not self._counted:
            return 0.0, 0.0
        before = 0.0 if run.earlier is None else _spent(run.earlier, run)
        price = (_price(run) or 0.0) if run.pays else 0.0
        self.spent += price
        return before, price

    def settle(self, run: Run, result: Result, known: Active | None) -> None:
        """Replace what a run was taken to cost by what its attempts count."""
        if _is_reused(result):
            self._change -= estimate(run.config) or 0.0
        elif self._emulated and result.cost.actual_usd is not None:
            self._change += result.cost.actual_usd - (estimate(run.config) or 0.0)
        if not self._counted or (known is None and not result.attempts):
            return
        if known is not None:
            before = known.before + known.price
        else:
            before = 0.0 if run.earlier is None else _spent(run.earlier, run)
        self.spent += _spent(result, run) - before

    def parts(self) -> Iterator[str]:
        estimated = replace(self.estimated, usd=max(0.0, self.estimated.usd + self._change))
        if self._emulated:
            yield would_cost(estimated)
        else:
            yield spent_of(Estimate(self.spent), estimated)
        if self._counted and self._budget is not None and self._budget.max_usd is not None:
            yield f"budget {Estimate(self._budget.max_usd)}"


def _is_reused(result: Result | None) -> bool:
    return result is not None and result.reused_from is not None


def _price(run: Run) -> float | None:
    from runner.ledger.budget import counted

    return counted(run.config).usd


def _spent(result: Result, run: Run) -> float:
    return sum(run.config.budget.known(attempt.usd) for attempt in result.attempts)
