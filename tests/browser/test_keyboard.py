"""Every action by its key, and no key where one is typing."""

from __future__ import annotations

import pytest

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
    assert page.evaluate("gallery.notes.get(gallery.store.cell('0/0')).star")
    press(page, "x")
    assert page.evaluate("gallery.notes.get(gallery.store.cell('0/0'))") == {"star": False, "reject": True, "text": ""}

    press(page, "n", "s", "o", "?", "Escape", "Escape")

    assert page.evaluate("gallery.notes.get(gallery.store.cell('0/0')).text") == "so?"
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


def test_what_is_typed_is_no_command(page):
    press(page, "ArrowRight", "f")
    page.keyboard.type("xs2 g")

    assert state(page, "find") == "xs2 g"
    assert (state(page, "at"), state(page, "view")) == (0, "grid")
    assert page.evaluate("gallery.notes.exported().notes") == []


def test_keys_with_control_are_the_browsers(page):
    press(page, "ArrowRight", "Control+c", "Alt+s")

    assert state(page, "compare") == []
    assert page.evaluate("gallery.notes.exported().notes") == []


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


def test_space_on_a_button_presses_the_button_alone(browse, videos):
    page = browse(videos)
    page.wait_for_selector("#grid video")
    page.get_by_role("button", name="Loop").focus()
    press(page, "Space")

    assert page.evaluate("[gallery.transport.looping, gallery.transport.playing]") == [False, False]


def test_the_sheet_tells_every_key_and_closes(page):
    press(page, "?")
    told = page.locator("#sheet[open] kbd").all_inner_texts()
    keys = "Space , . [ ] L M + 0 Enter C V S X N F R G Esc ?"
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
