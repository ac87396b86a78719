"""The page of a sweep that is at work: every run's last known state, and its JSON until that changes."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from runner.artifacts.result import Result, RunStatus
from runner.engine.journal import planned
from runner.engine.run import Run
from runner.ledger.budget import counted

from .exhibition import Exhibition, State
from .news import News
from .page import Shell, encoded_json, page_data
from .pages import NAME
from .reading import Sweep

_REFRESH = 3
"""Seconds after which a viewer looks for a newer page, at least."""

HEARTBEAT = 20.0
"""Seconds after which the page is written although nothing is new: a page that grows old was left by its sweep."""


class Album:
    """Writes the page again with whatever has changed."""

    def __init__(self, directory: Path, runs: Sequence[Run], earlier: Sequence[tuple[Path, Result]]) -> None:
        now = time.time()
        found = [*earlier, *((run.directory, _known(run) or planned(run, now)) for run in runs)]
        self._path = directory / NAME
        self._exhibition = Exhibition([Sweep(directory, found)], directory, [runs[0].config.budget])
        self._shell = Shell(self._exhibition.title)
        self._before = len(earlier)
        self._positions = {run.index: position for position, run in enumerate(runs, len(earlier))}
        self._results = [result for _, result in found]
        self._written = -math.inf
        self._texts: dict[int, str] = {}
        self._progress: dict[int, str | None] = {}
        self._at_stake: dict[int, float] = {}

    def renew(self, news: Mapping[int, News], interval: float) -> None:
        """Write the page while runs are under way, if there is something new to say.

        `interval` is about how long the page will stay, in seconds.
        """
        said = time.monotonic() - self._written < HEARTBEAT
        for index, each in news.items():
            position, progress = self._positions[index], _progress(each)
            self._note(position, each.upon(self._results[position]))
            self._stake(position, each)
            said = said and position in self._texts and progress == self._progress.get(position)
            self._progress[position] = progress
        if not said:
            self._write({0}, max(_REFRESH, math.ceil(interval)))

    def end(self, results: Sequence[Result], *, complete: bool) -> None:
        """Write the page when no run is under way any more."""
        for position, result in enumerate(results, self._before):
            self._note(position, result)
        # Only a finished run's cell says the same as before: the others now say what goes on with them.
        done = {position for position, result in enumerate(self._results) if result.status is RunStatus.VERIFIED}
        self._texts = {position: text for position, text in self._texts.items() if position in done}
        self._progress.clear()
        self._at_stake.clear()
        self._write(set() if complete else {0})

    def _note(self, position: int, result: Result) -> None:
        if result is not self._results[position]:
            self._results[position] = result
            self._texts.pop(position, None)

    def _stake(self, position: int, news: News) -> None:
        """Take note of what a run counts while its paid request is under way, of which events tell no price."""
        if news.paying:
            self._at_stake[position] = counted(news.event.run.config) or 0.0
        elif news.paying is False:
            self._at_stake.pop(position, None)

    def _write(self, busy: set[int], refresh: int = _REFRESH) -> None:
        page = self._exhibition.state(self._results, busy, refresh)
        cells = (self._cell(page, position) for position in range(len(self._results)))
        self._shell.write(self._path, page_data(page.heading, cells, page.totals(sum(self._at_stake.values()))))
        self._written = time.monotonic()

    def _cell(self, page: State, position: int) -> str:
        text = self._texts.get(position)
        if text is None:
            text = self._texts[position] = encoded_json(page.cell(position))
        progress = self._progress.get(position)
        return f"{text[:-1]},{progress}" if progress else text


def _known(run: Run) -> Result | None:
    """What became of the run so far; of one that is gone on with a copy, as the engine changes its own in place."""
    if run.earlier is None or not run.open:
        return run.earlier
    earlier = run.earlier
    kept = {"timestamps": {**earlier.timestamps}, "attempts": [*earlier.attempts], "warnings": [*earlier.warnings]}
    return earlier.model_copy(update=kept)


def _progress(news: News) -> str | None:
    """What is added to the JSON of a run that is under way, which stays as it is while only this changes."""
    event = news.event
    if event.result is not None or event.status is RunStatus.PLANNED:
        return None
    return encoded_json({"progress": round(event.progress), "remote_status": event.remote_status})[1:]
