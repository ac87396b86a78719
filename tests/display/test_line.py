"""Text of strangers on one line of a terminal."""

from __future__ import annotations

import pytest

from runner.display.line import clean, cut, elapsed, flowing, in_ascii, padded, roughly, unbroken, width

HOSTILE = "\x1b[31mred\x1b[0m\nnext \u202egnp.exe [bold]x[/bold]"


def test_text_from_strangers_cannot_steer_the_terminal():
    shown = clean(HOSTILE)
    assert shown.isprintable()
    assert "\n" not in shown


@pytest.mark.parametrize("mark", ["\x07", "\x9b", "\u2066", "\u200f", "\u2028", "\ud800", "\u00ad", "\ufeff"])
def test_every_kind_of_control_mark_becomes_a_space(mark):
    assert clean(f"a{mark}b") == "a b"


def test_what_is_too_long_ends_in_an_ellipsis():
    assert clean("x" * 500, 10) == "x" * 9 + "…"


@pytest.mark.parametrize(
    ("text", "columns"), [("abc", 3), ("日本語", 6), ("e\u0301", 1), ("", 0)],
)  # fmt: skip
def test_a_wide_letter_takes_two_columns_and_a_combining_mark_none(text, columns):
    assert width(text) == columns


@pytest.mark.parametrize("columns", range(1, 14))
def test_whatever_is_cut_fits(columns):
    for text in ("日本語のテキスト", "plain and long enough", "e\u0301" * 20):
        assert width(cut(text, columns)) <= columns
        assert width(padded(text, columns)) == columns


@pytest.mark.parametrize("columns", [20, 60, 80, 200])
@pytest.mark.parametrize("indent", ["", "  "])
def test_a_terminal_wraps_a_long_line_between_words(columns, indent):
    text = f"{indent}{'python -m runner resume outputs/x y --retry-failed ' * 9}".rstrip()
    told = unbroken(text, columns)
    rows = [told[start : start + columns] for start in range(0, len(told), columns)]
    assert [word for row in rows for word in row.split()] == text.split(), "no word stands on two rows"
    assert told.split() == text.split(), "copied, it is the same command"
    assert all(row.startswith(indent) for row in rows)


def test_a_word_that_is_wider_than_the_terminal_begins_a_row_of_its_own():
    told = unbroken(f"see {'x' * 25} there", 20)
    assert [told[start : start + 20] for start in (0, 20, 40)] == ["see                 ", "x" * 20, "xxxxx there"]


def test_parts_flow_onto_as_many_lines_as_they_need():
    assert flowing(["12/400 runs", "3 failed", "~2 min left"], 24) == ["12/400 runs · 3 failed", "~2 min left"]
    assert flowing(["a part that is much too long"], 10) == ["a part…"]


def test_signs_of_ours_have_a_stand_in_of_the_same_width():
    told = "━━── 3 × it broke · ≥ $1 → … ✓✗○◔◕"
    assert in_ascii(told).isascii()
    assert len(in_ascii(told)) == len(told)


@pytest.mark.parametrize(("seconds", "told"), [(0, "0s"), (59.9, "59s"), (60, "1:00"), (3753, "1:02:33")])
def test_what_has_gone_by_is_told_to_the_second(seconds, told):
    assert elapsed(seconds) == told


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(22, "~20 s"), (44, "~40 s"), (118, "~2 min"), (3000, "~50 min"), (9000, "~2.5 h")],
)
def test_what_is_to_come_is_told_roughly(seconds, told):
    assert roughly(seconds) == told
