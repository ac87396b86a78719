from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runner.display.grid import Head, grid
from runner.display.line import width

HEADS = [Head("model"), Head("sizes"), Head("price", right=True), Head("command to continue", whole=True)]
ROW = ["gpt-image-2.5-sunburst", "1024x1024 1536x1024", "$0.40", "outputs/a/b\npython -m runner resume outputs/a/b"]


def lines(rows, columns, heads=HEADS) -> list[str]:
    return [line for each in grid(heads, rows, columns) for line in each]


@pytest.mark.parametrize("columns", [1, 40, 60, 80, 200])
def test_names_and_commands_are_never_broken(columns):
    told = lines([ROW], columns)
    for name in (*ROW[0].split(), *ROW[1].split(), ROW[2], *ROW[3].split("\n")):
        assert any(name in line for line in told), name


def test_texts_wrap_at_blanks_to_what_room_there_is():
    heads = [Head("run", right=True), Head("prompt")]
    rows = [["0", "A paper boat sails over a sea of ink"]]
    assert lines(rows, 20, heads) == ["run  prompt", "  0  A paper boat", "     sails over a", "     sea of ink"]
    assert len(lines(rows, 80, heads)) == 2


words = st.text(alphabet="ab\u6771\u4eac ", max_size=80)


@example([(4 * "\u4eac" + " " + 3 * "\u4eac", "\u4eacaaa")], 17)
@example([("aa\u4eac " + 7 * "\u4eac", "a\u4eac")], 21)
@given(st.lists(st.tuples(words, words), min_size=1, max_size=4), st.integers(10, 120))
def test_nothing_is_lost_and_no_line_is_wider_than_it_must_be(rows, columns):
    heads = [Head("a"), Head("b")]
    told = lines(rows, columns, heads)
    for letter in "ab\u6771\u4eac":
        assert "".join(told[1:]).count(letter) == sum(text.count(letter) for row in rows for text in row)
    longest = [max(min(width(word), 80) for row in rows for word in row[place].split() or [""]) for place in (0, 1)]
    assert max(map(width, told)) <= max(columns, sum(longest) + 4)
