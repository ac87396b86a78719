"""Record runs in a tracking store, if their config asks for one, in a thread of its own; its failures are no run's."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Self

from runner.artifacts.redaction import without_credentials
from runner.artifacts.result import Result
from runner.artifacts.run_status import RunStatus
from runner.config.problem import Problem
from runner.config.run import METRIC, MlflowTracking, NoTracking, WandbTracking
from runner.display.label import RunLabels
from runner.display.line import clean
from runner.display.output import print_problems, say
from runner.engine.run import Event, Observer, Run
from runner.metrics.scores import NO_SCORES
from runner.results.run_key import RunJudgements, main_scores, scores_of
from runner.shell import command

from .store import Facts, Register, TrackedRun, TrackingStore, run_facts, sweep_facts

_SILENT_SECONDS = 2.0
"""How long the end of a sweep waits before it says what for."""

_LONGER = 10
"""How many times as long it should wait the next time, and waits while a library is imported and a database made."""

_NAME_COLUMNS = 120
"""Of what tells a run from its siblings; trackers take a little more for a name."""


class _LeftError(Exception):
    """Raised when nobody waits for the tracker any more."""


class Tracker:
    """Observe runs and record their ends; must be closed.

    Ends of runs wait in a mailbox with room for one of each run. The first thing that goes wrong is the last that is
    tried, and is said once, at the end; `resume` sends what is missing.
    """

    def __init__(
        self,
        open_store: Callable[[Callable[[], None]], TrackingStore],
        directory: Path,
        config: MlflowTracking | WandbTracking,
    ) -> None:
        """Take `open_store`, which calls its argument before it asks a server; before that, all work is local."""
        self._open = open_store
        self._directory = directory
        self._config = config
        self._alone = False
        self._runs: dict[int, Run] = {}
        self._labels: dict[int, RunLabels] = {}
        self._results: dict[int, Result] = {}
        self._waiting: dict[int, Result] = {}
        self._turn = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closing = False
        self._left = False
        self._opening = True
        self._steps = 0
        self._ratings: RunJudgements | None = None
        self._scores = NO_SCORES
        self._failure: Exception | None = None

    def expect(self, runs: Sequence[Run]) -> None:
        """Take in runs whose ends will come, all or another batch; what ended before is recorded if it is not yet."""
        with self._turn:
            self._alone = not self._runs and len(runs) == 1 and runs[0].directory == self._directory
            self._runs.update((run.index, run) for run in runs)
            self._labels.update(dict.fromkeys((run.index for run in runs), RunLabels(runs)))
        for run in runs:
            if run.earlier is not None and not run.open:
                self._post(run.earlier)

    def __call__(self, event: Event) -> None:
        """Take in the end of a run; the first sign that something is under way opens the store."""
        if event.status is RunStatus.PLANNED:  # or left as it was planned
            return
        if event.result is not None:
            self._post(event.result)
        if self._thread is None:
            self._start()

    def close(self) -> None:
        """Wait until all is recorded, as long as it gets on, and say if it is not."""
        if self._waiting and self._thread is None:
            self._start()
        if self._thread is None:
            return
        with self._turn:
            self._closing = True
            self._turn.notify()
        interrupted = not self._waited(self._thread)
        self._left = True
        if self._failure is not None or self._thread.is_alive() or self._waiting:
            self._warn(interrupted=interrupted)

    def _waited(self, thread: threading.Thread) -> bool:
        """Return whether nobody interrupted the waiting."""
        try:
            seen, quiet, timeout = -1, 0.0, self._config.patience_seconds
            thread.join(min(_SILENT_SECONDS, timeout))
            if thread.is_alive() and timeout > _SILENT_SECONDS:
                say(f"waiting for {self._config.kind}: {len(self._waiting):,} to record; Ctrl-C leaves them to resume")
            while thread.is_alive():
                if seen != self._steps:
                    seen, quiet = self._steps, 0.0
                elif quiet >= (timeout * _LONGER if self._opening else timeout):
                    break
                thread.join(timeout)
                quiet += timeout
        except KeyboardInterrupt:
            return False
        return True

    def _warn(self, *, interrupted: bool) -> None:
        timeout, slow = self._config.patience_seconds, False
        if interrupted:
            reason = "interrupted"
        elif self._failure is not None:
            said = next(iter(str(self._failure).splitlines()), "") or "it does not say why"
            reason = f"{type(self._failure).__name__}: {clean(without_credentials(said), 200)}"
            slow = isinstance(self._failure, TimeoutError)
        else:
            reason, slow = f"it did not get on for {timeout:g} s", True
        message = f"{self._config.kind} has not recorded everything: {reason}; runs and their files are not affected"
        again = command("resume", self._directory)
        longer = f" tracking.patience_seconds={timeout * _LONGER:g}" * slow
        print_problems([Problem("tracking", message, f"{again}{longer} sends the rest", "warning")])

    def _start(self) -> None:
        # A daemon: a library that hangs must not keep the process.
        self._thread = threading.Thread(target=self._work, name="tracking", daemon=True)
        self._thread.start()

    def _post(self, result: Result) -> None:
        with self._turn:
            if self._failure is None:
                self._waiting[result.index] = result
                self._turn.notify()

    def _next(self) -> Result | None:
        """Return the run that waits longest, None at the end; it stays in the mailbox until it is recorded."""
        with self._turn:
            self._turn.wait_for(lambda: self._waiting or self._closing)
            return next(iter(self._waiting.values()), None)

    def _work(self) -> None:
        try:
            self._read_told()
            store = self._open(self._asks_server)
            register = Register(self._directory, store.place)
            register.begin(None if self._alone else store.begin(self._sweep(), register.parent))
            self._asks_server()
            self._record_all(store, register)
        except Exception as error:  # noqa: BLE001 - whatever a library raises ends the tracking and nothing else
            self._failure = self._failure or error

    def _read_told(self) -> None:
        """Read what people think of the runs that have ended, and what metrics have found."""
        with self._turn:
            results = [(run.directory, self._results.get(run.index, run.earlier)) for run in self._runs.values()]
        ended = [(where, result) for where, result in results if result is not None]
        self._ratings = RunJudgements.below(self._directory, ended)
        self._scores = scores_of(self._directory, (where for where, _ in ended))

    def _record_all(self, store: TrackingStore, register: Register) -> None:
        """Record what comes; the sweep's own run is ended also after an error, as it would seem to be running."""
        try:
            while (result := self._next()) is not None:
                self._record(store, register, result)
            # Metrics are computed once all runs have ended, and a page can be judged while others are made.
            self._read_told()
            for result in [*self._results.values()]:
                self._record(store, register, result)
        except Exception as error:  # noqa: BLE001 - as above
            self._failure = error
        if register.parent is not None:
            store.end(register.parent, self._sweep())

    def _record(self, store: TrackingStore, register: Register, result: Result) -> None:
        number = result.index
        told = self._told(result)
        state = _state(result, told)
        known = register.known(number)
        if known is None or known.state != state:
            facts = self._facts(result, told)
            if known is not None and _made(known.state) == _made(state):
                facts = replace(facts, files=())  # they are there already
            for run_id in store.record(facts, register.parent, known.id if known else None):
                if known is None or known.id != run_id:
                    # What is given up from here on is resumed, not recorded twice.
                    known = TrackedRun(run_id, "")
                    register.keep(number, known)
                self._step()
            self._step()
            if known is not None:
                register.keep(number, known._replace(state=state))
        self._results[number] = result
        with self._turn:
            if self._waiting.get(number) is result:
                del self._waiting[number]

    def _asks_server(self) -> None:
        """Note that from here on a server has to make progress."""
        self._opening = False
        self._step()

    def _step(self) -> None:
        """Note that something was done; raises `_LeftError` if nobody waits for more."""
        self._steps += 1
        if self._left:
            raise _LeftError

    def _told(self, result: Result) -> dict[str, float]:
        """Return what people think of the run and what metrics have found, as numbers; nothing where neither has."""
        where = self._runs[result.index].directory
        judged = self._ratings.columns(where, result) if self._ratings else {}
        scores = sorted(main_scores(self._scores, result).items())
        found = {**judged, **{f"{METRIC}{name}": value for name, value in scores}}
        return {name: float(value) for name, value in found.items() if value is not None}

    def _facts(self, result: Result, told: Mapping[str, float]) -> Facts:
        run = self._runs[result.index]
        if self._alone:
            name = result.config.name or self._directory.name
        else:
            name = f"{run.index} {self._labels[run.index].label(run, _NAME_COLUMNS)}".strip()
        return run_facts(result, run.directory, name, self._config.files, told)

    def _sweep(self) -> Facts:
        with self._turn:
            configs = [run.config for run in self._runs.values()]
        return sweep_facts(self._directory, configs, list(self._results.values()))


