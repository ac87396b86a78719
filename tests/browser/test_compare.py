"""Two to four runs before all else: in sync, wiped, and in words."""

from __future__ import annotations

import json
from itertools import chain

import pytest

from .playing import ENOUGH, OVERLAY, astray

OPEN = "#overlay[open]"
PLAYING = "!gallery.transport.gathering && gallery.transport.position > 0.2"


def choose(page, *ids: str) -> None:
    for id_ in ids:
        page.evaluate("(id) => gallery.compare.toggle(id)", id_)


def test_two_runs_play_side_by_side_in_sync_and_the_grid_waits(browse, videos):
    page = browse(videos)
    for id_ in ("0/2", "0/6"):
        tile = page.locator(f"#grid [data-id='{id_}']")
        tile.hover()
        tile.get_by_role("button", name="Compare").click()
    page.get_by_role("button", name="Compare the chosen runs").click()
    page.keyboard.press("Space")

    page.wait_for_function(PLAYING)
    assert astray(page, OVERLAY) <= ENOUGH
    assert page.locator("#overlay video").count() == 2
    assert page.evaluate("[...document.querySelectorAll('#grid video')].every((video) => video.paused)")


def test_four_runs_are_shown_at_most(browse, videos):
    page = browse(videos)
    choose(page, "0/0", "0/1", "0/2", "0/3", "0/4")

    assert page.evaluate("gallery.store.state.compare") == ["0/0", "0/1", "0/2", "0/3"]
    page.wait_for_function("document.getElementById('status').textContent.includes('Four runs at most')")

    page.keyboard.press("v")
    assert page.locator("#overlay figure").count() == 4
    page.get_by_role("button", name="Two side by side").click()
    assert page.locator("#overlay figure").count() == 2


def test_one_run_alone_is_not_compared(browse, videos):
    page = browse(videos)
    choose(page, "0/0")

    assert page.get_by_role("button", name="Compare the chosen runs").is_disabled()
    page.keyboard.press("v")
    page.wait_for_function("document.getElementById('status').textContent.includes('two to four')")
    assert page.locator(OPEN).count() == 0


def test_the_wipe_moves_by_keys_and_pointer(browse, videos):
    page = browse(videos, "#compare=0/2+0/6&mode=wipe")
    slider = page.get_by_role("slider", name="How much of A is shown")
    share = "getComputedStyle(document.querySelector('.wipe-upper')).clipPath"
    slider.focus()
    slider.press("Home")
    assert slider.get_attribute("aria-valuenow") == "0"
    slider.press("PageUp")
    slider.press("ArrowRight")
    slider.press("ArrowLeft")
    assert slider.get_attribute("aria-valuenow") == "10"
    before = page.evaluate(share)

    box = page.locator(".wipe-stage").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.75, box["y"] + 60, steps=4)
    page.mouse.up()

    assert slider.get_attribute("aria-valuenow") == "75"
    assert page.evaluate(share) != before
    assert page.evaluate("gallery.zoom.scale") == 1


def test_wiped_videos_are_in_sync(browse, videos):
    page = browse(videos, "#compare=0/2+0/6&mode=wipe")
    page.keyboard.press("Space")

    page.wait_for_function(PLAYING)
    assert astray(page, OVERLAY) <= ENOUGH


def test_prompts_differ_word_by_word_and_configs_by_their_leaves(gallery, make_cell, make_page):
    cells = [
        make_cell(0, [0], prompt="a red fox in the snow, at dawn", own={"request.prompt": "…", "request.size": "1x1"}),
        make_cell(1, [1], prompt="a blue fox in deep snow, at dawn", own={"request.prompt": "!", "request.size": "2x2"},
                  spent_usd=0.8, latency_seconds=3.5),
    ]  # fmt: skip
    page = gallery(make_page(cells, [("request.size", ["1x1", "2x2"])]), "#compare=0/0+0/1&mode=words")

    assert page.locator("#overlay del").all_inner_texts() == ["red", "the"]
    assert page.locator("#overlay ins").all_inner_texts() == ["blue", "deep"]
    rows = page.locator("#overlay tbody tr").all_inner_texts()
    assert rows == ["request.size\t1x1\t2x2", "cost\t$0.40\t$0.80", "latency\t1.5 s\t3.5 s"]


def test_texts_of_several_words_in_the_config_differ_word_by_word(gallery, make_cell, make_page):
    texts = ["blurred, low contrast", "blurred, high contrast", "none"]
    cells = [make_cell(number, [number], prompt="p", own={"request.negative_prompt": text})
             for number, text in enumerate(texts)]  # fmt: skip
    page = gallery(make_page(cells, [("replica", [0, 1, 2])]), "#compare=0/0+0/1+0/2&mode=words")

    first, second, third = page.locator("#overlay tbody tr td").all()
    assert first.locator("del, ins").count() == third.locator("del, ins").count() == 0
    assert (first.inner_text(), third.inner_text()) == ("blurred, low contrast", "none")
    assert [second.locator(tag).inner_text() for tag in ("del", "ins")] == ["low", "high"]


