"""The page for those who do not see or point: axe finds nothing, keys reach every region, and paper shows the runs."""

from __future__ import annotations

from itertools import product

import pytest

PICTURE = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' width='16' height='9'/%3E"
AXES = [("request.prompt", ["a red fox", "a blue whale"]), ("model", ["sora-2", "sora-2-pro"]),
        ("request.duration_seconds", [4, 8])]  # fmt: skip
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.fixture
def data(make_cell, make_page):
    """Runs of every state in two tabs, of whom one has two files and one a long reason."""
    groups = ["done", "done", "failed", "uncertain", "generating", "queued", "done", "downloading"]
    image = {"type": "image/svg+xml", "poster": None, "width": 16, "height": 9, "bytes": 70, "sha256": "ab" * 32}
    files = [{**image, "name": f"image-{number}.svg", "path": f"{PICTURE}#{number}"} for number in range(2)]
    cells = []
    for number, (place, group) in enumerate(zip(product(range(2), repeat=3), groups, strict=True)):
        media = {0: files, 1: files[:1]}.get(number, [])
        reason = "The provider's filter refused it. " * 20 if group in ("failed", "uncertain") else None
        facts = {"group": group, "media": media, "reason": reason, "own": {"request.size": f"{number}x1"}}
        cells.append(
            make_cell(number, place, hint="Ask otherwise.", **facts, **{"continue": "python -m runner resume out"})
        )
    return make_page(cells, AXES)


@pytest.fixture
def violations():
    """What axe finds on a page, as texts."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    options = {"runOnly": RULES, "resultTypes": ["violations"]}

    def find(page) -> list[str]:
        page.evaluate("document.getAnimations().forEach((one) => one.finish())")
        if page.evaluate("!window.axe"):  # half a megabyte, once for a page
            page.evaluate(axe.Axe().axe_script)
        found = page.evaluate("async (options) => (await axe.run(options)).violations", options)
        return [f"{one['id']}: {node['html'][:160]} {node['failureSummary']}" for one in found for node in one["nodes"]]

    return find


VIEWS = [
    "", "#x=&y=&tab=", "#view=plot", "#view=plot&by=cost&hue=model", "#open=0/0", "#open=0/2", "#view=scores",
    "#compare=0/0+0/1&mode=compare2", "#compare=0/0+0/1&mode=wipe", "#compare=0/0+0/2&mode=words", "#pairs=true&seed=1",
]  # fmt: skip


@pytest.mark.parametrize("view", VIEWS)
def test_axe_finds_nothing(gallery, data, violations, view):
    page = gallery(data, view, color_scheme="dark")
    assert violations(page) == []
    page.evaluate("document.documentElement.dataset.theme = 'light'")
    assert violations(page) == []


def test_axe_finds_nothing_on_a_phone(gallery, data, violations):
    page = gallery(data, width=390, height=844, has_touch=True, is_mobile=True)
    assert violations(page) == []
    page.get_by_role("button", name="View and filter").click()
    assert violations(page) == []


@pytest.mark.parametrize("view", ["", "#view=plot", "#view=scores"])
def test_there_is_one_main_landmark_also_where_there_are_tabs(gallery, data, view):
    page = gallery(data, view)
    assert page.get_by_role("main").count() == 1
    assert page.get_by_role("tabpanel").count() == 1


@pytest.mark.parametrize("view", ["", "#open=0/2", "#view=plot", "#compare=0/0+0/2&mode=words"])
def test_every_region_that_scrolls_is_reached_by_the_keyboard(gallery, data, view):
    page = gallery(data, view, height=400)
    unreached = """() => {
      const all = document.querySelectorAll(document.querySelector("dialog[open]") ? "dialog[open] *" : "*");
      return [...all].filter((one) => {
      const { overflowX, overflowY } = getComputedStyle(one);
      const scrolls = (/auto|scroll/.test(overflowY) && one.scrollHeight > one.clientHeight + 1)
        || (/auto|scroll/.test(overflowX) && one.scrollWidth > one.clientWidth + 1);
      const within = one.querySelector("a, button, input, select, textarea, [tabindex='0']");
      return scrolls && one.clientHeight && one.tabIndex < 0 && !within && !one.closest(".tile, dialog:not([open])");
      }).map((one) => one.outerHTML.slice(0, 120));
    }"""
    assert page.evaluate(unreached) == []


def test_the_title_says_how_far_a_sweep_is(gallery, data):
    data.update(complete=False, title="fox sweep")
    data["totals"].update(done=3, runs=8)
    page = gallery(data)
    assert page.title() == "3/8 · fox sweep"
    page.evaluate("gallery.store.replaceData({...gallery.store.data, complete: true})")
    assert page.title() == "fox sweep"


def test_the_page_has_an_icon_that_asks_no_network(gallery, data):
    page = gallery(data)
    assert page.locator("link[rel=icon]").get_attribute("href").startswith("data:image/svg+xml")


def test_every_file_of_a_run_can_be_downloaded(gallery, data):
    page = gallery(data, "#open=0/0")
    links = page.get_by_role("link", name="Download")
    assert links.count() == 2
    assert all(link.get_attribute("download") for link in links.all())


def test_on_paper_all_runs_that_are_shown_stand_without_controls(gallery, make_cell, make_page):
    cells = [make_cell(number, [number // 2, number % 2]) for number in range(40)]
    page = gallery(
        make_page(cells, [("request.seed", list(range(20))), ("model", ["one", "two"])]), color_scheme="dark"
    )
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator(".tile").count() == 40
    assert not page.locator("#transport").is_visible()
    assert not page.locator("#toolbar").is_visible()
    assert page.evaluate("document.documentElement.scrollHeight") > 2000
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    page.emulate_media(media="screen")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    page.wait_for_function("document.querySelectorAll('.tile').length < 40")
