"""Write the page of sweeps: once, again and again while a sweep is under way, or of sweeps in a storage."""

from __future__ import annotations

import datetime as dt
import math
import os
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Self

from runner.artifacts.atomic import discard, write_output
from runner.artifacts.result import Artifact, Result, own_name
from runner.artifacts.run_status import RunStatus
from runner.config.problem import Problem
from runner.engine.recorder import planned
from runner.engine.run import Event, Run
from runner.errors import ConfigError, RunnerError
from runner.ledger.budget import counted
from runner.ledger.discover import STORAGE, has_ledger
from runner.ledger.ledger import Ledger
from runner.metrics.scores import read_scores
from runner.results.reading import Remote, RunGroup, sweeps_of
from runner.results.run_key import media_of
from runner.results.state import state_of
from runner.shell import command
from runner.storage.place import digests_of
from runner.storage.uploader import reason_of

from .page import Embedding, MediaTaker, Shell, encoded_json, page_data
from .page_model import PageModel, PageState

NAME = "index.html"
"""A sweep's page, in its directory."""

_left: ContextVar[set[Path] | None] = ContextVar("_left", default=None)
"""Sweeps whose sweeper plans as it goes: whether a batch was the last, nobody knows before all is over."""


def write_page(path: Path, sweeps: Sequence[RunGroup], taker: MediaTaker | None = None, *, named: bool = False) -> None:
    """Write the page of sweeps, of which each has a run, their media where `taker` takes them; raises `DiskError`.

    Where the user has `named` its path, it is written through links and into pipes.
    """
    results = [result for sweep in sweeps for _, result in sweep.runs]
    page_model = PageModel(sweeps, path.parent, [sweep.runs[0][1].config.budget for sweep in sweeps])
    state = PageState(page_model, results, {number for number, sweep in enumerate(sweeps) if sweep.busy})
    cells = (encoded_json(cell) for cell in state.cells(taker))
    shell, data = Shell(page_model.title), page_data(state.heading, cells, state.totals())
    if named:
        write_output(path, shell.pieces(data))
    else:
        # Under a name of its own before it is whole: the sweep may be writing its page, too.
        shell.write(path, data, part=f".{os.getpid()}.tmp")


def keep_page(directory: Path) -> list[Problem]:
    """Write a sweep's own page; what goes wrong is returned, and costs no run."""
    try:
        found = sweeps_of([directory])
        write_page(directory / NAME, found.sweeps)
    except Exception as error:  # noqa: BLE001 - neither a full disk nor a bug in a page may fail what was paid
        return [not_written(directory, error)]
    return [not_written(directory, error) for error in found.unreadable]


def leave_open(directory: Path) -> None:
    """Take note of a sweep whose page says that more may come; `whole_pages` brings it to its end."""
    left = _left.get()
    if left is not None:
        left.add(directory)


def _leave_closed(directory: Path) -> None:
    """Take note that a sweep has come to its end, as by Ctrl-C: nothing is uploaded any more."""
    left = _left.get()
    if left is not None:
        left.discard(directory)


@contextmanager
def whole_pages(tell: Callable[[list[Problem]], object]) -> Iterator[None]:
    """Bring the pages that are left open meanwhile to their end, however that comes; `tell` hears what goes wrong."""
    left: set[Path] = set()
    token = _left.set(left)
    try:
        yield
    finally:
        _left.reset(token)
        for directory in sorted(left):
            tell(keep_page(directory))
            _upload(directory, tell)


def _upload(directory: Path, tell: Callable[[list[Problem]], object]) -> None:
    """Upload what is left of a sweep that has a storage, its page with it."""
    if not has_ledger(directory):
        return  # of which the page has told
    try:
        with Ledger(directory, readonly=True) as ledger:
            if STORAGE not in ledger.known_facts():
                return
        from runner.storage.uploading import upload_left  # few have a storage

        scores = {(score.sha256, score.metric) for score in read_scores(directory)}
        measured = partial(_is_measured, scores)
        upload_left(directory, lambda found: tell([*found]), measured, runs_alone=True)
        tell(keep_page(directory))  # which says what was uploaded
        upload_left(directory, lambda found: tell([*found]), measured)
    except RunnerError as error:
        tell([Problem("storage", error.message, error.hint, "warning")])


