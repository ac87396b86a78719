"""`runner.log` in each run's directory: what happened when, a line an event; no file stays open."""

from __future__ import annotations

import datetime as dt
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Self

from runner.display import clean
from runner.engine.run import Event

NAME = "runner.log"
_PAUSE = 1.0
"""Seconds between two rounds of writing: what happens to a run meanwhile takes one opening of its file."""


@dataclass(slots=True)
class _Page:
    """Describe what one run's file was told last, and what it was not told yet."""

    path: Path
    last: str = ""
    waiting: list[str] = field(default_factory=list)


class RunLog:
    """An observer that appends to the log of the event's run, in a thread: opening a file may wait for the disk.

    The line of a passing status waits for the next one. At the end of the `with` block all lines are written.
    """

    def __init__(self, pause: float = _PAUSE) -> None:
        """`pause` in seconds between two rounds of writing."""
        self._pause = pause
        self._pages: dict[int, _Page] = {}
        self._due: dict[Path, _Page] = {}
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
        self._due |= {page.path: page for page in self._pages.values()}
        self._write()

    def __call__(self, event: Event) -> None:
        """Take the event's line if it says something new."""
        line = _line(event)
        with self._changing:
            path = event.run.directory / NAME
            page = self._pages.setdefault(event.run.index, self._due.get(path) or _Page(path))
            if line != page.last:
                page.waiting.append(f"{_now()} {line}\n")
                page.last = line
            if event.result is not None:
                del self._pages[event.run.index]
            elif event.status.passing:
                return
            self._due[path] = page
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
            texts = {path: "".join(page.waiting) for path, page in self._due.items()}
            for page in self._due.values():
                page.waiting.clear()
            self._due.clear()
        for path, text in texts.items():
            with suppress(OSError):
                _append(path, text)


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


def _append(path: Path, text: str) -> None:
    if text:
        with path.open("a", encoding="utf-8") as file:
            file.write(text)
