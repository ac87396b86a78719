"""Show progress in lines without control codes, for logs, pipes and small terminals; and choose a display."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from runner.artifacts.run_status import RunStatus
from runner.config.run import Progress
from runner.engine.run import Event, Run
from runner.results.state import state_of

from .closing import Reasons
from .label import RunLabels
from .line import clean
from .output import DUMB, notice, say
from .tally import Now, Tally

_QUIET = frozenset({RunStatus.PLANNED, RunStatus.SUBMITTING, RunStatus.DOWNLOADED})

_FEW = 50
"""Up to so many runs, each change has a line; of more, only failures have."""

_EVERY = 10.0
"""Seconds at least between two lines about all runs; a twentieth of the time gone by, once that is more."""

_IN_FULL = 3
"""Failures of one kind that are told in full."""

_LABEL = 60
"""Columns of what tells a run from its siblings."""


class PlainDisplay:
    """Print each status of each run once; of many runs, only the failures, and at times how far all are."""

    def __init__(
        self, runs: Sequence[Run], write: Callable[[str], object] | None = None, now: Now = time.monotonic
    ) -> None:
        self._tally = Tally(runs, now)
        self._labels = RunLabels(runs)
        self._write = write or say
        self._last: dict[int, str] = {}
        self._reasons, self._notes = Reasons(), Reasons()
        self._next = 0.0
        left = sum(run.open for run in runs)
        self._tell = self._of_many if left > _FEW else self._of_few
        if left > _FEW:
            self._write(f"{left:,} runs: a line for each that fails, and now and then one for all")
            self._next = _EVERY

    def __call__(self, event: Event) -> None:
        """Print the event's line if it says something new."""
        self._tally.take(event)
        self._tell(event)

    def interrupted(self, signal_number: int) -> None:
        """Say that the runs are interrupted, and what goes on."""
        self._write(f"{self._tally.seconds:7.1f}s {self._tally.interrupt(signal_number)}")

    def _of_few(self, event: Event) -> None:
        index = event.run.index
        word = _word(event)
        if event.result is None and event.note is None:
            said = f"{word} {_told(event)}"
            if event.status in _QUIET or self._last.get(index) == said:
                return
            self._last[index] = said
        self._line(event, word, event.note, _failure(event))

    def _of_many(self, event: Event) -> None:
        failure = _failure(event)
        note = event.note if event.note and self._notes.count(event.note, event.run.index)[1] <= _IN_FULL else None
        if failure:
            key, count = self._reasons.count(failure, event.run.index)
            self._line(event, _word(event), None, failure if count <= _IN_FULL else f"as [{self._reasons.first[key]}]")
        elif note:
            self._line(event, _word(event), note, None)
        if self._tally.seconds >= self._next:
            self._next = self._tally.seconds + max(_EVERY, self._tally.seconds / 20)
            self._write(f"{self._tally.seconds:7.1f}s {' · '.join(self._tally.parts())}")

    def _line(self, event: Event, word: str, note: str | None, failure: str | None) -> None:
        many = self._tally.total > 1
        parts = [
            f"{self._tally.seconds:7.1f}s",
            f"[{event.run.index}]" if many else "",
            word,
            _told(event),
            event.job_id or "",
            self._labels.label(event.run, _LABEL) if many else "",
            f"- {clean(note)}" if note else "",
            f"- {clean(failure, 400)}" if failure else "",
        ]
        self._write(" ".join(part for part in parts if part))


def _word(event: Event) -> str:
    return state_of(event.status, busy=event.result is None).value


def _told(event: Event) -> str:
    """Return the provider's own word for a job that it has, in brackets."""
    told = event.remote_status if event.status is RunStatus.SUBMITTED and event.result is None else None
    return f"({clean(told, 40)})" if told else ""


def _failure(event: Event) -> str | None:
    return event.result.error.message if event.result is not None and event.result.error is not None else None


class Display(Protocol):
    """Observe runs for whoever looks on."""

    def __call__(self, event: Event) -> None:
        """Take an event in."""

    def interrupted(self, signal_number: int) -> None:
        """Say that the runs are interrupted, and what goes on."""


@contextmanager
def observing(runs: Sequence[Run], mode: Progress = "auto") -> Iterator[Display]:
    """Yield the display that `mode` asks for; `auto` is live on a terminal and plain elsewhere, as in CI."""
    notice.end()
    chosen = _choose(mode)
    if chosen == "off":
        yield _Silent()
    elif chosen == "plain":
        yield PlainDisplay(runs)
    else:
        from .live import LiveDisplay  # rich costs 60 ms that a pipe need not pay

        with LiveDisplay(runs) as display:
            yield display


def _choose(mode: Progress) -> Progress:
    """Return what is asked for, but nothing that redraws itself where nothing can be redrawn."""
    if mode in ("off", "plain"):
        return mode
    terminal = sys.stderr.isatty() and os.environ.get("TERM") not in DUMB
    automatic = os.environ.get("CI", "") not in ("", "0", "false") and mode == "auto"
    return "live" if terminal and not automatic else "plain"


class _Silent:
    """Say nothing."""

    def __call__(self, event: Event) -> None:
        pass

    def interrupted(self, signal_number: int) -> None:
        pass