def _is_measured(scores: Collection[tuple[str, str]], result: Result) -> bool:
    """Return whether there is a line for each metric that a run's files were to be given."""
    return all((each.sha256, name) in scores for each in media_of(result) for name in result.config.scored)


def not_written(directory: Path, error: Exception) -> Problem:
    """Return the warning that a sweep's page is not up to date, and why."""
    again = command("report", directory)
    hint = f"the runs are not affected; {again} makes the page again"
    return Problem("", f"{directory / NAME} is not up to date: {error}", hint, "warning")


@dataclass(slots=True)
class RunUpdate:
    """Hold the last event, and when each status was reached (Unix seconds)."""

    event: Event
    times: dict[str, float] = field(default_factory=dict)

    def take(self, event: Event, now: float) -> None:
        """Add an event that comes at `now`."""
        self.event = event
        self.times.setdefault(event.status.value, now)

    @property
    def paying(self) -> bool | None:
        """Return whether a paid request has left whose end nobody knows yet; None if nothing is new about that."""
        if self.event.result is not None or self.event.status is RunStatus.PLANNED:
            return False
        return True if RunStatus.SUBMITTING.value in self.times else None

    def upon(self, known: Result) -> Result:
        """Return what was known before, with this added."""
        event = self.event
        if event.result is not None:
            return event.result
        # Between a job's submission and its end, the provider's own word tells more, and the run's cell can stay.
        states = {state_of(status, busy=True) for status in (event.status, known.status)}
        both_paid = event.status.paid and known.status.paid and len(states) == 1
        same = (both_paid or event.status is known.status) and event.job_id == known.job_id
        if same and known.error is None:
            return known
        # An earlier end of the run no longer counts.
        changes: dict[str, object] = {"status": event.status, "job_id": event.job_id, "error": None, "artifacts": []}
        return known.model_copy(update=changes if same else {**changes, "timestamps": self._times_upon(known)})

    def _times_upon(self, known: Result) -> dict[str, dt.datetime]:
        planned = RunStatus.PLANNED.value
        before = {planned: known.timestamps[planned]} if known.status.failed else known.timestamps
        return before | {name: dt.datetime.fromtimestamp(time, dt.UTC) for name, time in self.times.items()}


_REFRESH = 3
"""Seconds after which a viewer looks for a newer page, at least."""

HEARTBEAT = 20.0
"""Seconds after which the page is written although nothing is new: a page that grows old was left by its sweep."""


