"""Drive a sweep whose runs are executed by workers: feed them, replace those that die, pass on what happens."""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from typing import Any, Protocol, Unpack

from runner.artifacts.result import Result
from runner.artifacts.result_file import restore_result
from runner.artifacts.run_status import RunStatus
from runner.config.request import VideoRequest
from runner.engine.execution import interrupts, run_all
from runner.engine.matching import OtherRuns, unanswered
from runner.engine.recorder import planned
from runner.engine.run import Event, Observer, Outcome, Run
from runner.engine.scheduler import Services
from runner.engine.store import Record, RecordStore
from runner.errors import DiskError, RunnerError
from runner.ledger.ledger import Ledger
from runner.ledger.recording import reconcile, resumed_run
from runner.ledger.summary import failure_of

from .messages import CoordinatorLostError, Item, Limits, Summary, unpack

_PORTION = 64
"""Runs whose directories are made before they are handed to the coordinator together."""

_LOOK_SECONDS = 1.0
"""How long the coordinator is asked for events at a time."""

_LAST_SECONDS = 10.0
"""How long workers may take to leave once all is done."""

_PAID_SECONDS = 60.0
"""How long they may wait for the answers to paid requests once the coordinator is gone."""

_log = logging.getLogger("runner")

_ON = "resume goes on where they stopped"

DEATHS = 3
"""How often a worker that died is replaced: what kills one may kill all that follow."""


class WorkerLostError(RunnerError):
    """Tell that workers have died."""

    exit_code = 4


class Cluster(Protocol):
    """Start workers, and ask the coordinator."""

    workers: int
    """How many there should be."""

    def ask(self, method: str, *arguments: object) -> Future[Any]:
        """Call a method of the coordinator; Any: what it returns."""

    def work(self, name: str) -> Future[None]:
        """Start a worker; done when it has ended, with a `WorkerLostError` where it died."""

    def stop(self) -> None:
        """End all workers at once."""


def run_distributed(
    runs: Sequence[Run],
    cluster: Cluster,
    ledger: Ledger,
    *,
    say: Callable[[str], object],
    observer: Observer,
    interrupted: Callable[[int], object] = lambda _number: None,
    **services: Unpack[Services],
) -> Outcome:
    """Execute all runs on a cluster, as `run_all` does in this process; its coordinator writes `ledger` meanwhile.

    Once no worker is under way any more, lost answers are looked for here: no job could be mistaken for another's then.
    `say` hears what befalls the cluster.
    """
    drive = _Drive(runs, cluster, services.get("store"), observer, say)
    asyncio.run(drive.run(interrupted))
    outcome = Outcome(interrupted=drive.signal, stopped_by=drive.stopped_by)
    tracker = services.get("budget_tracker")
    if tracker is not None and drive.summary is not None:
        tracker.spent = drive.summary.spent
    full = isinstance(drive.stopped_by, DiskError)  # what would be found could not be kept
    if drive.lost and drive.signal is None and drive.summary is not None and not full:
        lost = [run if run.status.lost else resumed_run(run, ledger.run(run.index)) for run in drive.lost.values()]
        if drive.stopped_by is not None:  # their jobs are looked for, but nothing more is paid
            lost = [replace(run, resubmit=False) for run in lost]
        services["claimed"] = _claimed(drive, services)
        found = run_all(lost, observer=observer, interrupted=interrupted, **services)
        drive.ends |= {run.index: (found.results[n], found.errors[n]) for n, run in enumerate(lost)}
        outcome.interrupted, outcome.stopped_by = found.interrupted, outcome.stopped_by or found.stopped_by
    rest = [run for run in runs if run.index not in drive.ends]
    recorded = {run.index: run.earlier for run in (reconcile(ledger).runs if rest else ())}
    for run in rest:
        result = recorded[run.index] or run.earlier or planned(run, time.time())
        if (store := services.get("store")) is not None and result.status is RunStatus.PLANNED:
            store.save([Record(run, result, durable=False)])
        drive.ends[run.index] = result, _error(result)
        observer(Event(run, result.status, job_id=result.job_id, result=result))
    for run in runs:
        result, error = drive.ends[run.index]
        outcome.results.append(result)
        outcome.errors.append(error)
    return outcome


def _claimed(drive: _Drive, services: Services) -> Callable[[], OtherRuns]:
    """Return what tells of other runs' jobs, those that workers have brought to an end among them."""
    claimed = services.get("claimed", OtherRuns)
    done = [result for result, _ in drive.ends.values()]
    return lambda: claimed().also(
        (job_id for result in done for job_id in result.job_ids), [result for result in done if unanswered(result)]
    )


def _error(result: Result) -> RunnerError | None:
    return None if result.error is None else failure_of(result)


