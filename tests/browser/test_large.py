"""Thousands of runs: only those in or near view are in the document, and moving makes only what comes near."""

from __future__ import annotations

import pytest

NEAR = 200
"""More tiles than that are more than is in or near a view of 1280 × 800."""


@pytest.fixture
def many(make_cell, make_page):
    """Data of a sweep over `down` seeds and `across` durations."""

    def build(down, across):
        axes = [("request.seed", list(range(down))), ("request.duration_seconds", list(range(across)))]
        cells = [make_cell(number, divmod(number, across)) for number in range(down * across)]
        return make_page(cells, axes)

    return build


def tiles(page):
    return page.locator(".tile").count()


def made(page, pixels, steps=12):
    """Return the most tiles that came into the document in one frame, with so many pixels scrolled in each."""
    return page.evaluate(
        """async ([pixels, steps]) => {
            const grid = document.getElementById("grid");
            const next = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
            let count = 0;
            const observer = new MutationObserver((changes) => {
                for (const {addedNodes} of changes) {
                    for (const node of addedNodes) {
                        if (node instanceof Element) {
                            count += node.matches(".tile") + node.querySelectorAll(".tile").length;
                        }
                    }
                }
            });
            observer.observe(grid, {childList: true, subtree: true});
            const found = [];
            for (let step = 0; step < steps; step += 1) {
                grid.scrollTop += pixels;
                await next();
                found.push(count);
                count = 0;
            }
            observer.disconnect();
            return found;
        }""",
        [pixels, steps],
    )


@pytest.mark.parametrize(("down", "across"), [(125, 8), (1250, 8), (100, 100)])
def test_only_what_is_near_is_in_the_document_and_scrolling_makes_only_what_comes_near(gallery, many, down, across):
    page = gallery(many(down, across))
    assert 0 < tiles(page) < NEAR
    found = made(page, 400)
    assert 0 < max(found) < tiles(page) < NEAR, "all of them were made anew in one frame"
    assert page.get_by_role("grid").get_attribute("aria-rowcount") == str(down + 1)


def test_the_last_of_ten_thousand_is_reached_at_once(gallery, many):
    page = gallery(many(1250, 8))
    page.evaluate("gallery.grid.focus('0/9999')")
    assert page.evaluate("document.activeElement.dataset.id") == "0/9999"
    assert page.evaluate("gallery.grid.neighbour('0/9999', 0, -1)") == "0/9991"
    assert page.locator('.tile[data-id="0/9999"]').is_visible()


def test_a_list_of_ten_thousand_is_filtered_and_sorted_with_only_what_is_near_in_the_document(gallery, many):
    page = gallery(many(1250, 8), "#x=&y=")
    for find in ("1", "12", "123", ""):
        page.evaluate("(find) => gallery.store.set({find, sort: 'latency'})", find)
        assert 0 < tiles(page) < NEAR


def test_a_filter_does_not_go_through_the_files_that_are_embedded_in_runs(gallery, many):
    page = gallery(many(4, 4))
    page.evaluate("gallery.store.data.cells.forEach((cell) => { cell.toJSON = () => { window.walked = true; }; })")
    page.evaluate("for (const find of ['p', 'prompt', '']) gallery.store.set({find})")
    assert tiles(page) == 16
    assert page.evaluate("window.walked") is None


def test_the_focused_run_keeps_its_place_in_the_document_while_others_leave(gallery, many):
    page = gallery(many(125, 8))
    page.evaluate("gallery.grid.focus('0/0')")
    page.evaluate("document.getElementById('grid').scrollTo(0, 9000)")
    page.wait_for_function("!document.querySelector('[data-id=\"0/24\"]') && gallery.grid.mounted().next().value")
    assert page.evaluate("document.activeElement.dataset.id") == "0/0"


def test_what_leaves_the_view_gives_its_video_back(browse, videos):
    page = browse(videos, "#size=640", height=600)
    page.evaluate("window.first = document.querySelector('video')")
    page.evaluate("document.getElementById('grid').scrollTo(0, 1e6)")
    page.wait_for_function("!window.first.isConnected")
    assert page.evaluate("first.currentSrc === '' || first.networkState === first.NETWORK_EMPTY")
