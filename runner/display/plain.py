"""One line per change, without control codes: for logs, pipes and small terminals."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from runner.artifacts.result import RunStatus
from runner.engine.run import Event

from .line import clean

_QUIET = frozenset({RunStatus.PLANNED, RunStatus.SUBMITTING, RunStatus.DOWNLOADED})


class PlainDisplay:
    """Says what changed for which run, each status once; writes to standard error."""

    def __init__(self, total: int, write: Callable[[str], object] | None = None) -> None:
        self._total = total
        self._write = write or (lambda line: print(line, file=sys.stderr, flush=True))
        self._started = time.monotonic()
        self._last: dict[int, str] = {}

    def __call__(self, event: Event) -> None:
        """Print the event's line if it says something new."""
        word = (
            event.remote_status if event.status is RunStatus.SUBMITTED and event.remote_status else event.status.value
        )
        if event.result is None and event.note is None:
            if event.status in _QUIET or self._last.get(event.run.index) == word:
                return
            self._last[event.run.index] = word
        self._write(self._line(event, word))

    def _line(self, event: Event, word: str) -> str:
        elapsed = f"{time.monotonic() - self._started:7.1f}s"
        number = f"[{event.run.index}]" if self._total > 1 else ""
        parts = [elapsed, number, word, event.job_id or "", clean(event.run.label, 60) if self._total > 1 else ""]
        if event.note:
            parts.append(f"- {clean(event.note)}")
        if event.result is not None and event.result.error is not None:
            parts.append(f"- {clean(event.result.error.message, 400)}")
        return " ".join(part for part in parts if part)
