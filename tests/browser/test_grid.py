"""The grid of runs: what stands where, how it is filtered and sorted, and that it can be used without a mouse."""

from __future__ import annotations

import pytest

from .contrast import faint
from .reloading import reload

AXES = (("request.prompt", ["a red fox", "a blue whale"]), ("request.duration_seconds", [4, 8]))


@pytest.fixture
def states(make_cell, make_page):
    """A run of each group, and one place where there is none."""
    resume = "python -m runner resume out"
    return make_page(
        [
            make_cell(0, [0, 0, 0]),
            make_cell(1, [0, 1, 0], group="failed", status="failed", reason="It melted.", hint="Ask for less heat.",
                      spent_usd=0.1, latency_seconds=9.0, **{"continue": f"{resume} --retry-failed"}),
            make_cell(2, [1, 0, 0], group="uncertain", status="uncertain", reason="The answer was lost.", spent_usd=0.9,
                      latency_seconds=0.5, **{"continue": f"{resume} --resubmit-uncertain"}),
            make_cell(3, [1, 1, 0], group="queued", status="planned", reason="Never sent.", spent_usd=None,
                      latency_seconds=None, **{"continue": resume}),
            make_cell(4, [0, 0, 1], group="generating", status="polling", remote_status="in_progress", progress=42),
        ],
        [*AXES, ("replica", [0, 1])],
    )  # fmt: skip


def tile(page, number):
    return page.locator(f'.tile[data-id="0/{number}"]')


def shown(page):
    """The numbers of the runs as they stand, row by row."""
    return page.locator(".tile").evaluate_all("all => all.map(one => Number(one.dataset.id.split('/')[1]))")


def state(page, key):
    return page.evaluate("key => gallery.store.state[key]", key)


def test_a_run_that_is_not_done_says_why_and_gives_the_command_that_continues(gallery, states):
    page = gallery(states)
    search = page.get_by_label("Find in prompts and parameters")
    for number, word, reason, command in (
        (1, "Failed", "It melted.", "python -m runner resume out --retry-failed"),
        (2, "Uncertain", "The answer was lost.", "python -m runner resume out --resubmit-uncertain"),
        (3, "Queued", "Never sent.", "python -m runner resume out"),
    ):
        text = tile(page, number).locator(".state").inner_text()
        assert word in text
        assert reason in text
        tile(page, number).hover()
        tile(page, number).locator(".command button").click()
        page.wait_for_function("document.getElementById('status').textContent.startsWith('Copied')")
        search.press("Control+V")
        assert search.input_value() == command
        search.fill("")
        page.evaluate("document.getElementById('status').textContent = ''")


def test_what_failed_for_good_offers_the_command_that_makes_it_again_by_that_name(gallery, make_cell, make_page):
    failed = make_cell(0, [], group="failed", status="failed")
    lost = make_cell(1, [], group="uncertain", status="uncertain")
    page = gallery(make_page([failed, lost]))
    assert tile(page, 0).locator(".command code").inner_text() == "python -m runner repeat out/0"
    assert tile(page, 0).get_by_role("button", name="Copy the command that makes it again").count() == 1
    assert tile(page, 1).locator(".command").count() == 0


def test_what_is_ahead_has_an_estimate_and_no_cost(gallery, states):
    states["cells"][4]["spent_usd"] = None
    page = gallery(states)
    assert [tile(page, number).locator(".facts").text_content() for number in (0, 3)] == ["$0.40 · 1.5 s", "~$0.40"]
    assert page.evaluate("gallery.store.data.cells.map(gallery.data.cost)") == [0.4, 0.1, 0.9, None, None]


def test_a_running_run_shows_how_far_it_is(gallery, states):
    running = tile(gallery(states), 4)
    assert running.locator("progress").get_attribute("value") == "42"
    assert "in_progress · 42 %" in running.inner_text()


def test_a_combination_that_was_not_asked_for_is_an_empty_place(gallery, states):
    states["cells"] = [one for one in states["cells"] if one["number"] != 2]
    page = gallery(states)
    assert page.locator(".slot", has_text="no run").count() == 1
    assert page.locator(".row").nth(1).locator(".slot").nth(0).inner_text() == "no run"


