"""A run of several files: each has a tile of its own, with its own star, note and place in a comparison."""

from __future__ import annotations

import pytest

PICTURE = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' width='4' height='4'%3E%3C!-- {} --%3E%3C/svg%3E"
)


def picture(name: str, **facts):
    seen = {
        "name": name,
        "path": PICTURE.format(name),
        "type": "image/svg+xml",
        "poster": None,
        "width": 4,
        "height": 4,
    }
    return {**seen, "bytes": 70, "sha256": name, **facts}


@pytest.fixture
def three(make_cell, make_page):
    """Two runs by a parameter; the first has three images and a sketch of one, the second has one image."""
    files = [picture(f"image-{number}.png") for number in range(3)]
    sketch = picture("partial-0.png", extra=True)
    cells = [make_cell(0, [0], media=[*files, sketch]), make_cell(1, [1], media=[picture("image-0.png")])]
    return make_page(cells, [("request.quality", ["low", "high"])])


def shown(page) -> list[str]:
    return page.locator(".tile").evaluate_all("all => all.map(one => one.dataset.id)")


def test_each_file_that_was_asked_for_has_a_tile_in_the_runs_cell(gallery, three):
    page = gallery(three)
    assert shown(page) == ["0/0", "0/0.1", "0/0.2", "0/1"]
    first = page.locator(".slot").first
    assert first.locator(".what").all_inner_texts() == ["1 of 3", "2 of 3", "3 of 3"]
    assert first.locator(".facts").first.inner_text() == "$0.40 for 3 · 1.5 s"
    assert len({*first.locator("img").evaluate_all("all => all.map(one => one.src)")}) == 3
    assert page.locator("#account").inner_text() == "2 runs, 4 files"


def test_a_star_is_of_one_file_and_the_filter_shows_that_file_alone(gallery, three):
    page = gallery(three)
    second = page.locator('.tile[data-id="0/0.1"]')
    second.hover()
    second.get_by_role("button", name="Star").click()
    kept = "['image-0.png', 'image-1.png'].map((name) => gallery.ratings.get(gallery.store.cell('0/0'), name).star)"
    assert page.evaluate(kept) == [False, True]
    page.get_by_role("button", name="Show only starred runs").click()
    assert shown(page) == ["0/0.1"]


def test_a_file_is_judged_by_keys_where_it_stands_and_opened_as_itself(gallery, three):
    page = gallery(three)
    page.evaluate("gallery.grid.focus('0/0.2')")
    page.keyboard.press("x")
    assert page.evaluate("gallery.ratings.get(gallery.store.cell('0/0'), 'image-2.png').reject")
    page.keyboard.press("Enter")
    assert page.evaluate("gallery.store.state.open") == "0/0.2"
    assert page.get_by_role("button", name="File 3 of 3").get_attribute("aria-pressed") == "true"
    page.get_by_label("Notes", exact=True).fill("two tails")
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    page.wait_for_function("document.activeElement.dataset.id === '0/0.2'")
    assert page.evaluate("gallery.ratings.get(gallery.store.cell('0/0'), 'image-2.png').note") == "two tails"


def test_two_files_of_one_run_are_compared(gallery, three):
    page = gallery(three, "#compare=0/0+0/0.1&mode=compare2")
    assert len({*page.locator("#overlay img").evaluate_all("all => all.map(one => one.src)")}) == 2
    assert [text.split("\n")[1][:10] for text in page.locator("#overlay figcaption").all_inner_texts()] == [
        "#0, 1 of 3", "#0, 2 of 3",
    ]  # fmt: skip


def test_sketches_stay_in_the_open_run(gallery, three):
    page = gallery(three, "#open=0/0")
    page.get_by_role("button", name="partial-0.png").click()
    assert page.locator("#detail .detail-frame img").get_attribute("src") == PICTURE.format("partial-0.png")
    page.get_by_role("button", name="File 2 of 3").click()
    assert page.evaluate("gallery.store.state.open") == "0/0.1"


def test_arrows_go_from_file_to_file_and_zoom_is_one(gallery, three):
    page = gallery(three)
    page.evaluate("gallery.grid.focus('0/0')")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.dataset.id") == "0/0.1"
    page.keyboard.press("+")
    zoomed = "[...document.querySelectorAll('.tile img')].map((one) => getComputedStyle(one).transform)"
    assert len({*page.evaluate(zoomed)}) == 1
