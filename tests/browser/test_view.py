"""The page that `view` serves, in a browser: what is judged is on the disk, others see it, and videos can be sought."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.view.conftest import place, serve  # noqa: F401 - fixtures


@pytest.fixture
def open_page(chromium: Any):
    """Open an address in a window of its own, with the page's own policy; whatever it complains of fails the test."""
    complaints: list[str] = []
    contexts = []

    def open_(address: str) -> Any:
        context = chromium.new_context()
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text) if message.type != "log" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(address)
        page.locator("#grid [data-id]").first.wait_for()
        return page

    yield open_
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture(scope="module")
def address(serve, place: Path) -> str:  # noqa: F811
    """Where the page of one of two sweeps is, of two videos."""
    server = serve("outputs/one", "outputs/two", "--rater", "ann", here=place)
    found = re.search(r'<a href="(\w+/)">outputs/two', server.ask().body.decode())
    assert found is not None
    return f"http://127.0.0.1:{server.port}{server.root}{found[1]}"


def test_a_star_is_on_the_disk_and_on_other_peoples_pages(open_page, address: str, place: Path) -> None:  # noqa: F811
    mine, others = open_page(address), open_page(address)
    tile = mine.locator("#grid [data-id='0/0']")
    tile.hover()
    tile.get_by_role("button", name="Star", exact=True).click()
    star = others.locator("#grid [data-id='0/0']").get_by_role("button", name="Star", exact=True)
    for page in (mine, others):
        page.locator("#grid [data-id='0/0'] button[aria-pressed='true']").first.wait_for(state="attached")
    assert star.get_attribute("aria-pressed") == "true"
    (line,) = (place / "outputs" / "two" / "ratings.jsonl").read_text().splitlines()
    assert (json.loads(line)["rater"], json.loads(line)["star"]) == ("ann", True)


def test_a_page_leads_back_to_the_list_of_sweeps(open_page, address: str) -> None:
    page = open_page(address)
    page.get_by_role("link", name="Sweeps", exact=True).click()
    page.get_by_role("heading", name="Sweeps and runs").wait_for()
    assert page.locator("link[rel=icon]").get_attribute("href").startswith("data:image/svg+xml,")
    page.get_by_role("link", name="outputs/one").click()
    page.get_by_role("link", name="Sweeps", exact=True).wait_for()
    assert page.locator("#grid .slot").count() == 2


def test_a_video_plays_from_where_it_is_sought(open_page, address: str) -> None:
    page = open_page(address)
    sought = page.evaluate("""async () => {
      const video = document.createElement("video");
      video.src = gallery.store.data.cells[0].media[0].path;
      document.body.append(video);
      await new Promise((done) => video.addEventListener("loadedmetadata", done));
      video.currentTime = 2;
      await new Promise((done) => video.addEventListener("seeked", done));
      return [video.currentTime, video.seekable.end(0) >= 2, video.error];
    }""")
    assert sought == [2, True, None]
