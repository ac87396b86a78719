"""Every action by its key, and no key where one is typing."""

from __future__ import annotations

import pytest

from .reloading import reload

STATE = "(key) => gallery.store.state[key]"


@pytest.fixture
def page(gallery, make_cell, make_page):
    cells = [make_cell(number, [number % 3, number // 3 % 2, number // 6]) for number in range(12)]
    axes = [("request.size", ["S", "M", "L"]), ("request.prompt", ["a", "b"]), ("request.seed", [1, 2])]
    page = gallery(make_page(cells, axes), "#x=request.size&y=request.prompt&tab=request.seed")
    page.wait_for_selector("#grid [data-id='0/0']")
    return page


def state(page, key):
    return page.evaluate(STATE, key)


def press(page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def test_arrows_go_from_run_to_run(page):
    press(page, "ArrowRight")
    assert state(page, "focus") == "0/0"
    press(page, "ArrowRight", "ArrowDown")
    assert state(page, "focus") == "0/4"
    press(page, "ArrowLeft", "ArrowUp")
    assert state(page, "focus") == "0/0"
    assert page.evaluate("document.activeElement.dataset.id") == "0/0"


def test_a_run_is_judged_without_a_mouse(page):
    press(page, "ArrowRight", "s")
    assert page.evaluate("gallery.ratings.get(gallery.store.cell('0/0'), '').star")
    press(page, "x")
    assert page.evaluate(
        "(({star, reject}) => [star, reject])(gallery.ratings.get(gallery.store.cell('0/0'), ''))"
    ) == [False, True]

    press(page, "n", "s", "o", "?", "Escape", "Escape")

    assert page.evaluate("gallery.ratings.get(gallery.store.cell('0/0'), '').note") == "so?"
    page.wait_for_function("gallery.store.state.open === ''")


def test_runs_are_opened_walked_through_and_compared(page):
    press(page, "ArrowRight", "Enter")
    assert state(page, "open") == "0/0"
    press(page, "ArrowRight", "c")
    assert state(page, "open") == "0/1"
    press(page, "Escape")
    page.wait_for_function("gallery.store.state.open === ''")
    press(page, "ArrowRight", "c", "v")

    assert state(page, "compare") == ["0/1", "0/2"]
    assert page.locator("#overlay[open] figure").count() == 2
    press(page, "Escape")
    page.wait_for_function("gallery.store.state.mode === ''")


def test_the_view_changes_by_keys(page):
    press(page, "2")
    assert state(page, "at") == 1
    press(page, "9")
    assert state(page, "at") == 1
    press(page, "r")
    assert (state(page, "x"), state(page, "y")) == ("request.prompt", "request.size")
    press(page, "g")
    assert page.locator("#plot").is_visible()
    press(page, "g", "f")
    assert page.locator("#toolbar input[type=search]").evaluate("(field) => field === document.activeElement")


def test_the_filter_is_set_by_keys(page):
    page.evaluate("gallery.store.replaceData({...gallery.store.data, cells: gallery.store.data.cells.map((cell, at) => "
                  "at % 2 ? cell : {...cell, group: 'failed'})})")  # fmt: skip
    for groups in (["done"], ["failed"], []):
        press(page, "u")
        assert state(page, "groups") == groups

    press(page, "Shift+S", "Shift+X")
    assert (state(page, "starred"), state(page, "unrejected")) == (True, True)
    press(page, "f")
    page.keyboard.type("prompt")
    press(page, "Escape", "Shift+F")
    assert [state(page, key) for key in ("find", "starred", "unrejected")] == ["", False, False]


def test_order_size_theme_and_axes_are_set_by_keys(page):
    press(page, "o")
    assert state(page, "sort") == "rating"
    press(page, "o", "o", "o", "o", "o", "o")
    assert state(page, "sort") == "number"

    page.evaluate("gallery.store.set({ size: 240 })")
    press(page, "b", "b", "Shift+B")
    assert state(page, "size") == 280
    theme = page.evaluate("document.documentElement.dataset.theme")
    press(page, "t")
    assert page.evaluate("document.documentElement.dataset.theme") != theme

    press(page, "a")
    assert page.evaluate("document.activeElement.name") == "x"
    page.evaluate("document.activeElement.blur()")
    press(page, "g", "a")
    assert page.evaluate("document.activeElement.id") == "plot-axis"


def test_the_ways_to_compare_are_chosen_by_keys(page):
    press(page, "w")
    page.wait_for_function("document.getElementById('status').textContent.includes('two to four')")
    press(page, "ArrowRight", "c", "ArrowRight", "c", "ArrowRight", "c")
    for key, mode in (("v", "compare4"), ("v", "compare2"), ("w", "wipe"), ("d", "words"), ("v", "compare4")):
        press(page, key)
        assert state(page, "mode") == mode
    press(page, "Escape")
    page.wait_for_function("gallery.store.state.mode === ''")

    press(page, "Shift+C")
    assert state(page, "compare") == []


def test_ratings_are_exported_and_imported_by_keys(page):
    # Listened to from the beginning, as the browser takes a moment until it hands its choosers over.
    page.once("filechooser", lambda chooser: chooser.set_files(download.value.path()))
    press(page, "ArrowRight", "s")
    with page.expect_download() as download:
        press(page, "e")
    assert "sweep/0" in download.value.path().read_text(encoding="utf-8")
    rater = page.evaluate("gallery.ratings.rater")
    page.evaluate("localStorage.clear()")
    reload(page, "gallery.ratings.records().length === 0")
    page.evaluate("(rater) => gallery.ratings.rename(rater)", rater)

    press(page, "i")
    page.wait_for_function("gallery.ratings.get(gallery.store.cell('0/0'), '').star")


def test_commands_are_copied_by_keys(page):
    press(page, "ArrowRight", "y")
    page.wait_for_function("document.getElementById('status').textContent.includes('Copied')")
    press(page, "f", "Control+V")
    assert state(page, "find") == "python -m runner repeat out/0"
    press(page, "Escape", "Shift+Y")
    page.wait_for_function("document.getElementById('status').textContent.includes('has none')")


def test_signs_that_are_typed_by_altgr_are_heard(page):
    typed = "{ key: ']', ctrlKey: true, altKey: true, modifierAltGraph: true, bubbles: true }"
    page.evaluate(f"document.body.dispatchEvent(new KeyboardEvent('keydown', {typed}))")

    assert page.evaluate("gallery.transport.rate") == 1.5


def test_what_is_typed_is_no_command(page):
    press(page, "ArrowRight", "f")
    page.keyboard.type("xs2 g")

    assert state(page, "find") == "xs2 g"
    assert (state(page, "at"), state(page, "view")) == (0, "grid")
    assert page.evaluate("gallery.ratings.records()") == []


def test_keys_with_control_are_the_browsers(page):
    press(page, "ArrowRight", "Control+c", "Alt+s")

    assert state(page, "compare") == []
    assert page.evaluate("gallery.ratings.records()") == []


def test_pictures_are_zoomed_and_moved_by_keys(page):
    press(page, "+", "+", "Shift+ArrowRight")
    assert page.evaluate("gallery.zoom.scale") == pytest.approx(1.5625)
    assert page.evaluate("document.documentElement.style.getPropertyValue('--zoom-x')") == "-38.125%"
    press(page, "-", "0")
    assert page.evaluate("gallery.zoom.scale") == 1


def test_playback_is_governed_by_keys(browse, videos):
    page = browse(videos)
    page.wait_for_selector("#grid video")
    press(page, ".", ".", ",")
    fps = page.evaluate("gallery.store.data.cells.find((cell) => cell.media.length).media[0].fps")
    assert page.evaluate("gallery.transport.position") == pytest.approx(1 / fps)
    press(page, "]", "]", "[", "l")
    assert page.evaluate("[gallery.transport.rate, gallery.transport.looping]") == [1.5, False]
    press(page, "ArrowRight", "m")
    assert page.evaluate("gallery.transport.unmuted") == state(page, "focus")
    press(page, "m")
    assert page.evaluate("gallery.transport.unmuted") is None
    press(page, "Space")
    page.wait_for_function("gallery.transport.playing && gallery.transport.position > 0.2")
    press(page, "Space")
    assert not page.evaluate("gallery.transport.playing")
    page.evaluate("gallery.transport.seek(0.5)")
    press(page, "k")
    assert page.evaluate("gallery.transport.position") == pytest.approx(1.5)
    press(page, "j", "j")
    assert page.evaluate("gallery.transport.position") == 0


def test_space_on_a_button_presses_the_button_alone(browse, videos):
    page = browse(videos)
    page.wait_for_selector("#grid video")
    page.get_by_role("button", name="Loop").focus()
    press(page, "Space")

    assert page.evaluate("[gallery.transport.looping, gallery.transport.playing]") == [False, False]


def test_the_sheet_tells_every_key_and_closes(page):
    press(page, "?")
    told = page.locator("#sheet[open] kbd").all_inner_texts()
    keys = "Space , . J K [ ] L M + 0 Enter Y C V W D S X N E I F U A R O B G T Esc ?"
    assert [key for key in keys.split() if key not in told] == []

    press(page, "s", "g")
    assert state(page, "view") == "grid"
    press(page, "?")
    assert page.locator("#sheet[open]").count() == 0
    page.get_by_role("button", name="Keys").click()
    press(page, "Escape")
    page.locator("#sheet[open]").wait_for(state="detached")


def test_a_key_that_needs_a_run_says_so(page):
    press(page, "s")

    page.wait_for_function("document.getElementById('status').textContent.includes('Choose a run first')")
