"""Blind pairs: two files of one prompt, nothing that tells which is which, and choices that are kept."""

from __future__ import annotations

import math
import random
import re
from collections import Counter

import pytest

PIXEL = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///ywAAAAAAQABAAACAUwAOw=="
PROMPTS = ["a fox", "a boat", "rain"]
MODELS = ["aspen", "birch", "cedar"]


def picture(name: str = "image-1.png", **facts) -> dict:
    return {"name": name, "path": PIXEL, "type": "image/png", "poster": None, **facts}


@pytest.fixture
def data(make_cell, make_page):
    """Three prompts by three models, each a picture."""
    cells = [
        make_cell(3 * p + m, [p, m], prompt=prompt, model=model, label=f"model={model}", media=[picture()])
        for p, prompt in enumerate(PROMPTS)
        for m, model in enumerate(MODELS)
    ]
    return make_page(cells, [("request.prompt", PROMPTS), ("model", MODELS)])


@pytest.fixture
def page(gallery, data):
    return gallery(data, "#pairs=true&seed=7")


def pair(page) -> list[dict]:
    """The runs of the pair that comes next, the left one first."""
    found = page.evaluate(
        "gallery.pairs.next(gallery.pairs.chosen(gallery.store.state.rank), gallery.store.state.seed)"
    )
    return [found[side]["cell"] for side in ("left", "right") if side in found]


def choose(page, key: str) -> None:
    page.keyboard.press(key)
    page.keyboard.press("Enter")


def records(page) -> list[dict]:
    return page.evaluate("gallery.ratings.records()")


def progress(page) -> str:
    return page.locator(".pair-progress output").inner_text()


def test_two_files_of_one_prompt_by_two_models_are_shown(page):
    left, right = pair(page)

    assert left["prompt"] == right["prompt"] == page.locator(".pair-prompt").inner_text()
    assert left["model"] != right["model"]
    assert page.locator("#pairing[open] figure img").count() == 2
    assert progress(page) == "0 of 9 pairs"


def test_nothing_tells_which_is_which_before_the_choice(page):
    left, right = pair(page)
    html = re.sub(
        r"""(data-)?src="[^"]*"|<option.*?</option>""", "", page.locator("#pairing").evaluate("(one) => one.outerHTML")
    )
    said = html + page.title() + page.evaluate("location.href") + page.locator("#status").inner_text()

    for cell in (left, right):
        for secret in (cell["model"], cell["label"], f"#{cell['number']}", cell["key"], "image-1.png", "$", "1.5 s"):
            assert secret not in said
    assert page.locator("#pairing :is([title], [poster])").evaluate_all(
        "(all) => all.map((one) => one.title || one.poster)"
    ) == ["Close", *page.locator("#pairing #transport [title]").evaluate_all("(all) => all.map((one) => one.title)")]
    page.keyboard.press("ArrowLeft")
    captions = page.locator("#pairing figcaption").all_inner_texts()
    assert [cell["model"] in caption for cell, caption in zip((left, right), captions, strict=True)] == [True, True]


def test_a_choice_is_kept_as_a_record(page):
    page.evaluate("gallery.ratings.rename('ann')")

    for key, outcome in (("ArrowLeft", "left"), ("ArrowRight", "right"), ("ArrowDown", "tie"), ("x", "both_bad")):
        left, right = pair(page)
        choose(page, key)
        made = max(records(page), key=lambda record: record["at"])
        assert {key: made[key] for key in made if key not in ("id", "at")} == {
            "version": 1, "kind": "pair", "rater": "ann", "outcome": outcome, "by": "model", "seed": 7,
            "left": {"run": left["key"], "file": "image-1.png"}, "right": {"run": right["key"], "file": "image-1.png"},
        }  # fmt: skip
    assert progress(page) == "4 of 9 pairs"


def test_every_pair_comes_once_and_then_it_is_over(page):
    seen = Counter()
    for _ in range(9):
        seen[frozenset(cell["key"] for cell in pair(page))] += 1
        choose(page, "ArrowLeft")

    assert {*seen.values()} == {1}
    assert len(seen) == 9
    assert "All 9 pairs are judged" in page.locator("#pairing").inner_text()
    page.locator("#pairing").get_by_role("button", name="Scoreboard").click()
    assert page.locator("#scores").is_visible()


