"""`runner.log` in each run's directory: what happened when, a line an event; no file stays open."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from runner.display import clean
from runner.engine.run import Event

NAME = "runner.log"


class RunLog:
    """An observer that appends to the log of the event's run."""

    def __init__(self) -> None:
        self._last: dict[int, str] = {}

    def __call__(self, event: Event) -> None:
        """Write the event's line if it says something new; a full disk is the engine's to report."""
        line = _line(event)
        if self._last.get(event.run.index) == line:
            return
        self._last[event.run.index] = line
        if event.result is not None:
            del self._last[event.run.index]
        now = dt.datetime.now().astimezone().isoformat(sep=" ", timespec="milliseconds")
        try:
            _append(event.run.directory / NAME, f"{now} {line}\n")
        except OSError:
            return


def _line(event: Event) -> str:
    level = "ERROR" if event.result is not None and event.result.error is not None else "INFO"
    parts = [level, event.status.value, event.job_id or "", event.remote_status or ""]
    if event.progress:
        parts.append(f"{event.progress:.0f}%")
    parts.append(clean(event.note, 1000) if event.note else "")
    if event.result is not None and event.result.error is not None:
        parts.append(f"{event.result.error.type}: {clean(event.result.error.message, 1000)}")
    return " ".join(part for part in parts if part)


def _append(path: Path, text: str) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(text)