def _state(result: Result, told: Mapping[str, float]) -> str:
    """Return what is another once more has become of the run, or it was judged or measured anew."""
    numbers = "".join(f" {name}={value:g}" for name, value in told.items())
    return f"{result.status.value} {max(result.timestamps.values()).isoformat()}{numbers}"


def _made(state: str) -> list[str]:
    """Return the part of a state that is another once the run has other files."""
    return state.split(" ")[:2]


class Tracking:
    """Record a directory's runs in a store, if their config asks for one.

    Must be closed, and only when the directory's lock is released: nothing that a user may want to do next waits for
    somebody's server. There is one tracker, over all batches: one that has failed is not tried again.
    """

    def __init__(self, directory: Path) -> None:
        """Take the sweep's `directory`, or the run's own where there is one run and no sweep."""
        self._directory = directory
        self._tracker: Tracker | None = None

    def observer(self, runs: Sequence[Run]) -> Observer:
        """Return what records the ends of these runs, all or one batch of them; the first ones' config counts."""
        config = runs[0].config.tracking
        if isinstance(config, NoTracking):
            return _ignore
        if self._tracker is None:
            self._tracker = Tracker(partial(_open, config), self._directory, config)
        self._tracker.expect(runs)
        return self._tracker

    def close(self) -> None:
        """Wait until all is recorded, as long as it gets on, and say if it is not."""
        if self._tracker is not None:
            self._tracker.close()

    def __enter__(self) -> Self:
        """Return itself, to be closed at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _open(config: MlflowTracking | WandbTracking, asks_server: Callable[[], None]) -> TrackingStore:
    """Return the store; imports its library, which takes seconds."""
    if isinstance(config, MlflowTracking):
        from .mlflow_store import MlflowStore

        return MlflowStore(config.tracking_uri, config.experiment, os.environ, asks_server=asks_server)
    from .wandb_store import WandbStore

    return WandbStore(config, asks_server=asks_server)


def _ignore(_event: Event) -> None:
    """Record nothing."""