def test_replicas_stand_in_one_cell_told_apart(gallery, states):
    page = gallery(states)
    both = page.locator(".slot").first
    assert [one.split("\n")[-1] for one in both.locator(".what").all_inner_texts()] == ["replica 0", "replica 1"]


def test_a_click_on_a_picture_opens_its_run(gallery, states):
    page = gallery(states)
    tile(page, 0).locator(".frame").click()
    assert state(page, "open") == "0/0"


def test_a_video_plays_muted_while_the_pointer_rests_on_it(browse, videos):
    page = browse(videos)
    video = page.locator("#grid video").first
    video.hover()
    page.wait_for_function("document.querySelector('#grid video').currentTime > 0.1")
    assert video.evaluate("(video) => video.muted")
    page.mouse.move(5, 5)
    page.wait_for_function("document.querySelector('#grid video').paused")
    assert page.evaluate("gallery.transport.playing") is False


def test_nothing_plays_under_the_pointer_for_those_who_want_no_motion(browse, videos):
    page = browse(videos, reduced_motion="reduce")
    page.locator("#grid video").first.hover()
    page.evaluate("new Promise((done) => setTimeout(done, 400))")
    assert page.locator("#grid video").first.evaluate("(video) => video.paused && video.currentTime === 0")


def test_a_touch_device_shows_cost_and_latency_of_every_run(gallery, states):
    page = gallery(states, width=1024, height=768, has_touch=True, is_mobile=True)
    facts = tile(page, 0).locator(".facts")
    assert facts.is_visible()
    assert facts.inner_text() == "$0.40 · 1.5 s"
    under = "(one) => document.elementFromPoint(one.left + 4, one.top + 4)"
    box = facts.bounding_box()
    assert page.evaluate(f"({under})({{left: {box['x']}, top: {box['y']}}}).className") == "facts"


def test_headings_stay_in_view(gallery, make_cell, make_page):
    cells = [make_cell(12 * row + column, [row, column]) for row in range(12) for column in range(12)]
    page = gallery(make_page(cells, [("prompt", [f"prompt {n}" for n in range(12)]), ("seed", list(range(12)))]))
    page.evaluate("gallery.store.set({x: 'seed', y: 'prompt'})")
    page.evaluate("document.getElementById('grid').scrollTo(900, 900)")
    page.wait_for_function("document.querySelector('.tile[data-id=\"0/66\"]')")
    grid, heading, row = (page.locator(what).first.bounding_box() for what in ("#grid", ".headings", ".rowhead"))
    assert abs(heading["y"] - grid["y"]) < 1
    assert abs(row["x"] - grid["x"]) < 1


def test_totals_are_told(gallery, states):
    states["totals"].update(
        success_rate=0.75, retries=2, reused=3, saved_usd=1.2, resumed=1, budget_usd=10, resumed_usd=0.6
    )
    text = gallery(states, width=1600).locator("#totals").inner_text()
    for part in ("1 / 5", "1 generating", "$0.80", "of $1.00 estimated", "budget $10.00", "75 %", "p95", "$1.20 saved",
                 "$0.60 not paid again"):  # fmt: skip
        assert part in text


def test_what_was_spent_is_told_where_only_a_part_is_known_to_the_cent(gallery, states):
    states["totals"].update(spent_usd=5.0, actual_usd=0.4, emulated=False)
    assert "Spent $5.00" in " ".join(gallery(states, width=1600).locator("#totals").inner_text().split())


def test_emulated_runs_are_free_and_what_they_would_cost_is_said(gallery, states):
    states["totals"].update(spent_usd=5.0, emulated_usd=0.4, emulated=True)
    text = " ".join(gallery(states, width=1600).locator("#totals").inner_text().split())
    assert "Emulated, free would cost $0.40" in text
    assert "Spent" not in text


