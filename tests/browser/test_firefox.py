"""In Firefox, too, videos keep together, one is wiped over the other, and pairs are judged blind."""

from __future__ import annotations

import importlib.util
import shutil

import pytest

from .firefox import started
from .playing import ENOUGH, GRID, OVERLAY, astray

NAMES = ("firefox-esr", "firefox")
CODEC = """document.createElement("video").canPlayType('video/mp4; codecs="avc1.42E01E"')"""


@pytest.fixture(scope="module")
def firefox(tmp_path_factory):
    if importlib.util.find_spec("marionette_driver") is None:
        pytest.skip("no tests in Firefox: the package marionette-driver is not installed")
    program = next((found for name in NAMES if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip(f"no tests in Firefox: neither of {', '.join(NAMES)} is installed")
    with started(program, tmp_path_factory.mktemp("firefox") / "log") as page:
        if not page.evaluate(CODEC):
            pytest.skip("no tests in Firefox: it has no H.264 here; libavcodec is missing")
        yield page


@pytest.fixture(scope="module")
def place(clips, make_cell, make_page, rewrite, tmp_path_factory):
    """A page of two models' videos, of 1 and 2 seconds."""
    cells = [
        make_cell(number, [number], prompt="a red fox", model=f"model-{number}", media=[media])
        for number, media in enumerate(clips[:2])
    ]
    data = make_page(cells, [("model.name", ["model-0", "model-1"])])
    return rewrite(tmp_path_factory.mktemp("page") / "index.html", data)


def test_videos_keep_together_and_step_by_frames(firefox, place):
    firefox.open(place)
    firefox.wait_for("document.querySelectorAll('#grid video').length === 2")
    firefox.click("#transport [aria-label='Play']")
    firefox.wait_for("!gallery.transport.gathering && gallery.transport.position > 0.2")

    assert astray(firefox, GRID) <= ENOUGH

    firefox.press("SPACE")
    firefox.evaluate("gallery.transport.seek(0.5)")
    firefox.press(".", ".", ",")
    settled = "every((video) => video.paused && !video.seeking && video.readyState >= 2)"
    firefox.wait_for(f"({GRID})().{settled}")
    fps = firefox.evaluate("gallery.store.cell('0/0').media[0].fps")
    times = firefox.evaluate(f"({GRID})().map((video) => video.currentTime)")
    assert times == pytest.approx([(round(0.5 * fps) + 1) / fps + 0.001] * 2, abs=0.0005)


def test_the_wipe_moves_by_pointer_and_keys_while_both_play(firefox, place):
    firefox.open(place, "#compare=0/0+0/1&mode=wipe")
    share = "document.querySelector('.wipe-handle').ariaValueNow"
    left, top, width = firefox.evaluate(
        "(({left, top, width}) => [left, top, width])(document.querySelector('.wipe-stage').getBoundingClientRect())"
    )
    firefox.drag((left + width * 0.4, top + 40), (left + width * 0.75, top + 60))
    assert firefox.evaluate(share) == "75"
    firefox.press("HOME", "PAGE_UP", "ARROW_RIGHT", "ARROW_LEFT")
    assert firefox.evaluate(share) == "10"
    assert "90%" in firefox.evaluate("getComputedStyle(document.querySelector('.wipe-upper')).clipPath")

    firefox.press("SPACE")
    firefox.wait_for("!gallery.transport.gathering && gallery.transport.position > 0.1")
    assert astray(firefox, OVERLAY) <= ENOUGH


def test_pairs_are_judged_blind_by_keys(firefox, place):
    firefox.open(place, "#pairs=true&seed=7")
    firefox.wait_for(
        "[...document.querySelectorAll('#pairing video')].filter((one) => one.readyState >= 2).length === 2"
    )
    names = "[...document.querySelectorAll('#pairing figcaption .what')].map((one) => one.textContent)"
    assert firefox.evaluate(names) == ["", ""]
    assert firefox.evaluate("document.querySelectorAll('#pairing video[poster]').length") == 0

    firefox.press("ARROW_LEFT")
    told = firefox.evaluate(names)
    assert sorted(name for text in told for name in ("model-0", "model-1") if name in text) == ["model-0", "model-1"]
    (record,) = firefox.evaluate("gallery.ratings.records()")
    chosen = firefox.evaluate(f"gallery.store.data.cells.find(({{key}}) => key === '{record['left']['run']}').model")
    assert record["outcome"] == "left"
    assert chosen in told[0]

    firefox.press("BACK_SPACE")
    assert firefox.evaluate("document.querySelector('.pair-progress output').textContent") == "0 of 1 pairs"