PAIRS = [("", "a"), ("a  b\n", "a b\n"), ("x", "x"), ("שלום עולם", "שלום לך"), ("a b c d", "d c b a"), ("<b>1", "<i>1")]


def test_both_texts_can_be_read_from_their_difference(gallery, make_cell, make_page):
    cells = [make_cell(number, [number], prompt=text) for number, text in enumerate(chain(*PAIRS))]
    page = gallery(make_page(cells, [("replica", list(range(len(cells))))]))
    without = """(tag) => {
      const all = document.querySelector("#overlay .difference").cloneNode(true);
      all.querySelectorAll(tag).forEach((part) => part.remove());
      return all.textContent;
    }"""

    for number, (one, other) in enumerate(PAIRS):
        ids = [f"0/{2 * number}", f"0/{2 * number + 1}"]
        page.evaluate("(compare) => gallery.store.set({compare, mode: 'words'})", ids)
        assert page.evaluate(without, "ins") == one
        assert page.evaluate(without, "del") == other


def test_prompts_of_32000_characters_that_share_little_are_one_replaced_by_the_other(gallery, make_cell, make_page):
    one = " ".join(f"word{number % 997}" for number in range(4000))[:32000]
    other = " ".join(f"word{number * 7 % 991}" for number in range(4000))[:32000]
    cells = [make_cell(0, [0], prompt=one), make_cell(1, [1], prompt=other)]
    page = gallery(make_page(cells, [("replica", [0, 1])]))
    choose(page, "0/0", "0/1")

    page.evaluate("gallery.compare.open('words')")

    difference = page.locator("#overlay .difference")
    assert difference.count() == 1
    assert [difference.locator(tag).count() for tag in ("del", "ins")] == [1, 1]  # after 1,500 changes it is given up


def test_a_run_without_a_file_says_why(gallery, make_cell, make_page):
    lost = make_cell(1, [1], status="failed", group="failed", reason="the filter <b>refused</b> it")
    page = gallery(make_page([make_cell(0, [0]), lost], [("replica", [0, 1])]), "#compare=0/0+0/1&mode=compare2")

    assert page.locator("#overlay .absent").last.inner_text() == "Failed\n\nthe filter <b>refused</b> it"


def test_closing_keeps_the_choice_and_gives_the_focus_back(browse, videos):
    page = browse(videos)
    choose(page, "0/0", "0/1")
    opener = page.get_by_role("button", name="Compare the chosen runs")
    opener.click()
    page.keyboard.press("Escape")

    page.wait_for_function("gallery.store.state.mode === ''")
    assert page.locator(OPEN).count() == 0
    assert page.evaluate("gallery.store.state.compare") == ["0/0", "0/1"]
    assert opener.evaluate("(button) => button === document.activeElement")
    assert page.locator("body > #transport").count() == 1


def test_a_run_that_is_finished_meanwhile_is_shown_and_progress_disturbs_nothing(gallery, make_cell, make_page):
    picture = {"path": "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' width='4' height='3'/%3E",
               "type": "image/svg+xml", "width": 4, "height": 3, "poster": None, "bytes": 70}  # fmt: skip
    running = make_cell(1, [1], status="in_progress", group="generating", progress=40)
    data = make_page([make_cell(0, [0], media=[picture]), running], [("replica", [0, 1])])
    page = gallery(data, "#compare=0/0+0/1&mode=compare2")
    page.evaluate("window.first = document.querySelector('#overlay figure')")

    further = {**data, "cells": [data["cells"][0], {**running, "progress": 80}]}
    page.evaluate(f"gallery.store.replaceData({json.dumps(further)})")
    assert page.evaluate("window.first.isConnected")

    done = {**data, "cells": [data["cells"][0], make_cell(1, [1], media=[picture])]}
    page.evaluate(f"gallery.store.replaceData({json.dumps(done)})")
    assert page.locator("#overlay figure img").count() == 2


@pytest.fixture
def five(gallery, make_cell, make_page):
    """The first two of five runs beside each other."""
    models = ["a", "b", "c", "d", "e"]
    return gallery(
        make_page([make_cell(number, [number]) for number in range(5)], [("model", models)]),
        "#compare=0/0+0/1&mode=compare2",
    )


def compared(page):
    return page.evaluate("gallery.store.state.compare")


def judged(page, number: int):
    mine = page.evaluate(f"gallery.ratings.get(gallery.store.cell('0/{number}'), '')")
    return mine["star"], mine["reject"]


