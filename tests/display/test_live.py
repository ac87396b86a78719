"""What a terminal shows while runs are under way, at any size."""

from __future__ import annotations

import io
import re
from collections.abc import Callable

import pytest
from rich.console import Console, ConsoleDimensions

from runner.display.line import width
from runner.display.live import LiveDisplay


class Terminal(Console):
    """A terminal of a size that can change, whose output is kept."""

    def __init__(self, columns: int = 80, height: int = 24, encoding: str = "utf-8", **options) -> None:
        self.columns = columns
        self.rows = height
        self.text = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="backslashreplace", write_through=True)
        super().__init__(file=self.text, force_terminal=True, highlight=False, **options)

    @property
    def size(self) -> ConsoleDimensions:
        return ConsoleDimensions(self.columns, self.rows)

    def told(self) -> str:
        return self.text.buffer.getvalue().decode(self.encoding)


@pytest.fixture
def live(story) -> Callable[..., tuple]:
    def make(terminal: Terminal, count: int = 200, *overrides: str) -> tuple:
        told = story(count, *overrides)
        display = LiveDisplay(told.runs, terminal, told)
        told.hears.append(display)
        return told, display

    return make


def frame(display: LiveDisplay) -> list[str]:
    return display._render().plain.split("\n")


def test_a_line_a_run_below_them_what_is_left_and_failures_at_once(live):
    terminal = Terminal()
    told, display = live(terminal)
    with display:
        told.submit(*range(50), progress=40)
        told.end(3, status="failed", error="it broke")
        assert "[3] failed: it broke" in terminal.told()
        lines = frame(display)
    assert lines[0].split()[:4] == ["[0]", "━━━━━━──────────", "40%", "in_progress"]
    assert lines[-3].strip() == "… and 33 more under way"
    assert "1/200 runs" in lines[-2]
    assert "1 failed" in lines[-2]
    assert lines[-1].endswith("spent · $160.00 estimated")


@pytest.mark.parametrize("columns", [200, 80, 40, 20, 8, 1])
@pytest.mark.parametrize("height", [50, 24, 8, 3, 1])
def test_no_frame_is_larger_than_its_terminal(live, columns, height):
    told, display = live(Terminal(columns, height))
    told.submit(*range(100), progress=40)
    told.end(*range(20, 40), status="failed", error="the 日本語 service broke " * 9)
    lines = frame(display)
    assert len(lines) <= max(1, height - 1)
    assert max(map(width, lines)) <= max(1, columns - 1)
    assert len(lines) <= 24, "a tall terminal is no reason to draw for long"


def test_forty_columns_still_tell_how_far_it_is(live):
    told, display = live(Terminal(40))
    told.submit(*range(3), progress=40)
    lines = frame(display)
    assert re.match(r" *\[0\] +40% in_progress +0s", lines[0])
    assert "0/200 runs" in lines[3]


def test_a_thousand_failures_are_a_few_lines_and_a_number(live):
    terminal = Terminal()
    told, display = live(terminal, 1_000)
    with display:
        for number in range(1_000):
            told.end(number, status="failed", error=f"job video_{number} melted")
        lines = frame(display)
    assert terminal.told().count("\x1b[31m[") == 3
    assert "  1,000 × failed: job video_0 melted" in lines


def test_as_many_kinds_of_failures_do_not_flood_either(live):
    terminal = Terminal()
    told, display = live(terminal, 200)
    with display:
        for number in range(200):
            told.end(number, status="failed", error="x" * (number + 1))
    assert terminal.told().count("\x1b[31m[") == 12


def test_a_terminal_that_became_narrower_is_cleared_of_the_rows_that_wrapped(live):
    terminal = Terminal(80)
    told, display = live(terminal)
    told.submit(*range(10), progress=40)
    display._live.auto_refresh = False
    with display:
        display._live.refresh()
        rows = sum(-(-width(line) // 40) for line in frame(display))
        terminal.columns = 40
        before = len(terminal.told())
        display._live.refresh()
        ups = terminal.told()[before:].count("\x1b[1A")
    assert ups == rows - 1, "from the last row of the old frame to its first"


def test_without_colour_a_bar_still_tells_how_far_it_is(live):
    terminal = Terminal(no_color=True)
    told, display = live(terminal)
    display._live.auto_refresh = False
    with display:
        told.submit(0, progress=50)
        display._live.refresh()
    assert "━━━━━━━━────────" in terminal.told()
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", terminal.told())


def test_a_terminal_of_another_encoding_gets_letters_that_it_has(live):
    terminal = Terminal(encoding="latin-1")
    told, display = live(terminal)
    display._live.auto_refresh = False
    with display:
        told.submit(*range(40), progress=50)
        display._live.refresh()
    assert "========--------" in terminal.told()
    assert "\\u" not in terminal.told()
