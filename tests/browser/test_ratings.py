"""Stars, rejections and words about files: kept, exported, imported."""

from __future__ import annotations

import json
import re

import pytest

from .reloading import reload

GET = """([id, file]) => {
  const cell = gallery.store.cell(id);
  return gallery.ratings.get(cell, file ?? gallery.ratings.file(cell));
}"""


@pytest.fixture
def data(make_cell, make_page):
    cells = [make_cell(number, [number]) for number in range(3)]
    return make_page(cells, [("replica", [0, 1, 2])], title="a <b>sweep</b>")


@pytest.fixture
def page(gallery, data):
    return gallery(data)


@pytest.fixture
def images(gallery, make_cell, make_page):
    """A page with a run of three images."""
    media = [{"name": f"image-{n}.png", "path": f"data:,{n}", "type": "image/png", "poster": None} for n in (1, 2, 3)]
    return gallery(make_page([make_cell(0, [], media=media)]), complains=True)


def button(page, number: int, name: str):
    tile = page.locator(f"#grid [data-id='0/{number}']")
    tile.hover()
    return tile.get_by_role("button", name=name, exact=True)


def said(page, text: str) -> None:
    page.wait_for_function("(text) => document.getElementById('status').textContent.includes(text)", arg=text)


def judged(page, id_: str, file: str | None = None) -> dict:
    found = page.evaluate(GET, [id_, file])
    return {key: found[key] for key in ("rating", "tags", "star", "reject", "note")}


def test_a_star_and_a_rejection_take_each_others_place(page):
    button(page, 0, "Star").click()
    assert button(page, 0, "Star").get_attribute("aria-pressed") == "true"

    button(page, 0, "Reject").click()

    assert button(page, 0, "Reject").get_attribute("aria-pressed") == "true"
    assert button(page, 0, "Star").get_attribute("aria-pressed") == "false"
    said(page, "Run 0: rejected")


def test_what_is_judged_outlives_the_page(page):
    button(page, 1, "Star").click()
    page.evaluate("gallery.detail.open('0/1')")
    page.get_by_label("Notes", exact=True).fill("the ears <i>flicker</i>")
    page.keyboard.press("Escape")  # leaves the field
    page.keyboard.press("Escape")  # leaves the run
    page.wait_for_function("location.hash === '' || !location.hash.includes('open')")

    reload(page, "gallery.ratings.get(gallery.store.cell('0/1'), '').note")

    assert button(page, 1, "Star").get_attribute("aria-pressed") == "true"
    page.evaluate("gallery.detail.open('0/1')")
    assert page.get_by_label("Notes", exact=True).input_value() == "the ears <i>flicker</i>"


# Storage tells a page of what others write, but not when: the page that runs this has not been told.
KEPT_ELSEWHERE = """(theirs) => {
  const key = "runner.ratings:sweep/1", [mine] = JSON.parse(localStorage.getItem(key));
  const at = new Date(Date.parse(mine.at) + 1).toISOString();
  const id = "ffffffff-0000-4000-8000-000000000000";
  localStorage.setItem(key, JSON.stringify([mine, { ...mine, id, at, ...theirs }]));
}"""


def kept(page) -> list[dict]:
    return json.loads(page.evaluate("localStorage.getItem('runner.ratings:sweep/1')"))


def test_what_another_rater_keeps_meanwhile_is_not_written_over(page):
    button(page, 1, "Star").click()
    page.evaluate(KEPT_ELSEWHERE, {"rater": "Ada", "note": "the ears flicker"})

    button(page, 1, "Star").click()

    assert {(each["rater"] == "Ada", each["note"], each["star"]) for each in kept(page)} == {
        (True, "the ears flicker", True),
        (False, "", False),
    }


def test_what_the_rater_keeps_on_another_page_meanwhile_is_changed_no_further(page):
    button(page, 1, "Star").click()
    page.evaluate(KEPT_ELSEWHERE, {"note": "the ears flicker"})

    button(page, 1, "Star").click()

    assert [(each["note"], each["star"]) for each in kept(page)] == [("the ears flicker", False)]


def test_another_page_of_the_same_runs_knows_what_is_judged(page, make_cell, make_page, rewrite, tmp_path):
    button(page, 1, "Star").click()

    page.goto(rewrite(tmp_path / "report.html", make_page([make_cell(1, [])], title="several")).as_uri())

    page.wait_for_function("window.gallery && gallery.ratings.get(gallery.store.cell('0/1'), '').star")
    assert button(page, 1, "Star").get_attribute("aria-pressed") == "true"


