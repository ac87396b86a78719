"""Execute a sweep's runs with ledger, log, page and tracking, and take over what need not be paid again."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import cached_property, lru_cache, partial
from itertools import filterfalse
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

from runner.artifacts.result import Result
from runner.artifacts.result_file import restore_result
from runner.artifacts.run_status import RunStatus
from runner.config.problem import Problem
from runner.config.provider import ProviderConfig
from runner.config.run import RunConfig
from runner.display.closing import print_closing
from runner.display.line import clean
from runner.display.output import print_error, print_problems, say, tolerate_broken_pipe
from runner.display.plain import observing
from runner.engine.matching import OtherRuns, unanswered
from runner.engine.recorder import BudgetTracker, planned
from runner.engine.run import Event, Observer, Outcome, Run, told_to_all
from runner.errors import BudgetError, DiskError, ModelNotFoundError, RunnerError
from runner.ledger.budget import spent
from runner.ledger.ledger import Ledger
from runner.ledger.other_runs import jobs_elsewhere
from runner.ledger.recording import LedgerStore, reuse_finished
from runner.ledger.reuse import remove_note
from runner.ledger.summary import failure_of
from runner.providers.allowance import moment
from runner.report.live_page import LivePageThread
from runner.results.files import write_results
from runner.results.reading import Found, missing_files
from runner.results.totals import under

from .consent import noted, reuse_of

if TYPE_CHECKING:
    from runner.engine.execution import Engine
    from runner.engine.scheduler import Services
    from runner.storage.uploading import Uploading


NAME = "runner.log"
BATCHES = "batches"
"""Below the sweep's directory: what goes out in batches and comes back, until it is where it belongs."""
_PAUSE = 1.0
"""Seconds between two rounds of writing: what happens to a run meanwhile takes one opening of its file."""


class RunLog:
    """Append to the log of the event's run, in a thread: opening a file may wait for the disk.

    The line of a passing status waits for the next one. At the end of the `with` block all lines are written.
    """

    def __init__(self, pause: float = _PAUSE) -> None:
        """Take the `pause` in seconds between two rounds of writing."""
        self._pause = pause
        self._last: dict[Path, str] = {}
        self._waiting: dict[Path, list[str]] = {}
        self._due: set[Path] = set()
        self._changing = threading.Lock()
        self._told = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="runner-log", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._told.set()
        self._thread.join()
        self._due |= self._waiting.keys()
        self._write()

    def __call__(self, event: Event) -> None:
        """Take the event's line if it says something new."""
        line, path = _line(event), event.run.directory / NAME
        with self._changing:
            if line != self._last.get(path):
                self._waiting.setdefault(path, []).append(f"{_now()} {line}\n")
                self._last[path] = line
            if event.result is not None:
                del self._last[path]
            elif event.status.passing:
                return
            self._due.add(path)
        self._told.set()

    def _work(self) -> None:
        while not self._closing.is_set():
            self._told.wait()
            self._told.clear()
            self._write()
            self._closing.wait(self._pause)

    def _write(self) -> None:
        """Write what is due; a full disk is the engine's to report."""
        with self._changing:
            texts = {path: "".join(self._waiting.pop(path)) for path in self._due & self._waiting.keys()}
            self._due.clear()
        for path, text in texts.items():
            with suppress(OSError), path.open("a", encoding="utf-8") as file:
                file.write(text)


