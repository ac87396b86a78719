"""Ratings from 1 to 5 and tags of one's own: by keys and buttons, in the filter and the order."""

from __future__ import annotations

import pytest

from .reloading import reload

MEDIA = [{"name": f"image-{n}.png", "path": "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///ywAAAAAAQABAAACAUwAOw==",
          "type": "image/png", "poster": None} for n in (1, 2)]  # fmt: skip


@pytest.fixture
def data(make_cell, make_page):
    return make_page([make_cell(n, [n], media=MEDIA[:1]) for n in range(4)], [("request.seed", list(range(4)))])


@pytest.fixture
def page(gallery, data):
    page = gallery(data, "#x=&y=&tab=")
    page.wait_for_selector("#grid [data-id='0/0']")
    return page


def judged(page, number: int, file: str = "image-1.png") -> tuple:
    get = "([id, file]) => gallery.ratings.get(gallery.store.cell(id), file)"
    found = page.evaluate(get, [f"0/{number}", file])
    return found["rating"], found["tags"]


def press(page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def rate(page, **ratings: int) -> None:
    for name, rating in ratings.items():
        page.evaluate(
            "([id, rating]) => gallery.ratings.change(gallery.store.cell(id), 'image-1.png', {rating})",
            [f"0/{name[1:]}", rating],
        )


def shown(page) -> list[str]:
    return page.locator("#grid .tile").evaluate_all("(all) => all.map((one) => one.dataset.id)")


def test_a_run_in_the_grid_is_rated_and_tagged_by_one_key_each(page):
    press(page, "ArrowRight", "Shift+Digit4", "Shift+H")

    assert judged(page, 0) == (4, ["hands"])
    tile = page.locator("#grid [data-id='0/0']")
    assert tile.get_attribute("data-verdict") == "4/5 hands"
    assert "rated 4 of 5, tagged hands" in tile.get_attribute("aria-label")
    page.locator("#status", has_text="Run 0: tagged hands").wait_for()
    press(page, "Shift+Digit4", "Shift+H")
    assert judged(page, 0) == (None, [])
    assert page.evaluate("gallery.store.state.at") == 0, "no tab was chosen"


def test_the_digits_alone_still_choose_tabs_and_files(gallery, make_cell, make_page):
    cells = [make_cell(n, [n], media=MEDIA) for n in range(2)]
    page = gallery(make_page(cells, [("request.seed", [0, 1])]), "#x=&y=&tab=request.seed")
    press(page, "2")
    assert page.evaluate("gallery.store.state.at") == 1
    page.evaluate("gallery.detail.open('0/0')")
    press(page, "2", "Shift+Digit3", "Shift+T")

    assert judged(page, 0, "image-2.png") == (3, ["text"])
    assert judged(page, 0) == (None, [])


def test_where_digits_are_typed_by_shift_the_other_sign_rates(page):
    press(page, "ArrowRight")
    for key, shift in (("'", "false"), ("4", "true")):
        typed = f"{{ key: `{key}`, code: 'Digit4', shiftKey: {shift}, bubbles: true }}"
        page.evaluate(f"document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {typed}))")
        assert judged(page, 0)[0] == 4


def test_an_open_run_is_rated_and_tagged_by_buttons(page):
    page.evaluate("gallery.detail.open('0/1')")
    page.get_by_role("button", name="Rate 5 of 5").click()
    page.get_by_role("button", name="Tag motion").click()

    assert judged(page, 1) == (5, ["motion"])
    assert page.get_by_role("button", name="Rate 5 of 5").get_attribute("aria-pressed") == "true"
    assert page.get_by_role("button", name="Tag motion").get_attribute("aria-pressed") == "true"
    page.get_by_role("button", name="Next run").click()
    assert page.get_by_role("button", name="Rate 5 of 5").get_attribute("aria-pressed") == "false"


def test_tags_are_ones_own_and_get_keys_of_their_own(page):
    page.get_by_role("button", name="Ratings", exact=True).click()
    page.get_by_label("Your tags").fill("six fingers, soft, sky , soft")
    press(page, "Enter", "Escape", "Escape")
    reload(page, "gallery.tags.list().length === 3 && gallery.tags.list()[2] === 'sky'")

    assert page.evaluate("gallery.tags.keys()") == [
        {"tag": "six fingers", "letter": "i"}, {"tag": "soft", "letter": "o"}, {"tag": "sky", "letter": "k"}
    ]  # fmt: skip
    press(page, "ArrowRight", "Shift+O", "?")
    assert judged(page, 0)[1] == ["soft"]
    sheet = page.locator("#sheet[open]").inner_text()
    assert "tag: I six fingers, O soft, K sky" in sheet
    assert "Shift + 1 – 5" in sheet


def test_runs_are_filtered_by_what_was_judged(page):
    rate(page, r0=5, r1=4, r2=2)
    page.evaluate("gallery.ratings.change(gallery.store.cell('0/2'), 'image-1.png', {tags: ['hands'], star: true})")
    select = page.get_by_label("Show only files judged so")
    expected = {
        "kept": ["0/0", "0/1", "0/2"], "rated 5": ["0/0"], "rated 4 or more": ["0/0", "0/1"],
        "rated": ["0/0", "0/1", "0/2"], "not rated by you": ["0/3"], "tagged hands": ["0/2"],
        "any judgement": ["0/0", "0/1", "0/2", "0/3"],
    }  # fmt: skip
    for name, wanted in expected.items():
        select.select_option(label=name)
        assert shown(page) == wanted, name


def test_the_filter_stands_in_the_address_and_is_cleared_with_the_rest(gallery, data):
    page = gallery(data, "#x=&y=&tab=&judged=unrated")
    rate(page, r1=3)
    assert shown(page) == ["0/0", "0/2", "0/3"]
    press(page, "Shift+F")
    assert len(shown(page)) == 4


def test_runs_are_sorted_by_rating_the_best_first_and_unrated_ones_last(page):
    rate(page, r1=2, r3=5, r2=4)
    page.evaluate("gallery.store.set({sort: 'rating'})")

    assert shown(page) == ["0/3", "0/2", "0/1", "0/0"]


def test_what_others_think_is_told_in_the_open_run(page):
    usual = {"version": 1, "kind": "rating", "id": "b", "at": "2026-11-23T09:00:00Z", "rater": "ben", "run": "sweep/0"}
    judgement = {"rating": 2, "tags": ["hands"], "star": False, "reject": True, "note": "odd"}
    record = {**usual, "file": "image-1.png", **judgement}
    page.evaluate("(record) => gallery.ratings.merge([gallery.records.read(record)])", record)
    page.evaluate("gallery.detail.open('0/0')")

    assert page.get_by_label("What others think").inner_text() == "ben rejected, rated 2 of 5, tagged hands: odd"


def test_the_side_in_use_is_rated_and_tagged_in_the_comparison(gallery, data):
    page = gallery(data, "#x=&y=&tab=&compare=0%2F0+0%2F1&mode=compare2")
    page.locator("#overlay[open]").wait_for()
    press(page, "Shift+Digit5", "ArrowDown", "Shift+Digit2", "Shift+M")

    assert (judged(page, 0), judged(page, 1)) == ((5, []), (2, ["motion"]))
    captions = page.locator("#overlay figcaption").all_inner_texts()
    assert ["5/5" in captions[0], "2/5 motion" in captions[1]] == [True, True]


def test_who_rates_one_after_the_other_goes_on_to_the_next_that_is_not_rated(gallery, data):
    page = gallery(data, "#x=&y=&tab=&judged=unrated")
    press(page, "ArrowRight", "Shift+Digit4")
    assert page.evaluate("document.activeElement.dataset.id") == "0/1"
    press(page, "Shift+Digit2", "Shift+Digit3", "Shift+Digit1")

    assert [judged(page, number)[0] for number in range(4)] == [4, 2, 3, 1]
    assert shown(page) == []
