"""`runner.log` in each run's directory: what happened when, a line an event; no file stays open."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from pathlib import Path

from runner.display import clean
from runner.engine.run import Event

NAME = "runner.log"


@dataclass(slots=True)
class _Pages:
    """What one run's file was told last, and what it was not told yet."""

    last: str = ""
    waiting: list[str] = field(default_factory=list)


class RunLog:
    """An observer that appends to the log of the event's run.

    The line of a passing status waits for the next: opening a file costs as much as composing ten lines.
    """

    def __init__(self) -> None:
        self._pages: dict[int, _Pages] = {}

    def __call__(self, event: Event) -> None:
        """Write the event's line if it says something new; a full disk is the engine's to report."""
        pages = self._pages.setdefault(event.run.index, _Pages())
        line = _line(event)
        if line != pages.last:
            pages.waiting.append(f"{_now()} {line}\n")
            pages.last = line
        if pages.waiting and (event.result is not None or not event.status.passing):
            _append(event.run.directory / NAME, "".join(pages.waiting))
            pages.waiting.clear()
        if event.result is not None:
            del self._pages[event.run.index]


def _now() -> str:
    return dt.datetime.now().astimezone().isoformat(sep=" ", timespec="milliseconds")


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
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError:
        return
