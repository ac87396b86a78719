"""The live display: an overall bar, a line per active job, failures as they happen."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from runner.artifacts.result import RunStatus
from runner.engine.run import Event

from .line import clean

_REFRESH_PER_SECOND = 4


class LiveDisplay:
    """Redraws on standard error a few times a second, however many events arrive."""

    def __init__(self, total: int, console: Console | None = None) -> None:
        self._total = total
        self._console = console or Console(stderr=True, highlight=False)
        self._started = time.monotonic()
        self._active: dict[int, tuple[Event, float]] = {}
        self._done = 0
        self._failed = 0
        self._live = Live(
            console=self._console, get_renderable=self._render, refresh_per_second=_REFRESH_PER_SECOND, transient=True
        )

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.__exit__(kind, error, trace)

    def __call__(self, event: Event) -> None:
        """Take the event in; failures and notes are printed above the bars at once."""
        index = event.run.index
        if event.result is not None:
            self._active.pop(index, None)
            self._done += 1
            self._report_failure(event)
        elif event.status is not RunStatus.PLANNED:
            since = self._active[index][1] if index in self._active else time.monotonic()
            self._active[index] = (event, since)
        if event.note:
            self._console.print(Text(f"[{index}] {clean(event.note)}", style="yellow"))

    def _report_failure(self, event: Event) -> None:
        if event.result is None or event.result.error is None:
            return
        self._failed += 1
        message = clean(event.result.error.message, 400)
        self._console.print(Text(f"[{event.run.index}] {event.status}: {message}", style="red"))

    def _render(self) -> Group:
        room = max(1, self._console.size.height - 4)
        shown = list(self._active.values())[:room]
        rows = Table.grid(padding=(0, 1))
        for event, since in shown:
            rows.add_row(*self._row(event, since))
        hidden = len(self._active) - len(shown)
        more = [Text(f"  … and {hidden} more under way", style="dim")] if hidden > 0 else []
        return Group(rows, *more, self._overall())

    def _row(self, event: Event, since: float) -> list[Text | ProgressBar]:
        word = event.remote_status or event.status.value
        return [
            Text(f"[{event.run.index}]", style="cyan"),
            ProgressBar(total=100, completed=event.progress, width=16),
            Text(f"{event.progress:3.0f}%"),
            Text(clean(word, 12)),
            Text(f"{time.monotonic() - since:.0f}s", style="dim"),
            Text(clean(event.run.label, 48), style="dim", no_wrap=True, overflow="ellipsis"),
        ]

    def _overall(self) -> Table:
        line = Table.grid(padding=(0, 1))
        failed = Text(f"{self._failed} not succeeded", style="red") if self._failed else Text("")
        line.add_row(
            ProgressBar(total=max(1, self._total), completed=self._done, width=24),
            Text(f"{self._done}/{self._total} runs"),
            failed,
            Text(f"{time.monotonic() - self._started:.0f}s", style="dim"),
        )
        return line
