"""Axes: what is across, down, in tabs, fixed, or together in one cell, and how a reader changes it."""

from __future__ import annotations

from itertools import product

import pytest

PROMPT = ("request.prompt", ["a red fox", "a blue whale"])
SECONDS = ("request.duration_seconds", [4, 8, 12])
MODEL = ("model", ["sora-2", "sora-2-pro"])
SIZE = ("request.size", ["1280x720", "720x1280"])
REPLICA = ("replica", [0, 1])


@pytest.fixture
def swept_over(make_cell, make_page):
    """Data of a sweep over the product of all values."""

    def over(*axes):
        places = product(*(range(len(values)) for _, values in axes))
        return make_page([make_cell(number, at) for number, at in enumerate(places)], axes)

    return over


def arrangement(page):
    return page.evaluate("(({x, y, tab, fixed}) => [x, y, tab, fixed])(gallery.store.state)")


def headings(page):
    return page.locator(".heading").all_inner_texts(), page.locator(".rowhead").all_inner_texts()


def numbers(page):
    return sorted(page.locator(".tile").evaluate_all("all => all.map(one => Number(one.dataset.id.split('/')[1]))"))


OPENS = [
    ((PROMPT, SECONDS), ["request.duration_seconds", "request.prompt", "", {}]),
    ((SECONDS, MODEL), ["request.duration_seconds", "model", "", {}]),
    ((SECONDS, MODEL, PROMPT), ["request.duration_seconds", "request.prompt", "model", {}]),
    ((SECONDS,), ["request.duration_seconds", "", "", {}]),
    ((("request.seed", list(range(30))),), ["", "", "", {}]),
    ((("request.seed", list(range(30))), SECONDS), ["request.duration_seconds", "request.seed", "", {}]),
    ((PROMPT, SECONDS, MODEL, SIZE, REPLICA), ["request.duration_seconds", "request.prompt", "model", {}]),
    (
        (PROMPT, SECONDS, MODEL, SIZE, ("replica", list(range(5)))),
        ["request.duration_seconds", "request.prompt", "model", {"replica": 0}],
    ),
    ((), ["", "", "", {}]),
]


def test_a_page_opens_with_a_sensible_arrangement(gallery, swept_over):
    page = gallery(swept_over())
    for axes, opens in OPENS:
        page.evaluate("(data) => gallery.store.replaceData(data)", swept_over(*axes))
        assert arrangement(page) == opens, axes


def test_runs_drawn_at_random_are_listed_rather_than_spread_over_a_grid_of_holes(gallery, make_cell, make_page):
    cells = [make_cell(number, [number, number]) for number in range(20)]
    axes = [("request.seed", list(range(20))), ("request.guidance_scale", list(range(20)))]
    page = gallery(make_page(cells, axes), height=1600)
    assert arrangement(page) == ["", "", "", {}]
    assert page.locator(".slot").count() == 20


def test_axes_swap(gallery, swept_over):
    page = gallery(swept_over(PROMPT, SECONDS))
    assert headings(page) == (["4 s", "8 s", "12 s"], ["a red fox", "a blue whale"])
    page.get_by_role("button", name="Swap the axes").click()
    assert headings(page) == (["a red fox", "a blue whale"], ["4 s", "8 s", "12 s"])
    assert page.locator(".row").nth(1).locator(".tile").nth(1).get_attribute("data-id") == "0/4"


def test_the_third_axis_is_shown_in_tabs_that_arrows_move_between(gallery, swept_over):
    page = gallery(swept_over(PROMPT, SECONDS, MODEL))
    tabs = page.get_by_role("tab")
    assert tabs.all_inner_texts() == ["sora-2", "sora-2-pro"]
    assert numbers(page) == [0, 2, 4, 6, 8, 10]
    tabs.nth(0).focus()
    page.keyboard.press("ArrowRight")
    assert numbers(page) == [1, 3, 5, 7, 9, 11]
    assert page.evaluate("document.activeElement.textContent") == "sora-2-pro"
    assert tabs.nth(1).get_attribute("aria-selected") == "true"
    assert page.get_by_role("tabpanel").get_attribute("aria-labelledby") == "tab-1"


