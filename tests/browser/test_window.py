"""The window is used: cells fit it, the head stays low, and nothing needs a wheel that could be seen at once."""

from __future__ import annotations

import pytest

AXES = [("request.prompt", ["a red fox", "a blue whale", "a lamb"]), ("model", ["sora-2", "sora-2-pro"]),
        ("request.duration_seconds", [4, 8]), ("replica", [0, 1])]  # fmt: skip
GRID = "document.getElementById('grid')"


@pytest.fixture
def sweep(make_cell, make_page):
    """Data of every state over four parameters, with totals of every kind."""
    groups = ["done", "failed", "uncertain", "generating", "queued"]
    cells = [
        make_cell(n, [n // 8, n // 4 % 2, n // 2 % 2, n % 2], group=groups[n % 5], latency_seconds=9.5)
        for n in range(24)
    ]
    data = make_page(cells, AXES, title="outputs/multirun/2026-11-23/09-30-00-x7k2")
    data["totals"].update(success_rate=0.75, retries=2, reused=3, saved_usd=1.2, resumed=1, budget_usd=10)
    return data


def test_the_head_is_at_most_96_pixels_high_with_every_view_named_and_nothing_squeezed(gallery, sweep):
    page = gallery(sweep)
    sizes = "all => all.map((one) => one.getBoundingClientRect()).map(({width, right}) => [width, right])"
    for width in (1000, 1181, 1240, 1280, 1401, 1920):
        page.set_viewport_size({"width": width, "height": 800})
        page.wait_for_function(f"innerWidth === {width}")
        assert page.locator("#head").bounding_box()["height"] <= 96
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.get_by_label("sort by").is_visible()
        assert page.locator("#views button").all_inner_texts() == ["Grid", "Plot", "Scoreboard"]
        for wide, right in page.locator("#head .icon-button:visible").evaluate_all(sizes):
            assert wide >= 28
            assert right <= width
        for _, right in page.locator("#views button").evaluate_all(sizes):
            assert right <= width


def test_the_head_of_a_phone_is_at_most_96_pixels_high_and_leads_to_every_view(gallery, sweep):
    page = gallery(sweep, width=390, height=844, has_touch=True, is_mobile=True)
    assert page.locator("#head").bounding_box()["height"] <= 96
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.get_by_label("sort by").is_visible()
    page.get_by_role("button", name="View and filter").tap()
    for name, shown in (("Scoreboard", "scores"), ("Plot", "plot"), ("Grid", "grid")):
        button = page.get_by_role("group", name="View", exact=True).get_by_role("button", name=name)
        button.tap()
        assert button.get_attribute("aria-pressed") == "true"
        assert page.locator(f"#{shown}").is_visible()


@pytest.mark.parametrize("width", [1280, 1920])
def test_cells_fill_the_width_of_the_window_and_do_not_overflow_it(gallery, sweep, width):
    page = gallery(sweep, width=width)
    assert page.evaluate(f"{GRID}.scrollWidth <= {GRID}.clientWidth")
    right = max(box["x"] + box["width"] for box in (one.bounding_box() for one in page.locator(".tile").all()))
    assert right > width - 60


def test_one_run_fills_the_window(gallery, make_cell, make_page):
    page = gallery(make_page([make_cell(0, [])]), width=1280, height=800)
    box = page.locator(".tile .frame").bounding_box()
    assert box["width"] > 900
    assert page.evaluate(f"{GRID}.scrollHeight <= {GRID}.clientHeight")


def test_all_runs_of_a_list_are_seen_at_once_where_they_can_be(gallery, make_cell, make_page):
    page = gallery(make_page([make_cell(number, []) for number in range(6)]), width=1280, height=800)
    assert page.locator(".tile").count() == 6
    assert page.evaluate(f"{GRID}.scrollHeight <= {GRID}.clientHeight")


def test_cells_follow_the_window_and_what_is_drawn_stays(gallery, sweep):
    page = gallery(sweep)
    before = page.locator(".tile").first.bounding_box()["width"]
    page.evaluate("window.first = document.querySelector('.tile')")
    page.set_viewport_size({"width": 1700, "height": 1000})
    page.wait_for_function(f"document.querySelector('.tile').offsetWidth > {before + 20}")
    assert page.evaluate("window.first.isConnected")


def test_a_size_that_was_chosen_stays_until_cells_fit_again(gallery, sweep):
    page = gallery(sweep, width=1500)
    page.get_by_label("Size of a cell in pixels").fill("300")
    assert page.locator(".tile").first.bounding_box()["width"] == 300
    page.get_by_role("button", name="Let cells fit the window").click()
    assert page.evaluate("gallery.store.state.size") == 0
    assert page.locator(".tile").first.bounding_box()["width"] != 300
