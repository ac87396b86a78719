"""What a terminal shows while runs are under way, at any size."""

from __future__ import annotations

import io
import re
import signal
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


def test_counts_and_money_stand_above_the_latest_ends_and_failures_are_told_at_once(live):
    terminal = Terminal()
    told, display = live(terminal)
    with display:
        told.submit(*range(50), progress=40)
        told.time = 75
        told.end(*range(4, 24))
        told.end(3, status="failed", error="it broke")
        assert "✗ [3] it broke" in terminal.told()
        lines = frame(display)
    assert " 21/200 runs · 1:15 · ~8 min left" in lines[0]
    assert lines[1] == "150 queued · 29 generating · 20 done · 1 failed"
    assert lines[2] == "$40.00 spent of $160.00 estimated"
    assert [line.split()[:3] for line in lines[3:]] == [
        *(["✓", f"[{number}]", "done"] for number in range(17, 24)), ["✗", "[3]", "failed"],
    ]  # fmt: skip
    assert lines[-2] == "✓  [23] done 1:15 $0.80  replica=23"


def test_few_runs_that_are_under_way_have_a_line_each(live):
    told, display = live(Terminal(), 3)
    told.submit(0, progress=40)
    told.submit(1)
    told.download(2)
    assert frame(display)[3:] == [
        "◔ [0] generating 40 % 0s  replica=0",
        "◔ [1] generating (in_progress) 0s  replica=1",
        "◕ [2] downloading 0s  replica=2",
    ]


def test_an_image_of_which_nothing_is_known_has_no_percentage(live):
    told, display = live(Terminal(), 1, "request=image", "model=gpt-image-2")
    told.send(0)
    told.time = 12
    assert frame(display)[-1] == "◔ generating 12s"
    assert not any("0 %" in line for line in frame(display))


def test_an_interrupt_is_said_once_and_not_again_by_every_run(live):
    terminal = Terminal(60)
    told, display = live(terminal, 20)
    with display:
        told.submit(*range(10))
        display.interrupted(signal.SIGINT)
        told.leave(*range(10))
    shown = re.sub(r" {2,}", " ", re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", terminal.told()))
    assert "interrupted by Ctrl-C; nothing more is sent; 10 jobs go on at the provider" in shown
    assert shown.count("interrupted") == 1


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
    assert "0/200 runs" in lines[0]
    assert lines[1] == "197 queued · 3 generating"
    assert lines[-3].startswith("◔   [0] generating 40 % 0s")


def test_a_thousand_failures_are_a_few_lines_and_a_number(live):
    terminal = Terminal()
    told, display = live(terminal, 1_000)
    with display:
        for number in range(1_000):
            told.end(number, status="failed", error=f"job video_{number} melted")
        lines = frame(display)
    assert len(re.findall(r"✗ \[\d+\] job", terminal.told())) == 3
    assert "1,000 × job video_0 melted" in lines


def test_as_many_kinds_of_failures_do_not_flood_either(live):
    terminal = Terminal()
    told, display = live(terminal, 200)
    with display:
        for number in range(200):
            told.end(number, status="failed", error="x" * (number + 1))
    assert len(re.findall(r"✗ \[\d+\] x", terminal.told())) == 12


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
        told.end(*range(50))
        display._live.refresh()
    assert "━━━━━━──────────────────" in terminal.told()
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", terminal.told())


def test_a_terminal_of_another_encoding_gets_letters_that_it_has(live):
    terminal = Terminal(encoding="latin-1")
    told, display = live(terminal)
    display._live.auto_refresh = False
    with display:
        told.end(*range(100))
        display._live.refresh()
    assert "============------------" in terminal.told()
    assert "\x1b[32m+  [99]\x1b[0m done" in terminal.told()
    assert "\\u" not in terminal.told()