def test_sides_are_drawn_by_lot_and_the_same_seed_draws_the_same(gallery, data):
    def drawn(seed: int) -> list[list[str]]:
        page = gallery(data, f"#pairs=true&seed={seed}")
        page.evaluate("gallery.ratings.rename('ann')")
        found = []
        for _ in range(9):
            found.append([cell["key"] for cell in pair(page)])
            choose(page, "ArrowDown")
        return found

    first, other = drawn(1), drawn(2)

    assert drawn(1) == first
    assert first != other
    sides = Counter(one < two for one, two in first + other)
    assert len(sides) == 2, "all stand in the page's order"


def test_the_last_choices_are_taken_back(page):
    first = pair(page)
    choose(page, "ArrowLeft")
    second = pair(page)
    page.keyboard.press("ArrowRight")

    page.keyboard.press("Backspace")
    assert progress(page) == "1 of 9 pairs"
    assert page.locator(".pair-prompt").inner_text() == second[0]["prompt"]
    assert page.locator("#pairing figcaption .what").all_inner_texts() == ["", ""]
    page.keyboard.press("Backspace")
    assert progress(page) == "0 of 9 pairs"
    page.keyboard.press("ArrowDown")

    undone = {record["of"] for record in records(page) if record["kind"] == "undo"}
    left = [record for record in records(page) if record["kind"] == "pair" and record["id"] not in undone]
    assert len(undone) == 2
    assert [(each["outcome"], each["left"]["run"], each["right"]["run"]) for each in left] == [
        ("tie", first[0]["key"], first[1]["key"])
    ]


def test_names_need_not_be_told(page):
    page.get_by_label("Show names after each choice").uncheck()
    page.locator("#pairing").focus()
    page.keyboard.press("ArrowLeft")

    assert progress(page) == "1 of 9 pairs"
    assert page.locator("#pairing figcaption .what").all_inner_texts() == ["", ""]


def test_what_failed_and_what_cannot_be_shown_is_skipped(gallery, data):
    data["cells"][0] |= {"group": "failed", "status": "failed"}
    data["cells"][1]["media"][0]["path"] = "data:image/png,broken"
    page = gallery(data, "#pairs=true&seed=7", complains=True)
    for _ in range(5):
        if not page.locator("#pairing figure").count():
            break
        page.wait_for_function("[...document.querySelectorAll('#pairing img')].every((one) => one.complete)")
        page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        if page.locator("#pairing figure").count():
            choose(page, "ArrowLeft")
    judged = {side["run"] for record in records(page) for side in (record["left"], record["right"])}

    # Of the first prompt one picture is left.
    assert judged == {f"sweep/{number}" for number in range(3, 9)} or not judged & {"sweep/0", "sweep/1"}


def test_files_of_one_prompt_are_compared_as_such(gallery, make_cell, make_page):
    files = [picture(f"image-{number}.png") for number in (1, 2, 3)]
    page = gallery(
        make_page([make_cell(0, [], media=files), make_cell(1, [], prompt="prompt 0", media=[picture()])]),
        "#pairs=true",
    )
    assert progress(page) == "0 of 6 pairs"
    page.keyboard.press("ArrowLeft")

    (record,) = records(page)
    assert record["by"] == "file"
    assert record["left"] != record["right"]
    assert any("image-" in text for text in page.locator("#pairing figcaption").all_inner_texts())


def test_versions_of_a_prompt_are_compared_and_neither_is_told(gallery, make_cell, make_page):
    texts = ["a fox", "a fox, closely"]
    cells = [
        make_cell(2 * p + m, [p, m], prompt=text, model=model, media=[picture()])
        for p, text in enumerate(texts) for m, model in enumerate(("aspen", "birch"))
    ]  # fmt: skip
    data = make_page(cells, [("request.prompt", texts), ("model", ["aspen", "birch"])])
    page = gallery(data, "#pairs=true&rank=request.prompt")
    left, right = pair(page)

    assert left["prompt"] != right["prompt"]
    assert left["model"] == right["model"]
    assert progress(page) == "0 of 2 pairs"
    assert "closely" not in page.locator("#pairing").inner_text()


def judge(page, one: str, other: str, outcome: str, prompt: int = 0, rater: str = "ben") -> None:
    """Add a record of two models' pictures for a prompt."""
    page.evaluate(
        """([left, right, outcome, rater]) => {
          const file = "image-1.png";
          const facts = {left: {run: left, file}, right: {run: right, file}, outcome, by: "model", seed: null};
          const at = "2026-11-23T09:00:00.000Z";
          gallery.ratings.add({version: 1, kind: "pair", id: crypto.randomUUID(), at, rater, ...facts});
        }""",
        [f"sweep/{3 * prompt + MODELS.index(one)}", f"sweep/{3 * prompt + MODELS.index(other)}", outcome, rater],
    )