def test_text_finds_runs(gallery, states):
    page = gallery(states)
    for typed, found in {"prompt 3": [3], "MELTED": [1], "video_2": [2], "lost answer": [2], "zebra": []}.items():
        page.get_by_label("Find in prompts and parameters").fill(typed)
        assert shown(page) == found
    page.get_by_role("button", name="Show all runs").click()
    assert len(shown(page)) == 5


def test_chips_show_only_their_groups(gallery, states):
    page = gallery(states)
    page.get_by_role("button", name="Failed: show only these").click()
    page.get_by_role("button", name="Uncertain: show only these").click()
    assert sorted(shown(page)) == [1, 2]
    assert "groups=failed+uncertain" in page.evaluate("new Promise(done => setTimeout(() => done(location.hash), 200))")
    assert page.locator("#account").inner_text() == "2 of 5 runs shown:\n3 filtered out"


def test_starred_runs_are_shown_alone_and_rejected_ones_hidden(gallery, states):
    page = gallery(states)
    tile(page, 1).hover()
    tile(page, 1).get_by_role("button", name="Star").click()
    tile(page, 2).hover()
    tile(page, 2).get_by_role("button", name="Reject").click()
    page.get_by_role("button", name="Hide rejected runs").click()
    assert sorted(shown(page)) == [0, 1, 3, 4]
    page.get_by_role("button", name="Show only starred runs").click()
    assert shown(page) == [1]


def test_a_list_is_sorted(gallery, states):
    page = gallery(states, "#x=&y=")
    orders = {"cost": [1, 0, 4, 2, 3], "latency": [2, 0, 4, 1, 3], "status": [1, 2, 4, 3, 0], "number": [0, 1, 2, 3, 4]}
    for order, numbers in orders.items():
        page.get_by_label("sort by").select_option(order)
        assert shown(page) == numbers


def test_the_size_of_cells_follows_the_slider_and_the_place_is_kept(gallery, make_cell, make_page):
    page = gallery(make_page([make_cell(number, []) for number in range(400)]))
    page.evaluate("document.getElementById('grid').scrollTo(0, 3000)")
    page.wait_for_function("!document.querySelector('.tile[data-id=\"0/0\"]')")
    middle = "Number(document.elementFromPoint(60, 400).closest('.tile').dataset.id.split('/')[1])"
    before = page.evaluate(middle)
    page.get_by_label("Size of a cell in pixels").fill("360")
    page.wait_for_function("document.querySelector('.tile').offsetWidth === 360")
    assert abs(page.evaluate(middle) - before) < 12


def test_the_theme_follows_the_system_until_it_is_chosen_and_is_kept(gallery, states):
    page = gallery(states, color_scheme="dark")
    colour = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(colour)
    page.get_by_role("button", name="Theme: as the system").click()
    page.get_by_role("button", name="Theme: dark").click()
    light = page.evaluate(colour)
    assert light != dark
    reload(page, f"{colour} === '{light}'")


def test_what_was_chosen_stands_in_the_hash(gallery, states):
    page = gallery(states)
    page.evaluate("gallery.store.set({find: 'prompt', groups: ['done', 'failed'], size: 300, starred: false})")
    page.wait_for_function("location.hash.includes('size=300')")
    page.reload()
    page.wait_for_function("window.gallery")
    assert [state(page, key) for key in ("find", "groups", "size")] == ["prompt", ["done", "failed"], 300]
    assert sorted(shown(page)) == [0, 1]


def test_a_hash_that_says_nothing_sensible_is_passed_over(gallery, states):
    page = gallery(states, "#x=nowhere&size=huge&at=99&fixed.no=7&compare=0/99&open=0/98&%E0%A4%A=1&__proto__=1")
    assert len(shown(page)) == 5
    assert [state(page, key) for key in ("size", "at", "compare", "open")] == [0, 0, [], ""]