def _now() -> str:
    milliseconds = time.time_ns() // 1_000_000
    text = _second(milliseconds // 1000)
    return f"{text[:19]}.{milliseconds % 1000:03}{text[19:]}"


@lru_cache(maxsize=4)
def _second(seconds: int) -> str:
    # Finding the time zone takes longer than all else about a line.
    return dt.datetime.fromtimestamp(seconds).astimezone().isoformat(sep=" ")


def _line(event: Event) -> str:
    level = "ERROR" if event.result is not None and event.result.error is not None else "INFO"
    parts = [level, event.status.value, event.job_id or "", event.remote_status or ""]
    if event.progress:
        parts.append(f"{event.progress:.0f}%")
    parts.append(clean(event.note, 1000) if event.note else "")
    if event.result is not None and event.result.error is not None:
        parts.append(f"{event.result.error.type}: {clean(event.result.error.message, 1000)}")
    return " ".join(part for part in parts if part)


_KEPT_SECONDS = 24 * 3600.0
"""How long a finished file is kept by a provider that does not say: Azure's day."""

_CLOCKS = 3600.0
"""How much older than a lost request another sweep's job may be and still be taken for its own: clocks differ."""


def execute(
    runs: Sequence[Run],
    ledgers: Mapping[Path, Ledger],
    make: Callable[[Run], object] = lambda _run: None,
    *,
    directory: Path,
    batches: Batches | None = None,
    observers: Sequence[Observer] = (),
    held: Collection[int] = (),
    earlier: Sequence[tuple[Path, Result]] = (),
    said: Collection[str] = (),
) -> Outcome:
    """Execute what is left of runs, and tell the user on the terminal what came of all of them.

    One of the `batches` follows the other; one that was interrupted or stopped is the last. `said` was said already.
    The other arguments are those of `Execution`, of which the `observers` see every event before the display does.
    """
    batches = batches or Batches()
    if runs[0].config.storage.url is not None:
        from runner.storage.place import quieten_libraries  # few have a storage

        quieten_libraries()
    with (
        observing(runs, runs[0].config.progress) as display,
        Execution(
            runs,
            ledgers,
            make,
            directory=directory,
            observers=[*observers, display],
            tell=lambda problems: print_problems(each for each in problems if noted(each) not in said),
            say=say,
            held=held,
            earlier=earlier,
        ) as execution,
    ):
        left = execution.left
        for line in filterfalse(said.__contains__, execution.notes):
            say(line)
        executed = (
            in_batches(left, batches, execution.services, execution.observer, display.interrupted)
            if left
            else Executed()
        )
    whole = execution.finish(executed, more=batches.more)
    _say_what_stopped(whole, executed)
    with tolerate_broken_pipe():
        # One run's files are where the run is, also if it was a sweep of one.
        place = runs[0].directory if len(runs) == 1 else directory
        ended = [*zip(runs, whole.results, strict=True)]
        shown = [under(run.config.budget, result) for run, result in ended]
        print_closing(
            sorted(shown, key=lambda result: result.index),
            place,
            resumed_by=directory,
            interrupted=whole.interrupted,
            stored=execution.stored,
            missing=[] if execution.stored else missing_files((run.directory, each) for run, each in ended),
        )
    return whole


class Execution:
    """Surround the engine's work with the runs' logs, the page and the results files; nothing is printed.

    Within the `with` block the engine executes what is `left`, with the `services` and for the `observer` of this
    object. `finish` comes after that.
    """

    def __init__(
        self,
        runs: Sequence[Run],
        ledgers: Mapping[Path, Ledger],
        make: Callable[[Run], object],
        *,
        directory: Path,
        observers: Sequence[Observer],
        tell: Callable[[Iterable[Problem]], object],
        say: Callable[[str], object] = lambda _line: None,
        held: Collection[int] = (),
        earlier: Sequence[tuple[Path, Result]] = (),
    ) -> None:
        """Take the runs and what belongs to them.

        Args:
            runs: all of the sweep, or of one batch of a sweeper that plans as it goes. What they have spent before
                counts against the budget.
            ledgers: the ledger of each run, by its directory.
            make: makes a run's directory.
            directory: the sweep's, or the run's own where there is one run and no sweep.
            observers: see every event.
            tell: hears what the user should know and what costs no run.
            say: hears what is waited for.
            held: indexes of runs that are left as they are.
            earlier: a sweep's runs of former calls, which the results files keep and the budget counts.
        """
        self._runs = runs
        self._ledgers = ledgers
        self._directory = directory
        self._tell = tell
        self._held = held
        self._earlier = earlier
        self._alone = len(runs) == 1 and runs[0].directory == directory
        self._store = LedgerStore(ledgers, make)
        wanted = runs[0].config.gallery and not self._alone
        self._live_page = LivePageThread(directory, runs, earlier, wanted=wanted)
        self._log = RunLog()
        self._done: dict[int, Result] = {}
        self._opened = ExitStack()
        self._say = say
        self._observers: list[Observer] = [self._log, self._live_page, *observers]
        self._uploading: Uploading | None = None
        self.observer = told_to_all(self._observers)
        self.left: list[Run] = []
        """What the engine has to do, the most urgent first; known within the block."""
        self.notes: list[str] = []
        """What is to be said of what was taken over; known within the block."""
        self.stored = ""
        """What lies in a storage at the end, in one line; empty where there is none."""

    def __enter__(self) -> Self:
        """Take over what is done already; raises `DiskError`, and `ConfigError` where a storage cannot be used."""
        with ExitStack() as opened:
            opened.enter_context(self._live_page)
            opened.enter_context(self._log)
            if self._runs[0].config.storage.url is not None:
                from runner.storage.uploading import Uploading  # few have a storage

                self._uploading = Uploading(self._runs, self._ledgers, self._directory, self._tell, self._say)
                self._observers.append(self._uploading)
            self._take_over()
            if self._uploading is not None:
                self._uploading.open(self.left)
            self._opened = opened.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def stop_uploading(self) -> None:
        """Let `finish`, which may be at work in another thread, wait for no storage any more."""
        if self._uploading is not None:
            self._uploading.leave()

    def _take_over(self) -> None:
        runs = self._runs
        done = {run.index: run.earlier for run in runs if run.earlier is not None and not run.open}
        _restore([run for run in runs if run.index in done], self._store)
        others = [run for run in runs if run.index not in done]
        known = reuse_of(self._directory)
        reused, waiting = reuse_finished(others, known, self._ledgers, self._store, self.observer)
        self._done, held = done | reused, waiting.union(self._held)
        self._tell(dict.fromkeys(known.problems))
        self.notes += known.lines()
        left = [run for run in runs if run.index not in self._done and run.index not in held]
        self.left = sorted(left, key=_urgency)

    @cached_property
    def services(self) -> Services:
        """Return what the engine uses for what is left: always the same, as it counts what is spent."""
        return {
            "fail_fast": any(run.config.fail_fast for run in self.left),
            "store": self._store,
            "claimed": partial(_claimed, self._directory, self._runs, self.left, time.time(), self._store),
            "budget_tracker": _budget_tracker(self._runs, self._earlier),
            **self._batches(),
        }

    def _batches(self) -> Services:
        """Return what keeps batches where some are sent: all of their runs have one ledger."""
        if not any(run.config.batch for run in self.left):
            return {}
        from runner.ledger.ledger import LedgerBatches

        return {"batches": LedgerBatches(self._ledgers[self.left[0].directory])}

    def _score(self, everything: Sequence[Found]) -> bool:
        """Compute the metrics that are asked for, and return whether all files were measured.

        What goes wrong is told, and costs no run.
        """
        names = dict.fromkeys(name for run in self._runs for name in run.config.scored)
        done = [(where, result) for where, result in everything if result.status is RunStatus.VERIFIED]
        if not names or not done:
            return True
        from runner.results.scoring import score_after  # numpy is the child's alone, and most sweeps ask for none

        measured, problems = score_after(self._directory, done, [*names])
        self._tell(problems)
        return measured

    def finish(self, executed: Executed, *, more: bool = False) -> Outcome:
        """Write the results files and the page; return what came of all runs, also of those that were done before.

        `more`: whether the sweep may go on with other runs.
        """
        whole = _whole(self._runs, self._done, executed)
        found = zip(self._runs, whole.results, strict=True)
        everything = [*self._earlier, *((run.directory, result) for run, result in found)]
        measured = whole.interrupted is None and self._score(everything)
        if not self._alone:
            try:
                self._tell(write_results(self._directory, sorted(everything, key=lambda each: each[1].index)))
            except DiskError as error:
                whole.stopped_by = whole.stopped_by or error
        close = partial(self._live_page.close, whole.results, complete=not more or whole.interrupted is not None)
        self._tell(close())
        if self._uploading is not None:
            self._uploading.may_remove = lambda _result: measured
            self.stored = self._uploading.finish(whole, lambda line: self._tell(close(stored=line)), more=more)
        if (self._directory / BATCHES).is_dir() and not any(result.status.unfinished for result in whole.results):
            from runner.engine.batch_results import discard_rest

            discard_rest(self._directory / BATCHES)
        return whole


def _restore(runs: Sequence[Run], store: LedgerStore) -> None:
    """Write again what is missing or behind: who ended a run may have been killed between its ledger and that."""
    for run in runs:
        store.open(run)
        remove_note(run.directory)
        if run.earlier is not None and not run.recorded:
            restore_result(run.directory, run.earlier)


def _urgency(run: Run) -> tuple[bool, float, int]:
    """Return what exists comes before what is new, and first of all what its provider will drop first."""
    earlier = run.earlier
    if earlier is None or not run.status.paid:
        return True, 0.0, run.index
    told = moment((earlier.raw_response or {}).get("expires_at"))
    return False, told if told is not None and told > earlier.begun else earlier.begun + _KEPT_SECONDS, run.index


def _whole(runs: Sequence[Run], done: Mapping[int, Result], now: Executed) -> Outcome:
    """Return the outcome of all runs, in their order: of those done before, now, and of those that were not begun."""
    ends = now.ends | {
        index: (result, None if result.status is RunStatus.VERIFIED else failure_of(result))
        for index, result in done.items()
    }
    began = time.time()
    whole = Outcome(interrupted=now.interrupted, stopped_by=now.stopped_by)
    for run in runs:
        result, error = ends.get(run.index) or (run.earlier or planned(run, began), None)
        whole.results.append(result)
        whole.errors.append(error)
    return whole


def _say_what_stopped(outcome: Outcome, executed: Executed) -> None:
    """Show the error that ended submitting, if it is no run's own, which the closing table shows."""
    error = outcome.stopped_by
    shown = {result.error.message for result, _ in executed.ends.values() if result.error is not None}
    if error is not None and error.message not in shown:
        print_error(error)


def _claimed(directory: Path, runs: Sequence[Run], left: Sequence[Run], now: float, store: LedgerStore) -> OtherRuns:
    """Return what belongs to other runs of `directory` and to other sweeps, but for the jobs of those that are left."""
    begun = min([now, *(run.earlier.begun for run in left if run.earlier is not None)])
    going = {run.index for run in left}
    resting = [run.earlier for run in runs if run.index not in going and run.earlier is not None]
    found = jobs_elsewhere(directory, begun - _CLOCKS)
    return found.also(store.job_ids(), [result for result in resting if unanswered(result)])


def _budget_tracker(runs: Sequence[Run], earlier: Sequence[tuple[Path, Result]]) -> BudgetTracker:
    budget = runs[0].config.budget
    before = [*(result for _, result in earlier), *(run.earlier for run in runs if run.earlier is not None)]
    return BudgetTracker(budget.max_usd, spent(before, budget))


@dataclass(slots=True)
class Executed:
    """Hold what came of the runs that the engine has executed, by their indexes, and what ended that early."""

    ends: dict[int, tuple[Result, RunnerError | None]] = field(default_factory=dict)
    interrupted: int | None = None
    stopped_by: RunnerError | None = None


class Batches(NamedTuple):
    """Say how runs are executed: how many at a time (None: all), by what (None: here), and whether more may follow."""

    size: int | None = None
    engine: Engine | None = None
    more: bool = False


def in_batches(
    runs: Sequence[Run],
    batches: Batches,
    services: Services,
    observer: Observer,
    interrupted: Callable[[int], object] = lambda _number: None,
) -> Executed:
    """Execute runs, one batch after the other; `interrupted` hears each signal that ends them.

    What ends submitting for all ends the batches. What ends it at one endpoint leaves the later runs there planned, as
    it does within a batch; those elsewhere go on.
    """
    engine = batches.engine
    if engine is None:
        from runner.engine.execution import run_all  # the SDK behind it takes longer to import than most errors to find

        engine = run_all
    total = Executed()
    refusing: set[tuple[ProviderConfig, str | None]] = set()
    step = batches.size or max(1, len(runs))
    for start in range(0, len(runs), step):
        batch = runs[start : start + step]
        going = batch
        if refusing:
            going = [run for run in batch if run.status.paid or refusing.isdisjoint(_refused_by(run.config))]
        if not going:
            continue
        outcome = engine(going, observer=observer, interrupted=interrupted, **services)
        ends = zip(outcome.results, outcome.errors, strict=False)
        total.ends |= {run.index: end for run, end in zip(going, ends, strict=False)}
        error = outcome.stopped_by
        ends_all = isinstance(error, DiskError | BudgetError) or (error is not None and services["fail_fast"])
        if outcome.interrupted is not None or ends_all:
            total.interrupted, total.stopped_by = outcome.interrupted, error or total.stopped_by
            break
        total.stopped_by = total.stopped_by or error
        refusing |= _refusing(going, outcome)
    return total


def _refusing(runs: Sequence[Run], outcome: Outcome) -> set[tuple[ProviderConfig, str | None]]:
    """Return the endpoints where an error ended submitting that all other runs, or those of the model, would meet."""
    ends = zip(runs, outcome.results, outcome.errors, strict=False)
    return {
        (run.config.provider, run.config.sent_model if isinstance(error, ModelNotFoundError) else None)
        for run, result, error in ends
        # One that fell back met its error elsewhere.
        if error is not None and (error.shared or error is outcome.stopped_by) and result.choice == run.choice
    }


def _refused_by(config: RunConfig) -> set[tuple[ProviderConfig, str | None]]:
    """Return what `_refusing` would hold, were a run with this config refused."""
    return {(config.provider, None), (config.provider, config.sent_model)}
