"""Show progress live: a bar for all, a line for each of the oldest active runs, failures as they happen."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Self

from rich.console import Console
from rich.control import Control
from rich.live import Live
from rich.segment import ControlType
from rich.text import Text

from runner.engine.run import Event, Run

from .label import RunLabels
from .line import clean, cut, elapsed, flowing, in_ascii, padded, width
from .output import tolerate_closed_stderr
from .reason import Reasons
from .tally import Active, Now, Tally

_REFRESH_PER_SECOND = 4

_ROWS = 16
"""Runs that are shown at most, however tall the terminal is."""

_IN_FULL = 3
"""Failures or notes of one kind that are printed as they come; later ones are only counted."""

_PRINTED = 12
"""Lines that are printed at most for failures, and as many for notes, whatever their kinds."""

_COUNTED = 3
"""Kinds of failures whose numbers are shown."""


class LiveDisplay:
    """Redraw on standard error a few times a second, however many events arrive."""

    def __init__(self, runs: Sequence[Run], console: Console | None = None, now: Now = time.monotonic) -> None:
        self._now = now
        self._tally = Tally(runs, now)
        self._labels = RunLabels(runs)
        self._console = console or Console(stderr=True, highlight=False)
        self._failures, self._notes = Reasons(), Reasons()
        self._frame = _Frame(self._console)
        self._live = Live(
            console=self._console,
            get_renderable=self._render,
            refresh_per_second=_REFRESH_PER_SECOND,
            transient=True,
            redirect_stdout=sys.stdout.isatty(),  # what goes elsewhere must arrive there
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        with tolerate_closed_stderr():
            self._live.stop()

    def __call__(self, event: Event) -> None:
        """Take the event in; the first failures and notes of each kind are printed above the bars at once."""
        self._tally.take(event)
        if event.result is not None and event.result.error is not None:
            self._say(self._failures, event, f"{event.status}: {event.result.error.message}", "red")
        if event.note:
            self._say(self._notes, event, event.note, "yellow")

    def _say(self, reasons: Reasons, event: Event, text: str, style: str) -> None:
        count = reasons.count(text, event.run.index)[1]
        reasons.printed += count <= _IN_FULL
        if count <= _IN_FULL and reasons.printed <= _PRINTED:
            with tolerate_closed_stderr():
                self._console.print(Text(f"[{event.run.index}] {clean(text, 400)}", style=style))

    def _render(self) -> Text:
        columns, height = self._console.size
        columns = max(1, columns - 1)  # a line that fills its row to the end wraps on some terminals
        room = max(1, height - 1)
        overall = self._overall(columns)[:room]
        grouped = self._grouped(columns)[: room - len(overall)]
        rows = self._rows(columns, min(_ROWS, room - len(overall) - len(grouped) - 1))
        return self._frame.draw([*rows, *grouped, *overall])

    def _rows(self, columns: int, room: int) -> list[Text]:
        """Return a line for each of the oldest runs, and one for how many more there are."""
        if room < 1:
            return []
        active = list(self._tally.active.values())
        digits = len(str(max(0, self._tally.total - 1)))
        lines = [self._row(each, columns, digits) for each in active[:room]]
        if hidden := len(active) - len(lines):
            lines.append(Text(cut(f"  … and {hidden:,} more under way", columns), style="dim"))
        return lines

    def _row(self, active: Active, columns: int, digits: int) -> Text:
        event = active.event
        number = f"[{event.run.index}]".rjust(digits + 2)
        word = padded(clean(event.remote_status or event.status.value, 40), 11)
        age = elapsed(self._now() - active.since).rjust(5)
        bar = f"{_bar(event.progress / 100, 16)} " if columns >= 72 else ""
        line = f"{number} {bar}{event.progress:3.0f}% {word} {age} "
        text = Text(cut(line + self._labels.label(event.run, max(0, columns - width(line))), columns))
        text.stylize("cyan", 0, len(number))
        return text

    def _grouped(self, columns: int) -> list[Text]:
        """Return the kinds of failures of which not all were printed."""
        counted = sorted([*self._failures.counts.items()], key=lambda each: -each[1])[:_COUNTED]
        return [
            Text(cut(f"  {count:,} × {clean(self._failures.texts[key])}", columns), style="red")
            for key, count in counted
            if count > _IN_FULL
        ]

    def _overall(self, columns: int) -> list[Text]:
        tally = self._tally
        bar = _bar(tally.ended / max(1, tally.total), 24 if columns >= 60 else 8)
        head, *rest = tally.parts()
        first = f"{bar} {head} · {elapsed(tally.seconds)}"
        return [Text(line) for line in flowing([first, *rest], columns)]


class _Frame:
    """Remember what was drawn last, so that a terminal that has become narrower is cleared of it, too."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._ascii = not console.encoding.startswith("utf")
        self._widths: list[int] = []

    def draw(self, lines: Sequence[Text]) -> Text:
        """Draw all lines as one text."""
        if self._ascii:
            for line in lines:
                line.plain = in_ascii(line.plain)
        self._clear_what_wrapped()
        self._widths = [width(line.plain) for line in lines]
        return Text("\n", no_wrap=True, end="").join(lines)

    def _clear_what_wrapped(self) -> None:
        """Clear the rows that the last frame has gained: a narrower terminal has wrapped what was wider than it."""
        columns = max(1, self._console.width)
        gained = sum(-(-each // columns) or 1 for each in self._widths) - len(self._widths)
        if gained > 0:
            up = ((ControlType.CURSOR_UP, 1), (ControlType.ERASE_IN_LINE, 2)) * gained
            # Rich clears as many rows as it has drawn, from where this leaves the cursor.
            self._console.control(Control(ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2), *up))


def _bar(share: float, columns: int) -> str:
    done = min(columns, max(0, round(share * columns)))
    return "━" * done + "─" * (columns - done)