def test_the_next_pair_is_of_those_that_were_compared_least(page):
    judge(page, "aspen", "birch", "tie")
    judge(page, "birch", "cedar", "tie")

    assert {cell["model"] for cell in pair(page)} == {"aspen", "cedar"}


def test_the_next_pair_is_of_those_that_are_closest_in_strength(page):
    for prompt in range(3):
        judge(page, "aspen", "birch", "left", prompt)
        judge(page, "aspen", "cedar", "left", prompt)
        judge(page, "birch", "cedar", "tie", prompt)

    assert {cell["model"] for cell in pair(page)} == {"birch", "cedar"}


def test_a_planted_order_is_found(gallery, make_cell, make_page):
    lot = random.Random(5)
    planted = {"aspen": 2.5, "birch": 0.0, "cedar": -2.5}
    cells = [
        make_cell(3 * p + m, [p, m], prompt=f"prompt {p}", model=model, media=[picture()])
        for p in range(12) for m, model in enumerate(MODELS)
    ]  # fmt: skip
    page = gallery(make_page(cells, [("request.prompt", list(range(12))), ("model", MODELS)]), "#pairs=true&seed=3")
    for _ in range(30):
        left, right = pair(page)
        chance = 1 / (1 + math.exp(planted[right["model"]] - planted[left["model"]]))
        choose(page, "ArrowLeft" if lot.random() < chance else "ArrowRight")

    page.evaluate("gallery.store.set({pairs: false, view: 'scores'})")
    assert page.locator("#scores tbody").first.locator("th").all_inner_texts() == MODELS


def test_only_runs_that_pass_the_filter_are_judged(gallery, data):
    page = gallery(data, "#pairs=true&find=fox")

    assert progress(page) == "0 of 3 pairs · 6 runs filtered out"


def test_pairs_are_judged_by_touch(gallery, data):
    page = gallery(data, "#pairs=true&seed=7", width=390, height=800, has_touch=True, is_mobile=True)
    page.get_by_role("button", name="B is better").tap()
    page.get_by_role("button", name="Next pair").tap()
    page.get_by_role("button", name="Both bad").tap()

    assert [record["outcome"] for record in records(page)] == ["right", "both_bad"]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_escape_leaves_and_the_grid_is_as_it_was(page):
    page.keyboard.press("Escape")

    page.wait_for_function("!gallery.store.state.pairs && !document.querySelector('dialog[open]')")
    page.keyboard.press("p")
    assert page.locator("#pairing[open]").count() == 1


def test_other_keys_wait_until_the_pairs_are_left(page):
    for key in ("s", "c", "n", "f", "g", "o", "Shift+G", "1", "e"):
        page.keyboard.press(key)

    assert records(page) == []
    assert page.evaluate("gallery.store.state.view") == "grid"
    assert page.locator("dialog[open]").count() == 1


def test_both_videos_play_by_one_clock_and_begin_with_their_first_frame(browse, videos):
    page = browse(videos, "#pairs=true&seed=7&rank=file")
    page.wait_for_function("[...document.querySelectorAll('#pairing video')].every((one) => one.readyState >= 2)")
    page.keyboard.press("Space")

    page.wait_for_function(
        """() => {
          const times = [...document.querySelectorAll("#pairing video")].map((one) => one.currentTime);
          return times.length === 2 && times[0] > 0.1 && Math.abs(times[0] - times[1]) < 0.25;
        }"""
    )
    page.keyboard.press("Space")
    assert page.locator("#pairing video[poster]").count() == 0


def test_sound_that_only_one_has_is_not_heard(gallery, data):
    for cell in data["cells"]:
        sound = "aac" if cell["model"] == "aspen" else None
        cell["media"] = [picture("video.mp4", path="data:video/mp4,", type="video/mp4", audio_codec=sound)]
    data["cells"] = [cell for cell in data["cells"] if cell["model"] != "cedar"]
    page = gallery(data, "#pairs=true&seed=7", complains=True)
    page.evaluate("Object.defineProperty(HTMLMediaElement.prototype, 'onerror', {set() {}})")

    page.keyboard.press("m")

    assert page.evaluate("gallery.transport.unmuted") is None