def test_each_file_of_a_run_is_judged_on_its_own(images):
    images.evaluate("gallery.detail.open('0/0')")
    images.keyboard.press("2")
    images.keyboard.press("s")
    images.get_by_label("Notes", exact=True).fill("six fingers")

    nothing = {"rating": None, "tags": [], "star": False, "reject": False, "note": ""}
    assert judged(images, "0/0", "image-2.png") == {**nothing, "star": True, "note": "six fingers"}
    assert [judged(images, "0/0", f"image-{n}.png") for n in (1, 3)] == [nothing, nothing]
    images.get_by_role("button", name="File 1 of 3").click()
    assert images.get_by_label("Notes", exact=True).input_value() == ""


def test_what_was_said_of_a_run_without_files_is_said_of_its_main_file_once_there_is_one(page):
    button(page, 0, "Star").click()
    page.evaluate(
        "gallery.store.replaceData({...gallery.store.data, cells: gallery.store.data.cells.map((cell) =>"
        "({...cell, media: ['a', 'b'].map((name) => ({name, path: 'data:,', type: 'text/plain'}))}))})"
    )

    assert [judged(page, "0/0", file)["star"] for file in ("a", "b")] == [True, False]


def exported(page) -> list[dict]:
    with page.expect_download() as download:
        page.keyboard.press("e")
    assert download.value.suggested_filename == "ratings.jsonl"
    lines = download.value.path().read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_ratings_are_exported_one_record_a_line(page):
    page.evaluate("gallery.ratings.rename('ann')")
    button(page, 2, "Star").click()
    note = "soft\n“focus”"
    patch = {"note": note, "rating": 4, "tags": ["hands", "hands"]}
    page.evaluate("(patch) => gallery.ratings.change(gallery.store.cell('0/0'), '', patch)", patch)

    first, second = exported(page)

    assert re.fullmatch(r"[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}", first.pop("id"))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", first.pop("at"))
    place = {"version": 1, "kind": "rating", "rater": "ann", "run": "sweep/0", "file": ""}
    assert first == {**place, "rating": 4, "tags": ["hands"], "star": False, "reject": False, "note": note}
    assert (second["run"], second["star"]) == ("sweep/2", True)


def write(path, list_: list[dict]):
    path.write_text("".join(json.dumps(record) + "\n" for record in list_), encoding="utf-8")
    return path


def test_exported_ratings_are_imported_elsewhere(page, tmp_path, browse):
    button(page, 2, "Reject").click()
    told = exported(page)
    told.append({**told[0], "id": "another", "run": "another sweep/9"})
    elsewhere = browse(tmp_path / "index.html")
    file = write(tmp_path / "ratings.jsonl", told)

    elsewhere.evaluate("(name) => gallery.ratings.rename(name)", page.evaluate("gallery.ratings.rater"))
    elsewhere.locator("#ratings-file").set_input_files(file)

    said(elsewhere, "Imported 1 ratings and choices; 1 are of runs that are not here")
    assert judged(elsewhere, "0/2")["reject"]
    elsewhere.locator("#ratings-file").set_input_files(file)
    said(elsewhere, "Imported 0 ratings and choices; 1 were here already")


def test_the_latest_of_two_ratings_counts_wherever_it_comes_from(page, tmp_path):
    button(page, 2, "Reject").click()
    (told,) = exported(page)
    judgement = {**told, "star": True, "reject": False}
    older = {**judgement, "id": "o", "at": "2020-01-01T00:00:00.000Z", "note": "older"}
    newer = {**judgement, "id": "n", "at": "2999-01-01T00:00:00+02:00", "note": "newer"}

    page.locator("#ratings-file").set_input_files(write(tmp_path / "older.jsonl", [older]))
    said(page, "Imported 1 ratings")
    assert judged(page, "0/2")["note"] == ""
    page.locator("#ratings-file").set_input_files(write(tmp_path / "newer.jsonl", [newer]))

    page.wait_for_function("gallery.ratings.get(gallery.store.cell('0/2'), '').note === 'newer'")


def test_others_ratings_stay_theirs_and_are_exported_with_ones_own(page, tmp_path):
    button(page, 1, "Star").click()
    (told,) = exported(page)
    file = write(tmp_path / "ben.jsonl", [{**told, "id": "b", "rater": "ben", "star": False, "rating": 2}])

    page.locator("#ratings-file").set_input_files(file)

    said(page, "Imported 1 ratings")
    assert judged(page, "0/1") == {"rating": None, "tags": [], "star": True, "reject": False, "note": ""}
    reload(page, "gallery.ratings.records().length === 2")
    assert {(each["rater"], each["rating"]) for each in exported(page)} == {(told["rater"], None), ("ben", 2)}