def test_tabs_say_what_they_are_and_values_have_their_unit(gallery, swept_over):
    page = gallery(swept_over(PROMPT, MODEL, SECONDS), "#tab=request.duration_seconds")
    assert page.locator("#tab-axis").inner_text() == "duration:"
    assert page.get_by_role("tab").all_inner_texts() == ["4 s", "8 s", "12 s"]


def test_headings_without_a_corner_say_what_they_are(gallery, swept_over):
    page = gallery(swept_over(SECONDS))
    assert headings(page)[0] == ["duration 4 s", "duration 8 s", "duration 12 s"]


def test_the_names_of_both_axes_stand_apart_in_the_corner(gallery, make_cell, make_page):
    key = "request.a_rather_long_name_of_a_parameter"
    axes = [(key, ["a", "b"]), ("request.another_name_that_is_long", ["c", "d"])]
    page = gallery(make_page([make_cell(n, divmod(n, 2)) for n in range(4)], axes))
    across, down = (one.bounding_box() for one in page.locator(".corner span").all())
    assert across["y"] + across["height"] <= down["y"] + 1


def test_prompts_that_begin_alike_are_told_apart_where_there_is_no_room_for_them(gallery, make_cell, make_page):
    begin = "a very long shot of a harbour at night with lanterns over the water and boats that come in slowly, "
    prompts = [begin + end for end in ("in rain", "in snow", "in fog", "in storm")]
    cells = [make_cell(number, [number, 0]) for number in range(4)]
    page = gallery(make_page(cells, [("request.prompt", prompts), ("model", ["sora-2"])]), "#x=request.prompt")
    ends = ("rain", "snow", "fog", "storm")
    assert all(text.endswith(end) for text, end in zip(headings(page)[0], ends, strict=True))
    assert all(text.startswith("a very") for text in headings(page)[0])


def test_further_axes_stand_together_or_are_fixed_by_a_select(gallery, swept_over):
    page = gallery(swept_over(PROMPT, SECONDS, MODEL, SIZE))
    assert page.locator(".slot").first.locator(".what").all_inner_texts() == ["1280x720", "720x1280"]
    size = page.get_by_role("combobox", name="size", exact=True)
    size.select_option("720x1280")
    assert numbers(page) == [1, 5, 9, 13, 17, 21]
    size.select_option("all")
    assert len(numbers(page)) == 12


def test_all_values_of_an_axis_that_is_fixed_by_default_are_shown_after_a_reload_too(gallery, swept_over):
    page = gallery(swept_over(PROMPT, SECONDS, MODEL, SIZE, ("replica", list(range(5)))))
    assert len(numbers(page)) == 12
    page.get_by_role("combobox", name="replica", exact=True).select_option("all")
    page.wait_for_function("location.hash.includes('fixed=')")
    page.reload()
    page.wait_for_function("window.gallery")
    assert arrangement(page)[3] == {}
    assert page.locator(".slot").first.locator(".tile").count() == 10


def test_rows_that_hold_the_same_runs_by_another_axis_have_its_headings(gallery, make_cell, make_page):
    cells = [make_cell(number, [number, number]) for number in range(2)]
    page = gallery(make_page(cells, [("request.seed", [7, 8]), ("request.guidance_scale", [1.5, 2.5])]))
    page.evaluate("gallery.store.set({x: '', y: 'request.seed'})")
    assert headings(page)[1] == ["7", "8"]
    page.evaluate("gallery.store.set({y: 'request.guidance_scale'})")
    assert headings(page)[1] == ["1.5", "2.5"]


def test_an_axis_that_moves_trades_its_place(gallery, swept_over):
    page = gallery(swept_over(PROMPT, SECONDS, MODEL))
    page.get_by_label("across").select_option("model")
    assert arrangement(page) == ["model", "request.prompt", "request.duration_seconds", {}]
    assert headings(page) == (["sora-2", "sora-2-pro"], ["a red fox", "a blue whale"])
    assert page.get_by_role("tab").all_inner_texts() == ["4 s", "8 s", "12 s"]


