"""How many runs are seen of all is always said, with why others are not, and a way to them."""

from __future__ import annotations

from itertools import product

import pytest

AXES = [("request.prompt", ["a red fox", "a blue whale"]), ("model", ["one", "two"]), ("request.size", ["S", "M"]),
        ("replica", list(range(8)))]  # fmt: skip


@pytest.fixture
def data(make_cell, make_page):
    """Return 32 runs in each of two tabs; the first replica is fixed, and one run alone is of `a rare thing`."""
    places = product(*(range(len(values)) for _, values in AXES))
    cells = [make_cell(number, at) for number, at in enumerate(places)]
    cells[30]["prompt"] = "a rare thing"
    return make_page(cells, AXES)


def account(page) -> str:
    return " ".join(page.locator("#account").inner_text().split())


def test_runs_that_are_fixed_away_and_those_in_other_tabs_are_counted(gallery, data):
    page = gallery(data, "#x=request.size&y=request.prompt&tab=model")
    assert account(page) == "4 of 64 runs shown: 4 in other tabs 56 of other fixed values"
    page.get_by_role("button", name="56 of other fixed values").click()
    assert account(page) == "32 of 64 runs shown: 32 in other tabs"
    page.get_by_role("button", name="32 in other tabs").click()
    assert page.evaluate("gallery.store.state.at") == 1


def test_where_all_are_shown_it_says_how_many(gallery, make_cell, make_page):
    assert account(gallery(make_page([make_cell(number, []) for number in range(3)]))) == "3 runs"


def test_what_is_found_in_another_tab_is_told_and_led_to(gallery, data):
    page = gallery(data, "#x=request.size&y=request.prompt&tab=model&find=rare&fixed=")
    assert account(page) == "0 of 64 runs shown: 1 in other tabs 63 filtered out"
    assert page.get_by_role("tab").all_inner_texts() == ["one0", "two1"]
    page.get_by_role("button", name="Go to the next tab with a run").click()
    assert page.locator(".tile").count() == 1
    assert account(page) == "1 of 64 runs shown: 63 filtered out"


def test_starred_runs_are_counted_where_they_are(gallery, data):
    page = gallery(data, "#x=request.size&y=request.prompt&tab=model&starred=true&fixed=")
    page.evaluate("gallery.ratings.toggle(gallery.store.cell('0/20'), '', 'star')")
    page.evaluate("gallery.ratings.toggle(gallery.store.cell('0/3'), '', 'star')")
    assert account(page) == "1 of 64 runs shown: 1 in other tabs 62 filtered out"


def test_a_run_that_is_fixed_away_is_led_to(gallery, data):
    data["cells"][33]["prompt"] = "a unique thing"
    page = gallery(data, "#x=request.size&y=request.prompt&tab=model&find=unique")
    page.get_by_role("button", name="Show all values").click()
    assert page.locator(".tile").get_attribute("data-id") == "0/33"


def test_the_filter_is_cleared_from_where_it_is_told(gallery, data):
    page = gallery(data, "#find=rare&fixed=")
    page.get_by_role("button", name="filtered out").click()
    assert page.evaluate("gallery.store.state.find") == ""
