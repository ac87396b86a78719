"""Texts in few columns: what tells them apart is still seen."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runner.display.label import Labels
from runner.display.line import width
from runner.display.shortening import Shortening, shares
from runner.results.varying import Varying

TOWN = "A slow aerial shot over a coastal town {}, warm light on the roofs, shot on 35 mm film, shallow depth of field"


def shortened(texts: list[str], columns: int) -> list[str]:
    shortening = Shortening(texts)
    return [shortening.short(text, columns) for text in texts]


def test_what_has_room_stays_as_it_is():
    assert shortened(["A fox in snow", "A fox in rain"], 13) == ["A fox in snow", "A fox in rain"]


def test_what_all_begin_and_end_with_is_left_out():
    assert shortened([TOWN.format(word) for word in ("at dawn", "in rain")], 20) == ["…at dawn,…", "…in rain,…"]


def test_a_difference_in_the_middle_and_one_at_the_end_are_both_seen():
    texts = [f"A red fox {'walks through the fresh snow ' * 4}{end}" for end in ("at dawn", "at noon")]
    texts += [f"A blue whale {'swims under the northern ice ' * 4}{end}" for end in ("at dawn", "at noon")]
    told = shortened(texts, 31)
    assert [[word in line for word in ("fox", "whale", "dawn", "noon")] for line in told] == [
        [True, False, True, False], [True, False, False, True], [False, True, True, False], [False, True, False, True],
    ]  # fmt: skip


def test_a_long_text_keeps_its_end():
    (told,) = shortened(["A fox walks through fresh snow " * 9 + "and sleeps in its den"], 40)
    assert told == "A fox walks through fresh…in its den"


def test_a_text_that_another_begins_with_shows_its_last_word():
    assert shortened(["A fox walks through fresh snow", "A fox walks through fresh snow twice"], 12) == [
        "…snow",
        "…twice",
    ]


def test_newlines_are_blanks_and_wide_letters_take_two_columns():
    told = shortened(["First scene:\n\n- a boat\n- a lighthouse", "\u6e05\u6668\u7684\u6d77\u8fb9\u5c0f\u9547" * 6], 24)
    assert told[0] == "First scene: -…ghthouse"
    assert width(told[1]) <= 24


@example(["a" * 40, "a" * 41], 12)
@example(["e\u0301" * 40, "e\u0301" * 39 + "e\u0300"], 9)
@given(st.lists(st.text(), min_size=1), st.integers(1, 80))
def test_no_text_is_wider_than_its_columns_or_several_lines(texts, columns):
    told = shortened(texts, columns)
    assert all(width(line) <= columns for line in told)
    assert all(len(line.splitlines()) <= 1 for line in told)


@given(
    st.lists(st.lists(st.sampled_from(["noir", "pastel", "dawn", "snow"]), min_size=3, max_size=3), min_size=1),
    st.integers(48, 100),
)
def test_prompts_of_a_template_stay_different(words, columns):
    template = "In the style of {}, a street in an old town by the sea with {} on it, seen at the hour of {} from above"
    texts = {template.format(*each) for each in words}
    assert len({*shortened(sorted(texts), columns)}) == len(texts)


def test_ten_thousand_texts_each_of_which_begins_with_the_last_are_told_in_bounded_memory():
    texts = ["a" * length for length in range(1, 3_000)]
    assert max(map(len, Shortening(texts)._partings.values())) <= 16


@pytest.mark.parametrize(
    ("wanted", "room", "found"),
    [([3, 4], 20, [3, 4]), ([3, 40, 40], 23, [3, 10, 10]), ([5, 5], 1, [0, 1]), ([], 9, [])],
)
def test_what_wants_little_has_it_and_the_others_as_much_as_each_other(wanted, room, found):
    assert shares(wanted, room) == found


PROMPTS = [TOWN.format(word) for word in ("at dawn", "in rain")]
SWEPT = Varying(
    ("id", "request.prompt", "model", "request.duration_seconds"),
    tuple((str(n), prompt, model, 4) for n, prompt in enumerate(PROMPTS) for model in ("sora-2", "sora-2-pro")),
)


@pytest.mark.parametrize("columns", [31, 60, 100])
def test_each_parameter_of_a_label_is_seen_in_few_columns(columns):
    labels = Labels(SWEPT)
    told = [labels.label(row, columns) for row in range(4)]
    assert all(width(label) <= columns for label in told)
    assert ["dawn" in label for label in told] == [True, True, False, False]
    assert [label.split(" ")[-2].removeprefix("model=") for label in told] == ["sora-2", "sora-2-pro"] * 2


def test_a_label_that_has_room_names_its_parameters():
    assert Labels(Varying(("request.size", "model"), (("1x1", "sora-2"), ("2x2", None)))).label(0, 40) == (
        "size=1x1 model=sora-2"
    )
    assert Labels(Varying(("request.size", "model"), (("1x1", "sora-2"), ("2x2", None)))).label(1, 40) == "size=2x2"