def test_without_axes_the_runs_are_a_list(gallery, swept_over):
    page = gallery(swept_over(PROMPT, SECONDS))
    page.get_by_label("across").select_option("none")
    page.get_by_label("down").select_option("none")
    assert numbers(page) == [0, 1, 2, 3, 4, 5]
    assert page.locator(".heading").count() == 0


def test_the_rows_of_a_grid_are_sorted_by_their_best_run(gallery, swept_over):
    data = swept_over(PROMPT, SECONDS)
    for cell, latency in zip(data["cells"], [9.0, 8.0, 7.0, 6.0, 5.0, 4.0], strict=True):
        cell["latency_seconds"] = latency
    page = gallery(data)
    page.get_by_label("sort by").select_option("latency")
    assert headings(page)[1] == ["a blue whale", "a red fox"]


def test_runs_without_a_value_have_a_column_of_their_own(gallery, make_cell, make_page):
    cells = [make_cell(0, [0, 0]), make_cell(1, [1, 0]), make_cell(2, [None, 0]), make_cell(3, [0, 1])]
    page = gallery(make_page(cells, [("request.seed", [7, 8]), ("model", ["sora-2", "gpt-image-2"])]))
    assert headings(page)[0] == ["7", "8", "–"]
    assert page.locator(".row").first.locator(".tile").nth(2).get_attribute("data-id") == "0/2"


def test_the_filter_leaves_out_rows_and_columns_of_which_nothing_is_left(gallery, swept_over):
    data = swept_over(PROMPT, SECONDS)
    data["cells"][4]["prompt"] = "something rare"
    page = gallery(data, "#find=rare")
    assert headings(page) == (["8 s"], ["a blue whale"])
    page.evaluate("gallery.store.set({find: 'prompt'})")
    assert page.locator(".slot", has_text="1 filtered").count() == 1


def test_the_arrangement_survives_in_the_hash(gallery, swept_over):
    chosen = "#x=model&y=request.size&tab=request.prompt&at=1&fixed.request.duration_seconds=2"
    page = gallery(swept_over(PROMPT, SECONDS, MODEL, SIZE), chosen, height=1600)
    assert arrangement(page) == ["model", "request.size", "request.prompt", {"request.duration_seconds": 2}]
    assert numbers(page) == [20, 21, 22, 23]
    page.evaluate("location.hash = 'x=&y=&tab='")
    page.wait_for_function("gallery.store.state.y === ''")
    assert len(numbers(page)) == 24


def test_rows_of_a_table_stand_down_with_what_they_are_called_and_their_prompts(gallery, make_cell, make_page):
    places = [*product(range(3), range(2))]
    styles = [0, 0, 1]
    data = make_page([make_cell(number, [row, model, styles[row]]) for number, (row, model) in enumerate(places)])
    data["axes"] = [
        {"key": "id", "name": "id", "values": ["dawn", "noon", "2"], "notes": ["a red fox", "a blue whale", "<b>"]},
        {"key": "model", "name": "model", "values": ["sora-2", "sora-2-pro"]},
        {"key": "vars.style", "name": "vars.style", "values": ["noir", "pastel"], "of": "id"},
    ]
    page = gallery(data)
    assert arrangement(page) == ["model", "id", "", {}]
    assert headings(page) == (["sora-2", "sora-2-pro"], ["dawn\na red fox", "noon\na blue whale", "2\n<b>"])
    assert page.get_by_role("combobox", name="vars.style", exact=True).count() == 0, "a row tells it already"
    page.get_by_label("tabs").select_option("vars.style")
    assert page.get_by_role("tab").all_inner_texts() == ["noir", "pastel"]
    assert headings(page)[1] == ["dawn\na red fox", "noon\na blue whale"]
    page.evaluate("gallery.store.set({x: 'id', y: 'model', tab: ''})")
    assert headings(page)[0] == ["dawna red fox", "noona blue whale", "2<b>"]
    page.get_by_label("across").select_option("none")
    assert page.get_by_role("combobox", name="id", exact=True).locator("option").all_inner_texts() == [
        "all", "dawn · a red fox", "noon · a blue whale", "2 · <b>",
    ]  # fmt: skip
