"""Show progress live: a bar for all, counts, money and forecast, and the latest ends; failures as they happen."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Self

from rich.console import Console
from rich.control import Control
from rich.live import Live
from rich.segment import ControlType
from rich.text import Text

from runner.artifacts.run_status import RunStatus
from runner.engine.run import Event, Run
from runner.results.state import RunState, state_of
from runner.results.totals import charged

from .closing import Reasons
from .label import RunLabels
from .line import clean, cut, elapsed, flowing, in_ascii, unbroken, width
from .output import tolerate_closed_stderr
from .tally import Active, Now, Tally

_REFRESH_PER_SECOND = 4

_LATEST = 8
"""Ends that are shown at most, however tall the terminal is."""

_UNDER_WAY = 4
"""Up to so many runs that are under way, each has a line; of more, only their number tells something."""

_IN_FULL = 3
"""Failures or notes of one kind that are printed as they come; later ones are only counted."""

_PRINTED = 12
"""Lines that are printed at most for failures, and as many for notes, whatever their kinds."""

_COUNTED = 3
"""Kinds of failures whose numbers are shown."""

_COLOURS = {RunState.DONE: "green", RunState.FAILED: "red", RunState.UNCERTAIN: "yellow"}


class LiveDisplay:
    """Redraw on standard error a few times a second, however many events arrive."""

    def __init__(self, runs: Sequence[Run], console: Console | None = None, now: Now = time.monotonic) -> None:
        self._now = now
        self._tally = Tally(runs, now)
        self._labels = RunLabels(runs)
        self._console = console or Console(stderr=True, highlight=False)
        self._ascii = not self._console.encoding.startswith("utf")
        self._failures, self._notes = Reasons(), Reasons()
        self._latest: deque[tuple[Event, float]] = deque(maxlen=_LATEST)
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
        """Take the event in; the first failures and notes of each kind are printed above the bar at once."""
        began = self._tally.active.get(event.run.index)
        self._tally.take(event)
        if event.result is not None and state_of(event.result.status, busy=False) in _COLOURS:
            self._latest.append((event, self._now() - began.since if began else 0.0))
        if event.result is not None and event.result.error is not None:
            self._say(self._failures, event, event.result.error.message, "red")
        # Once interrupted, every run says so; that was said for all of them.
        if event.note and not (self._tally.interrupts and event.result is not None):
            self._say(self._notes, event, event.note, "yellow")

    def interrupted(self, signal_number: int) -> None:
        """Say that the runs are interrupted, and what goes on."""
        self._print(Text(self._tally.interrupt(signal_number), style="bold yellow"))

    def _say(self, reasons: Reasons, event: Event, text: str, style: str) -> None:
        count = reasons.count(text, event.run.index)[1]
        reasons.printed += count <= _IN_FULL
        if count <= _IN_FULL and reasons.printed <= _PRINTED:
            sign = _state(event).sign if event.result is not None else "!"
            self._print(Text(f"{sign} [{event.run.index}] {clean(text, 400)}", style=style))

    def _print(self, text: Text) -> None:
        text.plain = unbroken(in_ascii(text.plain) if self._ascii else text.plain, self._console.width)
        with tolerate_closed_stderr():
            self._console.print(text, soft_wrap=True)

    def _render(self) -> Text:
        columns, height = self._console.size
        columns = max(1, columns - 1)  # a line that fills its row to the end wraps on some terminals
        room = max(1, height - 1)
        lines = [*self._overall(columns), *self._grouped(columns)][:room]
        lines += self._under_way(columns, room - len(lines))
        lines += self._ends(columns, room - len(lines))
        return self._frame.draw(lines)

    def _overall(self, columns: int) -> list[Text]:
        tally = self._tally
        bar = _bar(tally.ended / max(1, tally.total), 24 if columns >= 60 else 8)
        first = [f"{bar} {tally.runs()}", elapsed(tally.seconds), *tally.rest()]
        # Of one run, its own line tells the state.
        counts = tally.counts() if tally.total > 1 else ()
        return [Text(line) for parts in (first, counts, tally.money()) for line in flowing(parts, columns)]

    def _grouped(self, columns: int) -> list[Text]:
        """Return the kinds of failures of which not all were printed."""
        counted = sorted([*self._failures.counts.items()], key=lambda each: -each[1])[:_COUNTED]
        return [
            Text(cut(f"{count:,} × {clean(self._failures.texts[key])}", columns), style="red")
            for key, count in counted
            if count > _IN_FULL
        ]

    def _under_way(self, columns: int, room: int) -> list[Text]:
        """Return a line for each run that is under way, where those are few."""
        active = [*self._tally.active.values()]
        return [self._row(each, columns) for each in active] if len(active) <= min(_UNDER_WAY, room) else []

    def _row(self, active: Active, columns: int) -> Text:
        event = active.event
        words = [_state(event).value, *_progress(event), elapsed(self._now() - active.since)]
        return self._line(event, "cyan", " ".join(words), columns)

    def _ends(self, columns: int, room: int) -> list[Text]:
        """Return a line for each of the latest runs that have ended, the last one last."""
        latest = [*self._latest][-room:] if room > 0 else []
        return [self._end(event, seconds, columns) for event, seconds in latest]

    def _end(self, event: Event, seconds: float, columns: int) -> Text:
        state = _state(event)
        cost = charged(event.result) if event.result is not None else ""
        words = [state.value, elapsed(seconds) if seconds else "", cost]
        return self._line(event, _COLOURS[state], " ".join(filter(None, words)), columns)

    def _line(self, event: Event, colour: str, words: str, columns: int) -> Text:
        head = _state(event).sign
        if self._tally.total > 1:
            digits = len(str(self._tally.total - 1))
            head += " " + f"[{event.run.index}]".rjust(digits + 2)
        line = f"{head} {words}  "
        label = self._labels.label(event.run, max(0, columns - width(line))) if self._tally.total > 1 else ""
        text = Text(cut(line + label, columns).rstrip())
        text.stylize(colour, 0, len(head))
        return text


def _state(event: Event) -> RunState:
    return state_of(event.status, busy=event.result is None)


def _progress(event: Event) -> Iterator[str]:
    """Yield how far a provider says it is; 0 % is what those say that do not tell."""
    if event.status is not RunStatus.SUBMITTED and event.status is not RunStatus.SUBMITTING:
        return
    if event.progress > 0:
        yield f"{event.progress:.0f} %"
    elif event.remote_status:
        yield f"({clean(event.remote_status, 20)})"


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
