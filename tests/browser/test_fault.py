"""Files that a browser cannot show: which of three reasons it is, the poster stays, and the file is offered."""

from __future__ import annotations

from typing import Any

import av
import numpy as np
import pytest

VIDEO = {"type": "video/mp4", "width": 320, "height": 180, "seconds": 2.0, "fps": 24.0, "video_codec": "h264"}
PNG = {"type": "image/png", "poster": None, "width": 16, "height": 9}
SHOWN = "[...document.querySelectorAll('.lost img')].map((image) => image.getAttribute('src'))"
POSTER = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' width='4' height='3'/%3E"


@pytest.fixture
def film(tmp_path):
    """Write noise for two seconds in a codec, as `film(name, codec)`."""

    def write(name: str, codec: str = "libx264"):
        noise = np.random.default_rng(0)
        with av.open(tmp_path / name, "w", options={"movflags": "+faststart"}) as container:
            # Any: PyAV knows the stream's class only for codecs that it has in a list.
            stream: Any = container.add_stream(codec, rate=24)
            stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
            for _ in range(48):
                frame = av.VideoFrame.from_ndarray(noise.integers(0, 255, (180, 320, 3), dtype=np.uint8))
                container.mux(stream.encode(frame.reformat(format="yuv420p")))
            container.mux(stream.encode())
        return tmp_path / name

    return write


@pytest.fixture
def showing(browse, make_cell, make_page, rewrite, tmp_path):
    """Open a page of one run with a file beside it, as `showing({"path": …})`."""

    def show(media, hash_=""):
        data = make_page([make_cell(0, [], media=[media])])
        return browse(rewrite(tmp_path / "index.html", data), hash_, complains=True)

    return show


def said(page) -> str:
    page.locator(".flaw").first.wait_for()
    return page.locator(".flaw").first.inner_text()


def test_a_file_that_is_not_there_is_called_missing_and_keeps_its_poster(showing):
    page = showing({**VIDEO, "path": "0/gone.mp4", "poster": POSTER})
    assert said(page) == "The file is not there: 0/gone.mp4"
    assert page.evaluate(SHOWN) == [POSTER]


def test_an_image_that_is_not_there_is_called_missing(showing):
    assert said(showing({**PNG, "path": "0/gone.png"})) == "The file is not there: 0/gone.png"


def test_a_codec_that_the_browser_lacks_is_named_and_the_file_is_offered(showing, film):
    film("old.mp4", "mpeg4")
    page = showing({**VIDEO, "path": "old.mp4", "video_codec": "mpeg4", "poster": POSTER})
    assert said(page).startswith("This browser cannot decode MPEG-4.")
    assert page.evaluate(SHOWN) == [POSTER]
    assert page.get_by_role("link", name="Open the file").first.get_attribute("href") == "old.mp4"


def test_what_is_no_video_is_called_damaged(showing, tmp_path):
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    assert said(showing({**VIDEO, "path": "broken.mp4", "poster": POSTER})).startswith("Damaged: broken.mp4")


def test_what_is_no_image_is_called_damaged(showing, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"no image")
    assert said(showing({**PNG, "path": "broken.png"})).startswith("Damaged: broken.png")


def test_a_video_that_was_cut_off_says_so_when_it_stops(showing, film):
    whole = film("whole.mp4").read_bytes()
    film("whole.mp4").with_name("cut.mp4").write_bytes(whole[: len(whole) // 2])
    page = showing({**VIDEO, "path": "cut.mp4", "poster": POSTER}, "#open=0/0")
    page.keyboard.press("Space")
    page.locator("#detail .flaw").wait_for()
    assert page.locator("#detail .flaw").inner_text().startswith("Damaged: ")


def test_a_file_in_the_page_that_cannot_be_played_is_said_without_its_content(showing):
    inside = {"path": "data:video/mp4;base64,AAAAAAAA", "type": "video/mp4", "poster": None}
    assert said(showing(inside)).startswith("Damaged: video/mp4 that cannot be decoded.")