def test_the_compared_runs_are_starred_and_rejected_by_button(five):
    five.get_by_role("button", name="Star B").click()
    five.get_by_role("button", name="Reject A").click()
    assert [judged(five, number) for number in (0, 1)] == [(False, True), (True, False)]
    assert five.get_by_role("button", name="Star B").get_attribute("aria-pressed") == "true"


def test_the_compared_runs_are_rated_by_pointer_and_the_same_again_takes_it_back(five):
    rating = "gallery.ratings.get(gallery.store.cell('0/1'), '').rating"
    four = five.get_by_role("button", name="Rate B 4 of 5")
    four.click()
    assert five.evaluate(rating) == 4
    assert four.get_attribute("aria-pressed") == "true"
    assert five.get_by_role("button", name="Rate A 4 of 5").get_attribute("aria-pressed") == "false"
    assert five.locator("figcaption .verdict").all_inner_texts() == ["", "4/5"]
    four.click()
    assert five.evaluate(rating) is None


@pytest.mark.parametrize("mode", ["compare2", "wipe"])
def test_on_a_phone_the_compared_runs_are_judged_by_touch(gallery, make_cell, make_page, mode):
    data = make_page([make_cell(number, [number]) for number in range(2)], [("model", ["a", "b"])])
    page = gallery(data, f"#compare=0/0+0/1&mode={mode}", width=390, height=844, has_touch=True, is_mobile=True)
    for name in ("Rate A 1 of 5", "Rate A 5 of 5", "Star B", "Reject A"):
        button = page.get_by_role("button", name=name)
        box = button.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
        assert min(box["width"], box["height"]) >= 34
        button.tap()
    assert page.evaluate("gallery.ratings.get(gallery.store.cell('0/0'), '').rating") == 5
    assert (judged(page, 0), judged(page, 1)) == ((False, True), (True, False))


def test_the_next_candidate_comes_to_a_side_by_button_and_the_focus_stays(five):
    five.get_by_role("button", name="Next candidate for B").click()
    five.get_by_role("button", name="Next candidate for B").click()
    assert compared(five) == ["0/0", "0/3"]
    assert five.evaluate("document.activeElement.getAttribute('aria-label')") == "Next candidate for B"
    five.get_by_role("button", name="Next candidate for A").click()
    assert compared(five) == ["0/1", "0/3"]
    assert five.locator("#overlay[open] figure").count() == 2


def test_sides_are_chosen_judged_and_stepped_by_keys(five):
    five.keyboard.press("ArrowDown")
    five.keyboard.press("ArrowRight")
    assert compared(five) == ["0/0", "0/2"]
    five.keyboard.press("s")
    five.keyboard.press("ArrowUp")
    five.keyboard.press("x")
    assert [judged(five, number) for number in (0, 2)] == [(False, True), (True, False)]
    five.keyboard.press("ArrowLeft")
    assert compared(five) == ["0/0", "0/2"], "there is none before it"


def test_candidates_are_those_that_pass_the_filter(gallery, make_cell, make_page):
    cells = [make_cell(number, [number], prompt="odd" if number % 2 else "even") for number in range(5)]
    page = gallery(make_page(cells, [("replica", list(range(5)))]), "#compare=0/1+0/0&mode=compare2&find=odd")
    page.keyboard.press("ArrowRight")
    assert compared(page) == ["0/3", "0/0"]


def test_captions_say_in_what_the_compared_runs_differ(gallery, make_cell, make_page):
    cells = [make_cell(0, [0, 0], label="a" * 300), make_cell(1, [0, 1], label="a" * 300), make_cell(2, [1, 1])]
    axes = [("request.prompt", ["a fox", "a whale"]), ("request.duration_seconds", [4, 8])]
    page = gallery(make_page(cells, axes), "#compare=0/0+0/1&mode=compare2")
    assert page.locator("#overlay .what").all_inner_texts() == ["#0 duration 4 s", "#1 duration 8 s"]


def test_words_compare_what_was_set_and_not_what_the_models_own_file_says(gallery, make_cell, make_page):
    own = {
        "model.name": "sora-2",
        "model.offers.openai.retires": "2027-01-01",
        "model.deployment": "mine",
        "model.max_images": 1,
    }
    other = {
        **own,
        "model.name": "pro",
        "model.offers.openai.retires": None,
        "model.deployment": "ours",
        "model.max_images": 3,
    }
    data = make_page([make_cell(0, [0, 0], own=own), make_cell(1, [1, 1], own=other)],
                     [("model", ["sora-2", "pro"]), ("model.max_images", [1, 3])])  # fmt: skip
    page = gallery(data, "#compare=0/0+0/1&mode=words")
    rows = page.locator("#overlay tbody tr th").all_inner_texts()
    assert rows == ["model.name", "model.deployment", "model.max_images"]
