"""Stars, rejections and words: kept, exported, imported."""

from __future__ import annotations

import json

import pytest


@pytest.fixture
def page(gallery, make_cell, make_page):
    cells = [make_cell(number, [number]) for number in range(3)]
    return gallery(make_page(cells, [("replica", [0, 1, 2])], title="a <b>sweep</b>"))


def button(page, number: int, name: str):
    tile = page.locator(f"#grid [data-id='0/{number}']")
    tile.hover()
    return tile.get_by_role("button", name=name, exact=True)


def said(page, text: str) -> None:
    page.wait_for_function("(text) => document.getElementById('status').textContent.includes(text)", arg=text)


def test_a_star_and_a_rejection_take_each_others_place(page):
    button(page, 0, "Star").click()
    assert button(page, 0, "Star").get_attribute("aria-pressed") == "true"

    button(page, 0, "Reject").click()

    assert button(page, 0, "Reject").get_attribute("aria-pressed") == "true"
    assert button(page, 0, "Star").get_attribute("aria-pressed") == "false"
    said(page, "Run 0: rejected")


def test_notes_outlive_the_page(page):
    button(page, 1, "Star").click()
    page.evaluate("gallery.detail.open('0/1')")
    page.get_by_label("Notes", exact=True).fill("the ears <i>flicker</i>")
    page.keyboard.press("Escape")  # leaves the field
    page.keyboard.press("Escape")  # leaves the run
    page.wait_for_function("location.hash === '' || !location.hash.includes('open')")

    page.reload()
    page.wait_for_function("window.gallery")

    assert button(page, 1, "Star").get_attribute("aria-pressed") == "true"
    page.evaluate("gallery.detail.open('0/1')")
    assert page.get_by_label("Notes", exact=True).input_value() == "the ears <i>flicker</i>"


def test_another_page_of_the_same_runs_knows_their_notes(page, make_cell, make_page, rewrite, tmp_path):
    button(page, 1, "Star").click()

    page.goto(rewrite(tmp_path / "report.html", make_page([make_cell(1, [])], title="several")).as_uri())
    page.wait_for_function("window.gallery")

    assert button(page, 1, "Star").get_attribute("aria-pressed") == "true"


def exported(page) -> dict:
    with page.expect_download() as download:
        page.get_by_role("button", name="Export notes").click()
    return json.loads(download.value.path().read_text(encoding="utf-8"))


def test_notes_are_exported_as_json(page):
    button(page, 2, "Star").click()
    page.evaluate("gallery.notes.write(gallery.store.cell('0/0'), 'soft\\n“focus”')")

    told = exported(page)

    assert set(told) == {"version", "title", "exported_at", "notes"}
    assert (told["version"], told["title"]) == (1, "a <b>sweep</b>")
    assert told["notes"] == [
        {"key": "sweep/0", "id": "0/0", "label": "run=0", "star": False, "reject": False, "text": "soft\n“focus”"},
        {"key": "sweep/2", "id": "0/2", "label": "run=2", "star": True, "reject": False, "text": ""},
    ]


def test_exported_notes_are_imported_elsewhere(page, tmp_path):
    button(page, 2, "Reject").click()
    told = exported(page)
    told["notes"].append({"key": "another sweep/9", "star": True, "text": "?"})
    file = tmp_path / "notes.json"
    file.write_text(json.dumps(told))
    button(page, 2, "Star").click()

    page.locator("#notes-file").set_input_files(file)

    said(page, "Imported the notes of 1 runs; 1 are of runs that are not here")
    assert button(page, 2, "Reject").get_attribute("aria-pressed") == "true"
    assert button(page, 2, "Star").get_attribute("aria-pressed") == "false"


@pytest.mark.parametrize("content", ["no JSON", "[]", "null", '{"version": 2, "notes": []}', '{"version": 1}'])
def test_a_file_that_holds_no_notes_changes_nothing(page, tmp_path, content):
    button(page, 0, "Star").click()
    file = tmp_path / "strange.json"
    file.write_text(content)

    page.locator("#notes-file").set_input_files(file)

    said(page, "strange.json holds no notes")
    assert button(page, 0, "Star").get_attribute("aria-pressed") == "true"


def test_without_storage_notes_are_kept_as_long_as_the_page(page):
    page.evaluate("() => { Storage.prototype.setItem = () => { throw new DOMException('full'); }; }")
    button(page, 0, "Star").click()

    said(page, "export them before you leave")
    assert button(page, 0, "Star").get_attribute("aria-pressed") == "true"


def test_notes_of_another_window_are_seen(page):
    other = page.context.new_page()
    other.goto(page.url)
    other.wait_for_function("window.gallery")
    other.evaluate("gallery.notes.toggle(gallery.store.cell('0/0'), 'star')")

    page.wait_for_function("gallery.notes.get(gallery.store.cell('0/0')).star")
