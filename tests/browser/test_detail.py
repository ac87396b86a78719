"""One run in full: what became of it, how it is made again, and a way to every neighbour."""

from __future__ import annotations

import json

import pytest

VIDEO = {
    "path": "0/video.mp4", "type": "video/mp4", "poster": None, "width": 1280, "height": 720, "seconds": 8.0,
    "fps": 24.0, "video_codec": "h264", "audio_codec": "aac", "bytes": 2_000_000, "sha256": "ab" * 32,
    "revised_prompt": None,
}  # fmt: skip
PICTURE = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' width='4' height='3'/%3E"


def image(**facts):
    nothing = dict.fromkeys(VIDEO)
    return {**nothing, "path": PICTURE, "type": "image/svg+xml", "width": 4, "height": 3, "bytes": 70, **facts}


def text(page) -> str:
    return page.locator("#detail").inner_text()


def pasted(page) -> str:
    """What the clipboard holds, by pasting it into the notes."""
    page.get_by_label("Notes", exact=True).fill("")
    page.get_by_label("Notes", exact=True).press("Control+V")
    return page.get_by_label("Notes", exact=True).input_value()


def test_everything_known_of_a_run_is_told(gallery, make_cell, make_page):
    run = make_cell(
        7, [0], prompt="a red fox", estimated_usd=0.8, actual_usd=0.75, spent_usd=0.85, saved_usd=0.25,
        reused_from="outputs/old", latency_seconds=12.3, attempts=3, retries=2, polls=17,
        warnings=["the size was changed"], deployment="my-sora",
        times={"submitting": "2026-11-23T08:00:00+00:00"}, media=[{**VIDEO, "revised_prompt": "a very red fox"}],
        own={"request.size": "1280x720", "run.id": "fox", "run.line": 3}, **{"continue": "python -m runner resume out"},
    )  # fmt: skip
    page = gallery(
        make_page([run], shared={"request.seed": 42, "run.table": "shots.csv"}), "#open=0%2F7", complains=True
    )
    page.locator("#detail").get_by_text("Config", exact=True).click()
    page.locator("#detail").get_by_text("request.seed").wait_for()  # browsers tell of what was opened a moment later

    told = text(page)
    facts = [
        "Run 7", "a red fox", "verified", "$0.80", "$0.75", "$0.85", "$0.25", "outputs/old", "12 s",
        "3, 2 of them retries", "17", "the size was changed", "my-sora", "sora-2", "video_7", "1280 × 720 · 2.0 MB",
        "8.0 s · 24 frames/s", "h264 + aac", "ab" * 32, "a very red fox",
        "python -m runner resume out", "python -m runner repeat out/7",
        "request.size", "request.seed", "42", "Submitting", "fox, line 3 of shots.csv",
    ]  # fmt: skip
    assert [fact for fact in facts if fact not in told] == []
    assert page.locator("#detail").get_by_role("link", name="7").get_attribute("href") == "7/"
    assert page.get_by_role("link", name="Download").get_attribute("href") == "0/video.mp4"


@pytest.mark.parametrize("clipboard", [True, False])
def test_commands_recipes_and_ids_are_copied_with_and_without_a_clipboard(gallery, make_cell, make_page, clipboard):
    own = {"provider.kind": "emulator", "model.name": "sora-2", "request.kind": "video", "request.prompt": "a\nb"}
    allowed = {"permissions": ["clipboard-read", "clipboard-write"]}
    page = gallery(make_page([make_cell(0, [0], own=own)]), "#open=0%2F0", **allowed)
    if not clipboard:
        page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")

    page.get_by_role("button", name="Copy the command that repeats it").click()
    page.wait_for_function("document.getElementById('status').textContent.includes('Copied')")
    assert pasted(page) == "python -m runner repeat out/0"
    page.get_by_role("button", name="Copy the job's id").click()
    page.wait_for_function("document.getElementById('status').textContent.includes('job')")
    assert pasted(page) == "video_0"
    page.get_by_role("button", name="Copy the Python").click()
    page.wait_for_function("document.getElementById('status').textContent.includes('Python')")
    assert 'prompt="a\\nb"' in pasted(page)


def test_the_next_and_the_previous_run_are_those_of_the_filter(gallery, make_cell, make_page):
    cells = [make_cell(number, [number], prompt="odd" if number % 2 else "even") for number in range(5)]
    page = gallery(make_page(cells, [("replica", list(range(5)))]), "#open=0%2F1&find=odd")
    title = page.locator("#detail-title")

    assert page.get_by_role("button", name="Previous run").is_disabled()
    page.get_by_role("button", name="Next run").click()
    assert title.inner_text().startswith("Run 3")
    assert page.get_by_role("button", name="Next run").is_disabled()
    page.keyboard.press("ArrowLeft")
    assert title.inner_text().startswith("Run 1")


def test_an_opened_video_shows_its_own_first_frame_and_not_its_thumbnail(browse, videos):
    page = browse(videos, "#open=0%2F2")
    page.wait_for_function("document.querySelector('#detail video').readyState >= 2")
    page.wait_for_function("!document.querySelector('#detail video').hasAttribute('poster')")
    assert page.evaluate("document.querySelector('#detail video').paused")


def test_closing_gives_the_focus_back_to_the_run(browse, videos):
    page = browse(videos)
    tile = page.locator("#grid [data-id='0/2']")
    tile.focus()
    tile.press("Enter")
    page.wait_for_selector("#detail[open]")
    page.keyboard.press("Escape")

    page.wait_for_function("gallery.store.state.open === ''")
    page.wait_for_function("document.activeElement.dataset.id === '0/2'")
    assert page.locator("body > #transport").count() == 1


