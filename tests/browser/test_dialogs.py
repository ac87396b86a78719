"""What lies before the grid can be read, named and reached by everybody, on a phone as well."""

from __future__ import annotations

import pytest

from .contrast import faint

VIEWS = {
    "detail": "open=0%2F0",
    "failed": "open=0%2F1",
    "compare": "compare=0%2F0+0%2F1&mode=compare2",
    "wipe": "compare=0%2F0+0%2F2&mode=wipe",
    "words": "compare=0%2F0+0%2F1&mode=words",
    "plot": "view=plot",
    "sheet": "",
    "ratings": "",
    "pairs": "pairs=true&seed=1&rank=request.size",
    "scores": "view=scores",
}
PIXEL = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///ywAAAAAAQABAAACAUwAOw=="
NAMELESS = """() => [...document.querySelectorAll("dialog[open]"),
    ...document.querySelectorAll("dialog[open] :is(button, input, select, textarea, [role=slider])")]
  .filter((one) => one.checkVisibility() && !one.getAttribute("aria-label") && !one.getAttribute("aria-labelledby")
    && !one.textContent.trim() && !(one.labels && one.labels.length))
  .map((one) => one.outerHTML)"""


@pytest.fixture
def shown(gallery, make_cell, make_page):
    """Open one of the views."""
    flatten = {"provider.kind": "emulator", "model.name": "sora-2", "request.kind": "video", "request.prompt": "a fox"}
    shown = [{"name": "a.gif", "path": PIXEL, "type": "image/gif", "poster": None}]
    cells = [
        make_cell(0, [0], prompt="a red fox in the snow", media=shown, own={**flatten, "request.size": "1x1"},
                  warnings=["resized"]),
        make_cell(1, [1], prompt="a blue fox", status="failed", group="failed", reason="refused", hint="ask otherwise",
                  own={**flatten, "request.size": "2x2"}, spent_usd=0.8, **{"continue": "python -m runner resume out"}),
        make_cell(2, [1], prompt="a blue fox", media=shown, own={**flatten, "request.size": "2x2"}),
    ]  # fmt: skip

    def open_view(name: str, **options):
        page = gallery(make_page(cells, [("request.size", ["1x1", "2x2"])]), f"#{VIEWS[name]}", **options)
        if name == "scores":
            page.evaluate("gallery.ratings.change(gallery.store.data.cells[0], 'a.gif', {rating: 4, star: true})")
            page.evaluate("""() => {
              const [left, right] = ["sweep/0", "sweep/2"].map((run) => ({run, file: "a.gif"}));
              const facts = {left, right, outcome: "left", by: "request.size", seed: 1};
              gallery.ratings.add(gallery.records.make("pair", "ann", facts));
            }""")
            page.locator("#scores table").first.wait_for()
        if name == "sheet":
            page.keyboard.press("?")
        if name == "ratings":
            page.evaluate("gallery.ratingsDialog.toggle()")  # the button is folded away on a phone
        for summary in page.locator("dialog[open] summary, #plot summary").all():
            summary.click()
        return page

    return open_view


WIDE = """() => [...document.querySelectorAll("dialog[open] *, #plot *, #scores *, #transport *")]
  .filter((one) => one.checkVisibility() && !one.closest("pre, .scroller, .command, svg, .wipe-stage, .unseen"))
  .filter((one) => one.getBoundingClientRect().right > innerWidth + 1)
  .map((one) => one.outerHTML.slice(0, 200))"""


@pytest.mark.parametrize("view", VIEWS)
def test_all_text_has_the_contrast_of_wcag_every_control_a_name_and_nothing_is_wider_than_a_phone(shown, view):
    page = shown(view)
    for theme in ("light", "dark"):
        page.evaluate("(theme) => { document.documentElement.dataset.theme = theme; }", theme)
        assert faint(page, "dialog[open] *, #plot *, #scores *, #transport *") == {}, theme
    assert page.evaluate(NAMELESS) == []
    page.set_viewport_size({"width": 360, "height": 740})
    page.wait_for_function(f"({WIDE})().length === 0")


@pytest.mark.parametrize("view", VIEWS)
def test_on_a_phone_in_the_dark_all_text_has_contrast_and_nothing_is_too_wide(shown, view):
    page = shown(view, width=360, height=740, color_scheme="dark")
    assert page.evaluate(WIDE) == []
    assert faint(page, "dialog[open] *, #plot *, #scores *, #transport *") == {}


@pytest.mark.parametrize("view", ["detail", "compare", "wipe", "words", "sheet", "ratings", "pairs"])
def test_tab_stays_within_a_dialog_and_escape_leaves_it(shown, view):
    page = shown(view)
    for _ in range(12):
        page.keyboard.press("Tab")
        assert page.evaluate(
            "document.activeElement === document.body || !!document.activeElement.closest('dialog[open]')"
        )

    page.keyboard.press("Escape")

    page.locator("dialog[open]").wait_for(state="detached")