class _Drive:
    """Hold what comes of the runs.

    Attributes:
        ends: what became of runs, by index, and why it was no success.
        lost: those whose answer was lost.
        summary: how the coordinator ended; None if it was lost.
        signal: the first that asked for an end, if one did; `signals` were there in all.
    """

    def __init__(
        self,
        runs: Sequence[Run],
        cluster: Cluster,
        store: RecordStore | None,
        observer: Observer,
        say: Callable[[str], object],
    ) -> None:
        self._runs = {run.index: run for run in runs}
        self._cluster = cluster
        self._store = store
        self._observer = observer
        self._say = say
        self._error: RunnerError | None = None
        self._last_death: RunnerError | None = None
        self._leaving = False
        self._asking: set[asyncio.Task[Any]] = set()
        self.ends: dict[int, tuple[Result, RunnerError | None]] = {}
        self.lost = {run.index: run for run in runs if run.status.lost}
        self.summary: Summary | None = None
        self.signal: int | None = None
        self.signals = 0

    @property
    def stopped_by(self) -> RunnerError | None:
        """Return the error that ended submitting."""
        if self._error is not None or self.summary is None:
            return self._error
        left = self.summary.waiting and self.signal is None
        return self.summary.stopped_by or (self._last_death if left else None)

    async def run(self, interrupted: Callable[[int], object]) -> None:
        """Execute what no answer was lost of."""

        def handle(number: int) -> None:
            self.signals += 1
            self.signal = self.signal or number
            if self.signals > 1 and isinstance(self._error, CoordinatorLostError):
                self._cluster.stop()  # nobody else tells the workers
            task = asyncio.create_task(self._interrupt())
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)
            interrupted(number)

        with interrupts(handle):
            feeding = asyncio.create_task(asyncio.to_thread(self._feed))
            watches = {asyncio.create_task(self._watch(f"worker-{number}")) for number in range(self._cluster.workers)}
            patience = _LAST_SECONDS
            try:
                over = False
                while not over and not all(watch.done() for watch in watches):
                    told, over = await self._ask("happened", _LOOK_SECONDS)
                    self._hear(told)
            except CoordinatorLostError as error:
                self._error = CoordinatorLostError(
                    f"the coordinator has ended: {error}; nothing more was sent", hint=_ON
                )
                patience = _PAID_SECONDS
            self._leaving = True
            await asyncio.wait(watches, timeout=patience)
            self._cluster.stop()
            for watch in watches:
                watch.cancel()
            await asyncio.gather(feeding, *watches, *self._asking, return_exceptions=True)
            with suppress(CoordinatorLostError):
                self.summary, told = await self._ask("finish")
                self._hear(told)

    async def _interrupt(self) -> None:
        with suppress(CoordinatorLostError):  # the events tell of it
            await self._ask("interrupt")

    async def _ask(self, method: str, *arguments: object) -> Any:  # Any: what the method returns
        return await asyncio.wrap_future(self._cluster.ask(method, *arguments))

    def _feed(self) -> None:
        """Make the directories of the runs, in their order, and hand them to the coordinator."""
        left = (run for run in self._runs.values() if run.index not in self.lost)
        shared = {
            Limits.of(each.provider).key for each in {f for run in self._runs.values() for f in run.config.fallbacks}
        }
        try:
            while portion := list(itertools.islice(left, _PORTION)):
                if self.signals or self._leaving:
                    return
                for run in portion:
                    if self._store is not None:
                        self._store.open(run)
                self._cluster.ask("add", [Item.of(run, shared) for run in portion]).result()
        except CoordinatorLostError:
            return  # the events tell of it
        except RunnerError as error:
            self._error = error
        except Exception as error:  # noqa: BLE001 - a bug here must not keep what was handed out from its end
            _log.error("no more runs were handed out", exc_info=error)
            self._error = RunnerError(f"no more runs were handed out, by a fault of runner: {error!r}", hint=_ON)
        self._cluster.ask("add", [], True)

    async def _watch(self, name: str) -> None:
        """Keep one worker at work, and replace it when it dies."""
        for life in range(DEATHS + 1):
            own = name if life == 0 else f"{name}.{life}"
            try:
                await asyncio.wrap_future(self._cluster.work(own))
            except WorkerLostError as error:
                if life == DEATHS:
                    self._last_death = WorkerLostError(f"no worker is left, the last has died: {error}", hint=_ON)
                await self._ask("lose", own)
                if self.signals or self._leaving:
                    return
                self._say(f"{own} has died ({error}); what it was at goes on with others")
            else:
                await self._ask("lose", own)
                return

    def _hear(self, everything: Sequence[bytes]) -> None:
        for told in itertools.chain.from_iterable(map(unpack, everything)):
            run = self._runs[told.index]
            event = told.event(run)
            if (result := event.result) is not None:
                video = isinstance(run.config.request, VideoRequest)
                if result.status is RunStatus.SUBMITTING or (result.status.lost and video):
                    self.lost[run.index] = run
                    event = replace(event, result=None)
                else:
                    self.ends[run.index] = result, _error(result)
                    if told.unwritten:
                        self._restore(run, result)
            self._observer(event)

    def _restore(self, run: Run, result: Result) -> None:
        try:
            restore_result(run.directory, result)
        except DiskError as error:
            self._error = self._error or error