HASHES = [
    ("size=-14", "size", 120),
    ("size=99999", "size", 640),
    ("size=", "size", 0),
    ("view=foo", "view", "grid"),
    ("sort=constructor", "sort", "number"),
    ("groups=nobody+constructor", "groups", []),
    ("mode=wipe", "mode", ""),
    ("mode=wipe&compare=0/1", "mode", ""),
    ("mode=foo&compare=0/1+0/2", "mode", ""),
    ("mode=wipe&compare=0/1+0/2", "mode", "wipe"),
    ("fixed.replica=0.5", "fixed", {}),
]


@pytest.mark.parametrize(("hash_", "key", "settled"), HASHES)
def test_a_value_in_the_hash_is_held_against_what_there_is(gallery, states, hash_, key, settled):
    page = gallery(states, f"#{hash_}")
    assert state(page, key) == settled
    assert page.locator(".tile").count() == 5


def test_a_hash_that_is_typed_is_held_against_what_there_is_too(gallery, states):
    page = gallery(states)
    for hash_, key, settled in HASHES:
        page.evaluate("(hash) => { location.hash = hash; }", hash_)
        page.wait_for_function("gallery.store.state.view && location.hash")
        page.evaluate("new Promise((done) => setTimeout(done))")  # the page hears of it in a task of its own
        assert state(page, key) == settled, hash_
        assert page.locator(".tile").count() == 5


def test_a_comparison_of_nothing_leaves_the_keys_alone(gallery, states):
    page = gallery(states, "#mode=wipe")
    page.keyboard.press("g")
    assert state(page, "view") == "plot"


def test_a_comparison_that_lost_its_runs_does_not_open_again_by_itself(gallery, states):
    page = gallery(states, "#mode=wipe&compare=0/1+0/2")
    page.evaluate("gallery.store.set({compare: ['0/1']})")
    page.evaluate("gallery.store.set({compare: ['0/1', '0/3']})")
    assert state(page, "mode") == ""
    assert page.locator("dialog[open]").count() == 0


def test_the_grid_has_the_roles_and_counts_that_screen_readers_need(gallery, states):
    page = gallery(states)
    grid = page.get_by_role("grid")
    assert [grid.get_attribute(name) for name in ("aria-rowcount", "aria-colcount")] == ["3", "3"]
    assert page.get_by_role("columnheader").count() == 3
    assert page.get_by_role("rowheader").count() == 2
    assert page.get_by_role("gridcell").count() == 4
    assert "It melted." in tile(page, 1).get_attribute("aria-label")
    unnamed = """[...document.querySelectorAll('button, select, input')].filter((one) => !one.labels?.length
        && !one.getAttribute('aria-label') && !one.textContent.trim()).map((one) => one.outerHTML)"""
    assert page.evaluate(unnamed) == []


def test_tab_comes_to_one_run_and_its_buttons_and_arrows_lead_on(gallery, states):
    page = gallery(states)
    reachable = page.locator('.tile[tabindex="0"]')
    assert reachable.count() == 1
    page.evaluate("gallery.grid.focus('0/1')")
    assert reachable.get_attribute("data-id") == "0/1"
    assert page.evaluate("document.activeElement.dataset.id") == "0/1"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('.tile').dataset.id") == "0/1"
    steps = [[1, 0], [0, 1], [-1, 0], [0, -1]]
    near = page.evaluate("steps => steps.map(([dx, dy]) => gallery.grid.neighbour('0/1', dx, dy))", steps)
    assert near == [None, "0/3", "0/4", None]


def test_a_phone_has_one_column_and_folds_its_controls(gallery, states):
    page = gallery(states, width=390, height=800, has_touch=True, is_mobile=True)
    boxes = [one.bounding_box() for one in page.locator(".tile").all()]
    assert {round(box["x"]) for box in boxes} == {12}
    assert all(box["width"] > 350 for box in boxes)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    search = page.get_by_label("Find in prompts and parameters")
    assert not search.is_visible()
    page.get_by_role("button", name="View and filter").click()
    assert search.is_visible()


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_all_text_has_the_contrast_that_wcag_asks_for(gallery, states, scheme):
    data = {**states, "complete": False}
    assert faint(gallery(data, color_scheme=scheme)) == {}