class LivePage:
    """Write the page again with whatever has changed."""

    def __init__(self, directory: Path, runs: Sequence[Run], earlier: Sequence[tuple[Path, Result]]) -> None:
        now = time.time()
        found = [*earlier, *((run.directory, _known(run) or planned(run, now)) for run in runs)]
        found.sort(key=lambda each: each[1].index)
        self._path = directory / NAME
        self._page_model = PageModel([RunGroup(directory, found)], directory, [runs[0].config.budget])
        self._shell = Shell(self._page_model.title)
        self._results = [result for _, result in found]
        self._positions = {result.index: position for position, result in enumerate(self._results)}
        self._written = -math.inf
        self._texts: dict[int, str] = {}
        self._progress: dict[int, str | None] = {}
        self._reserved: dict[int, float] = {}

    def renew(self, updates: Mapping[int, RunUpdate], interval: float) -> None:
        """Write the page while runs are under way, if there is something new to say.

        `interval` is about how long the page will stay, in seconds.
        """
        said = time.monotonic() - self._written < HEARTBEAT
        for index, each in updates.items():
            position, progress = self._positions[index], _progress(each)
            self._note(position, each.upon(self._results[position]))
            self._reserve(position, each)
            said = said and position in self._texts and progress == self._progress.get(position)
            self._progress[position] = progress
        if not said:
            self._write({0}, max(_REFRESH, math.ceil(interval)))

    def end(self, results: Sequence[Result], *, complete: bool, stored: str = "") -> None:
        """Write the page when no run is under way any more; `stored` says what lies in a storage."""
        self._page_model.sweeps = [replace(sweep, stored=stored) for sweep in self._page_model.sweeps]
        for result in results:
            self._note(self._positions[result.index], result)
        # Only a finished run's cell says the same as before: the others now say what resumes them.
        done = {position for position, result in enumerate(self._results) if result.status is RunStatus.VERIFIED}
        self._texts = {position: text for position, text in self._texts.items() if position in done}
        if self._page_model.read_scores():
            self._texts.clear()
        self._progress.clear()
        self._reserved.clear()
        self._write(set() if complete else {0})

    def _note(self, position: int, result: Result) -> None:
        if result is not self._results[position]:
            self._results[position] = result
            self._texts.pop(position, None)

    def _reserve(self, position: int, update: RunUpdate) -> None:
        """Take note of what a run counts while its paid request is under way, of which events tell no price."""
        if update.paying:
            self._reserved[position] = counted(update.event.run.config).usd or 0.0
        elif update.paying is False:
            self._reserved.pop(position, None)

    def _write(self, busy: set[int], refresh: int = _REFRESH) -> None:
        page = PageState(self._page_model, self._results, busy, refresh)
        cells = (self._cell(page, position) for position in range(len(self._results)))
        self._shell.write(self._path, page_data(page.heading, cells, page.totals(sum(self._reserved.values()))))
        self._written = time.monotonic()

    def _cell(self, page: PageState, position: int) -> str:
        text = self._texts.get(position)
        if text is None:
            text = self._texts[position] = encoded_json(page.cell(position))
        progress = self._progress.get(position)
        return f"{text[:-1]},{progress}" if progress else text


def _known(run: Run) -> Result | None:
    """Return the run's result so far; a copy for a resumed run, as the engine changes its own in place."""
    if run.earlier is None or not run.open:
        return run.earlier
    earlier = run.earlier
    kept = {"timestamps": {**earlier.timestamps}, "attempts": [*earlier.attempts], "warnings": [*earlier.warnings]}
    return earlier.model_copy(update=kept)


def _progress(update: RunUpdate) -> str | None:
    """Return what is added to the JSON of a run that is under way, which stays as it is while only this changes."""
    event = update.event
    if event.result is not None or event.status is RunStatus.PLANNED:
        return None
    return encoded_json({"progress": round(event.progress), "remote_status": event.remote_status})[1:]


INTERVAL = 2.0
"""Seconds between two pages, at least."""

_SHARE = 0.02
"""How much of the time may go into pages, while that leaves no page older than `LONGEST`."""

LONGEST = 25.0
"""Seconds between two pages, at most: a page says that its sweep seems to have stopped once it is a minute old."""

_BEFORE_JOBS = frozenset({RunStatus.PLANNED, RunStatus.SUBMITTING})