def test_a_run_that_is_opened_at_once_after_another_was_closed_stays_open(gallery, make_cell, make_page):
    page = gallery(make_page([make_cell(0, [0]), make_cell(1, [1])], [("replica", [0, 1])]), "#open=0%2F0")
    page.evaluate("gallery.detail.close(); gallery.detail.open('0/1')")

    page.evaluate("() => new Promise((done) => setTimeout(done, 50))")
    assert page.evaluate("gallery.store.state.open") == "0/1"
    assert page.locator("#detail[open]").count() == 1


def test_the_opened_video_plays_alone(browse, videos):
    page = browse(videos, "#open=0%2F2")
    page.keyboard.press("Space")

    page.wait_for_function("document.querySelector('#detail video').currentTime > 0.2")
    assert page.evaluate("[...document.querySelectorAll('#grid video')].every((video) => video.paused)")


def test_every_file_of_a_run_can_be_looked_at(gallery, make_cell, make_page):
    run = make_cell(0, [0], media=[image(sha256="aa"), image(path=f"{PICTURE}#2", sha256="bb")])
    page = gallery(make_page([run]), "#open=0%2F0")
    second = page.get_by_role("button", name="File 2 of 2")
    second.click()

    assert second.evaluate("(button) => button === document.activeElement")
    assert page.locator("#detail .detail-frame img").get_attribute("src") == f"{PICTURE}#2"
    page.keyboard.press("3")
    assert page.locator("#detail .detail-frame img").get_attribute("src") == f"{PICTURE}#2"
    page.keyboard.press("1")
    assert page.locator("#detail .detail-frame img").get_attribute("src") == PICTURE


def test_a_file_that_is_not_there_is_named(gallery, make_cell, make_page):
    page = gallery(make_page([make_cell(0, [0], media=[image(path="gone.png")])]), "#open=0%2F0", complains=True)

    page.locator("#detail .flaw", has_text="The file is not there: gone.png").wait_for()


def test_a_hostile_prompt_stays_text(gallery, make_cell, make_page):
    hostile = '</script><script>document.title = "owned"</script><img src=x onerror="x()">\u202e"\'&amp; ${1} `x`'
    run = make_cell(
        0, [0], prompt=hostile, label=hostile, reason=hostile, warnings=[hostile], status=hostile, job_id=hostile,
        own={hostile: hostile}, times={hostile: hostile}, media=[image(revised_prompt=hostile, sha256=hostile)],
    )  # fmt: skip
    page = gallery(make_page([run]), "#open=0%2F0")
    page.locator("#detail").get_by_text("Config", exact=True).click()
    page.locator("#detail .config td").first.wait_for()

    assert page.title() != "owned"
    assert page.locator("#detail .prompt").evaluate("(prompt) => prompt.textContent") == hostile
    assert page.locator("#detail script, #detail img[onerror]").count() == 0


def test_newer_data_changes_the_facts_and_keeps_what_is_being_written(gallery, make_cell, make_page):
    running = make_cell(0, [0], status="in_progress", group="generating", progress=40, remote_status="in_progress")
    data = make_page([running], complete=True)
    page = gallery(data, "#open=0%2F0")
    page.get_by_label("Notes", exact=True).fill("half a sen")

    done = {**data, "cells": [make_cell(0, [0], latency_seconds=9.9)]}
    page.evaluate(f"gallery.store.replaceData({json.dumps(done)})")

    assert "9.9 s" in text(page)
    assert page.get_by_label("Notes", exact=True).input_value() == "half a sen"
    assert page.evaluate("document.activeElement.id") == "detail-notes"


def test_a_running_run_tells_its_newer_state_where_its_picture_will_be(gallery, make_cell, make_page):
    running = make_cell(0, [0], status="submitted", group="generating")
    data = make_page([running], complete=True)
    page = gallery(data, "#open=0%2F0")
    assert page.locator("#detail .absent").inner_text() == "Generating"

    failed = {**running, "status": "failed", "group": "failed", "reason": "It melted."}
    page.evaluate(f"gallery.store.replaceData({json.dumps({**data, 'cells': [failed]})})")

    assert page.locator("#detail .absent").inner_text() == "Failed\n\nIt melted."


def test_what_is_unfolded_and_focused_stays_so_when_newer_data_come(gallery, make_cell, make_page):
    own = {"provider.kind": "emulator", "model.name": "sora-2", "request.kind": "video", "request.prompt": "a fox"}
    running = make_cell(0, [0], own=own, status="in_progress", group="generating", progress=40)
    data = make_page([running], complete=True)
    page = gallery(data, "#open=0%2F0")
    page.locator("#detail").get_by_text("YAML", exact=True).click()
    page.get_by_role("button", name="Copy the Python").focus()

    page.evaluate(f"gallery.store.replaceData({json.dumps({**data, 'cells': [{**running, 'progress': 80}]})})")

    assert page.locator("#detail details[open] summary").all_inner_texts() == ["YAML"]
    page.locator("#detail details[open] pre", has_text="prompt: ").wait_for()
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Copy the Python"
    assert "80 %" in text(page)


def test_what_a_dialog_says_can_be_heard_within_it(gallery, make_cell, make_page):
    page = gallery(make_page([make_cell(0, [0])]), "#open=0%2F0")

    assert page.locator("#detail [role=status]").count() == 1
    assert page.locator("#detail").get_attribute("aria-labelledby") == page.locator("#detail h2").get_attribute("id")