def test_what_no_page_of_this_version_wrote_is_left_out_and_counted(page, tmp_path):
    button(page, 1, "Star").click()
    (told,) = exported(page)
    fine = {**told, "id": "fine", "rater": "ben", "unheard of": 1}
    strange = [{"version": 2}, {"kind": "hum"}, {"rater": ""}, {"at": "soon"}, {"run": 3}]
    file = write(tmp_path / "ratings.jsonl", [fine, *({**fine, **flaw} for flaw in strange)])
    with file.open("a") as torn:
        torn.write('{"version": 1, "kind": "ra')

    page.locator("#ratings-file").set_input_files(file)

    said(page, "Imported 1 ratings and choices; 6 lines are of another version or damaged")


def test_notes_of_an_older_page_are_imported(page, tmp_path):
    button(page, 2, "Star").click()
    notes = [
        {"key": "sweep/2", "id": "0/2", "label": "run=2", "star": False, "reject": True, "text": "blurred"},
        {"key": "another sweep/9", "star": True, "text": "?"},
    ]
    file = tmp_path / "notes.json"
    file.write_text(json.dumps({"version": 1, "title": "out", "exported_at": "2026-11-23", "notes": notes}, indent=2))

    page.locator("#ratings-file").set_input_files(file)

    said(page, "Imported 1 ratings and choices; 1 are of runs that are not here")
    assert judged(page, "0/2") == {"rating": None, "tags": [], "star": False, "reject": True, "note": "blurred"}


def test_what_an_older_page_kept_in_this_browser_is_found(gallery, data):
    page = gallery(data, anew=True)
    # Before the page's own scripts, unless they have found it once.
    page.add_init_script("""
      if (localStorage.getItem("runner.ratings:sweep/1") === null) {
        localStorage.setItem("runner.note:sweep/1", '{"star": true, "reject": false, "text": "ears"}');
        localStorage.setItem("runner.note:sweep/2", "no JSON");
      }
    """)

    for _ in range(2):
        reload(page, "gallery.ratings.get(gallery.store.cell('0/1'), '').star")
        assert judged(page, "0/1") == {"rating": None, "tags": [], "star": True, "reject": False, "note": "ears"}
        assert [each["run"] for each in exported(page)] == ["sweep/1"]


@pytest.mark.parametrize("content", ["no JSON", "[]", "null", '{"version": 2, "notes": []}', '{"version": 1}', ""])
def test_a_file_that_holds_no_ratings_changes_nothing(page, tmp_path, content):
    button(page, 0, "Star").click()
    file = tmp_path / "strange.json"
    file.write_text(content)

    page.locator("#ratings-file").set_input_files(file)

    said(page, "strange.json holds no ratings")
    assert button(page, 0, "Star").get_attribute("aria-pressed") == "true"


def test_without_storage_ratings_are_kept_as_long_as_the_page(page):
    page.evaluate("() => { Storage.prototype.setItem = () => { throw new DOMException('full'); }; }")
    button(page, 0, "Star").click()

    said(page, "export the ratings before you leave")
    assert button(page, 0, "Star").get_attribute("aria-pressed") == "true"


def test_what_is_judged_in_another_window_is_seen(page):
    other = page.context.new_page()
    other.goto(page.url)
    other.wait_for_function("window.gallery")
    other.evaluate("gallery.ratings.toggle(gallery.store.cell('0/0'), '', 'star')")

    page.wait_for_function("gallery.ratings.get(gallery.store.cell('0/0'), '').star")


def test_the_rater_is_named_on_the_page_and_what_was_judged_before_is_under_that_name(page):
    button(page, 0, "Star").click()
    unnamed = page.evaluate("gallery.ratings.rater")
    assert re.fullmatch("rater-[0-9a-f]{4}", unnamed)

    page.get_by_role("button", name="Ratings", exact=True).click()
    field = page.get_by_label("Your name, as rater")
    assert field.input_value() == unnamed
    field.fill("Ann")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")

    reload(page, "gallery.ratings.get(gallery.store.cell('0/0'), '').star")
    assert [(each["rater"], each["star"]) for each in exported(page)] == [("Ann", True)]
    assert judged(page, "0/0")["star"]


def test_two_raters_of_one_browser_do_not_see_each_others_stars(page):
    page.evaluate("gallery.ratings.rename('ann')")
    button(page, 0, "Star").click()

    page.evaluate("gallery.ratings.rename('ben')")

    assert button(page, 0, "Star").get_attribute("aria-pressed") == "false"
    page.evaluate("gallery.ratings.rename('ann')")
    assert button(page, 0, "Star").get_attribute("aria-pressed") == "true"