class LivePageThread:
    """Observe a sweep's runs, and keep its page in a thread of its own from when the first is submitted.

    What goes wrong with the page is said once, at the end, and never touches a run.
    """

    def __init__(
        self,
        directory: Path,
        runs: Sequence[Run],
        earlier: Sequence[tuple[Path, Result]] = (),
        *,
        wanted: bool = True,
        interval: float = INTERVAL,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Take the sweep's `earlier` runs, which stand before its present `runs`; `interval` is in seconds.

        Unless it is `wanted`, nothing is done.
        """
        self._directory = directory
        self._wanted = wanted
        self._runs = runs
        self._earlier = earlier
        self._interval = self._pause = interval
        self._clock = clock
        self._updates: dict[int, RunUpdate] = {}
        self._turn = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="live-page", daemon=True)
        self._started = False
        self._page: LivePage | None = None
        self._error: Exception | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._leave()

    def __call__(self, event: Event) -> None:
        """Take note of it, in a microsecond; nothing is made here."""
        if not self._wanted:
            return
        with self._turn:
            update = self._updates.get(event.run.index)
            if update is None:
                update = self._updates[event.run.index] = RunUpdate(event)
            update.take(event, self._clock())
        if not self._started and event.status not in _BEFORE_JOBS:
            self._started = True
            with suppress(RuntimeError):  # no thread is to be had: then there is the last page only
                self._thread.start()

    def close(self, results: Sequence[Result], *, complete: bool = True, stored: str = "") -> list[Problem]:
        """Write the page of how all runs ended, and return what kept it from being written.

        It is `complete` unless the sweep may go on with others. `stored` says what lies in a storage.
        """
        if not self._wanted:
            return []
        self._leave()
        self._guarded(lambda page: page.end(results, complete=complete, stored=stored))
        if not complete:
            leave_open(self._directory)
        else:
            _leave_closed(self._directory)
        return [] if self._error is None else [not_written(self._directory, self._error)]

    def _leave(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _keep(self) -> None:
        while not self._stop.wait(self._pause):
            self._guarded(self._renew)

    def _renew(self, page: LivePage) -> None:
        began = time.perf_counter()
        with self._turn:
            updates, self._updates = self._updates, {}
        try:
            page.renew(updates, self._pause)
        finally:
            self._pause = pause_after(time.perf_counter() - began, self._interval)

    def _guarded(self, make: Callable[[LivePage], None]) -> None:
        try:
            self._page = self._page or LivePage(self._directory, self._runs, self._earlier)
            make(self._page)
        except Exception as error:  # noqa: BLE001 - neither a full disk nor a bug here may cost a paid run
            self._error = error
        else:
            self._error = None


def pause_after(seconds: float, interval: float) -> float:
    """Return how long to wait after a page that took `seconds` to write, at least `interval`; all in seconds."""
    return max(interval, min(seconds / _SHARE, LONGEST))


class RemoteMedia:
    """Take media from a storage into the page while they fit; the others stay where they are, by their address."""

    def __init__(self, remote: Remote, embedding: Embedding, largest: int) -> None:
        """Take what decides what fits, and how many bytes the largest file may have, which else is not fetched."""
        self._remote = remote
        self._embedding = embedding
        self._largest = largest

    def take(self, sweep: Path, directory: Path, artifact: Artifact) -> str | None:
        """Return the file as an address that holds it, or its own; raises `ConfigError` if it cannot be read."""
        path = directory / artifact.path
        if not own_name(artifact.path):
            return None
        try:
            if artifact.bytes <= self._largest:
                directory.mkdir(parents=True, exist_ok=True)
                self._remote.place.get(self._remote.name(path), path)
            return self._embedding.take(sweep, directory, artifact) or self._remote.address(path)
        except FileNotFoundError:
            return self._remote.address(path)
        except Exception as error:
            raise ConfigError(f"{self._remote.address(path)} cannot be read: {reason_of(error)}") from error
        finally:
            discard(path)


def write_there(remote: Remote, sweeps: Sequence[RunGroup]) -> str:
    """Write the page beside the sweeps, and return its address; raises `ConfigError` where nothing may be written."""
    page = remote.directory / NAME
    write_page(page, sweeps)
    try:
        remote.place.put(page, NAME, digests_of(page), lambda: None)
    except Exception as error:
        reason, hint = reason_of(error), "--output FILE writes the page here, with its small media inside"
        raise ConfigError(f"{remote.place.address(NAME)} cannot be written: {reason}", hint=hint) from error
    return remote.place.address(NAME)
