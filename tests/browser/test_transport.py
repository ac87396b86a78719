"""Videos really play: all by one clock, at every speed, and only where they are seen."""

from __future__ import annotations

import pytest

from .playing import ENOUGH, GRID, astray

VISIBLE = f"const visible = {GRID};"
# How far each visible video is from the clock, or from its own end if that comes first.
ASTRAY = f"""() => {{ {VISIBLE}
  const {{ position }} = gallery.transport;
  return visible().map((video) => Math.abs(video.currentTime - Math.min(position, video.duration)));
}}"""
TOGETHER = f"""() => {{ {VISIBLE}
  const {{ position, gathering }} = gallery.transport;
  const videos = visible();
  return !gathering && videos.length > 0
    && videos.every((v) => !v.seeking && Math.abs(v.currentTime - Math.min(position, v.duration)) <= 0.1);
}}"""
FOUR = {"width": 800, "height": 450}
"""A window in which two videos of each length are in view: to play costs CPU for each of them."""
SETTLED = f"() => {{ {VISIBLE} return visible().every((v) => v.paused && !v.seeking && v.readyState >= 2); }}"


def ready(page):
    page.wait_for_function("document.querySelectorAll('#grid video').length > 3")
    return page


def advanced(page, seconds: float) -> None:
    """Wait until so much of the videos has been played, over rounds of the loop."""
    page.evaluate("window.played = 0; window.before = gallery.transport.position")
    page.wait_for_function(
        """(seconds) => {
          const now = gallery.transport.position, step = now - window.before;
          window.before = now;
          window.played += step >= -0.1 ? step : step + gallery.transport.length;
          return window.played >= seconds;
        }""",
        arg=seconds,
    )


@pytest.mark.parametrize("speed", [0.5, 1, 2])
def test_all_visible_videos_keep_together_at_every_speed(browse, videos, speed):
    page = ready(browse(videos))
    page.evaluate("(speed) => gallery.transport.speed(speed)", speed)
    page.get_by_role("button", name="Play", exact=True).click()

    advanced(page, 1.3 * speed)

    assert astray(page) <= ENOUGH
    assert page.evaluate("gallery.transport.playing")
    page.wait_for_function(f"() => {{ {VISIBLE} return visible().some((video) => !video.paused); }}")


@pytest.mark.parametrize("mishap", ["video.currentTime += 0.6", "video.currentTime -= 0.15", "video.pause()"])
def test_a_video_that_goes_astray_is_brought_back(browse, videos, mishap):
    page = ready(browse(videos, **FOUR))
    page.evaluate("gallery.transport.speed(0.25)")
    page.evaluate("gallery.transport.toggle()")
    page.wait_for_function("!gallery.transport.gathering && gallery.transport.position > 0.3")
    longer = f"{VISIBLE} const video = visible().find((video) => video.duration > 1.5)"
    page.evaluate(f"() => {{ {longer}; {mishap}; window.astray = video; }}")

    page.wait_for_function("!window.astray.paused")
    page.wait_for_function(TOGETHER, timeout=4000)  # before the loop begins again with all
    assert page.evaluate("gallery.transport.position") > 0.3
    assert astray(page) <= ENOUGH
    assert page.evaluate("!window.astray.paused && gallery.transport.playing")


def test_after_a_standstill_of_the_machine_the_clock_goes_back_to_the_videos_and_none_is_sought(browse, videos):
    page = ready(browse(videos, **FOUR))
    page.evaluate("gallery.transport.toggle()")
    page.wait_for_function(
        f"""() => {{ {VISIBLE}
          const {{ position, gathering }} = gallery.transport, real = performance.now.bind(performance);
          if (gathering || position < 0.3 || position > 0.5) return false;
          window.sought = 0;
          window.stood = position;
          visible().forEach((video) => video.addEventListener("seeking", () => (window.sought += 1)));
          performance.now = () => real() + 700;  // time in which the videos did not go on
          return true;
        }}"""
    )

    page.wait_for_function(f"() => {{ {VISIBLE} return visible().some((v) => v.currentTime > window.stood + 0.3); }}")

    assert page.evaluate("window.sought") == 0
    assert astray(page) <= ENOUGH


def test_a_shorter_video_waits_on_its_last_frame_for_the_longest(browse, videos):
    page = ready(browse(videos, **FOUR))
    page.evaluate("gallery.transport.seek(1.2)")
    page.evaluate("gallery.transport.toggle()")
    advanced(page, 0.3)

    left = "visible().filter((v) => v.duration < 1.5).map((v) => [v.paused, v.duration - v.currentTime])"
    short = page.evaluate(f"{VISIBLE} {left}")

    assert page.evaluate("gallery.transport.length") == pytest.approx(2, abs=0.1)
    assert short
    assert all(paused and left < 0.1 for paused, left in short)


def test_the_loop_begins_again_with_all(browse, videos):
    page = ready(browse(videos, **FOUR))
    page.evaluate("gallery.transport.seek(1.9)")
    page.evaluate("gallery.transport.toggle()")

    page.wait_for_function("gallery.transport.position > 0.3 && gallery.transport.position < 1.5")

    assert astray(page) <= ENOUGH
    assert page.evaluate("gallery.transport.playing")


def test_without_the_loop_it_stops_at_the_end_and_plays_again_from_the_beginning(browse, videos):
    page = ready(browse(videos, **FOUR))
    page.get_by_role("button", name="Loop").click()
    page.evaluate("gallery.transport.seek(1.8)")
    page.evaluate("gallery.transport.toggle()")

    page.wait_for_function("!gallery.transport.playing")
    assert page.evaluate("gallery.transport.position === gallery.transport.length")

    page.evaluate("gallery.transport.toggle()")
    page.wait_for_function("gallery.transport.position > 0.1 && gallery.transport.position < 1.5")


def test_scrubbing_shows_the_moment_in_every_video(browse, videos):
    page = ready(browse(videos, **FOUR))
    page.get_by_label("Position", exact=True).fill("0.75")
    page.wait_for_function(SETTLED)

    assert max(page.evaluate(ASTRAY)) < 0.01
    assert page.locator("#transport .time").inner_text() == "0.8 / 2.0 s"
    assert page.get_by_label("Position", exact=True).get_attribute("aria-valuetext") == "0.8 of 2.0 seconds"


def test_a_step_is_one_frame_in_every_video(browse, videos):
    page = ready(browse(videos, **FOUR))
    fps = page.evaluate("gallery.store.data.cells.find((cell) => cell.media.length).media[0].fps")
    page.evaluate("gallery.transport.seek(0.5)")
    page.get_by_role("button", name="One frame on").click()
    page.get_by_role("button", name="One frame on").click()
    page.get_by_role("button", name="One frame back").click()
    page.wait_for_function(SETTLED)

    expected = (round(0.5 * fps) + 1) / fps
    assert page.evaluate("gallery.transport.position") == pytest.approx(expected)
    assert page.evaluate(f"{VISIBLE} visible().map((v) => v.currentTime)") == pytest.approx(
        [expected + 0.001] * len(page.evaluate(ASTRAY)), abs=0.0005
    )


def test_nothing_is_loaded_before_it_is_played_and_posters_stand_until_then(browse, videos):
    page = ready(browse(videos))
    everything = "[...document.querySelectorAll('#grid video')]"

    assert page.evaluate(f"{everything}.every((video) => video.poster && !video.hasAttribute('src'))")

    page.evaluate("gallery.transport.toggle()")
    page.wait_for_function(f"{everything}.some((video) => video.readyState >= 2)")


def test_only_visible_videos_play_and_those_that_come_into_view_join_in(browse, videos):
    page = ready(browse(videos, width=700, height=420))
    page.evaluate("gallery.transport.toggle()")
    advanced(page, 0.3)
    page.wait_for_function(TOGETHER)
    hidden = f"{VISIBLE} [...document.querySelectorAll('#grid video')].filter((video) => !visible().includes(video))"
    assert page.evaluate(f"{hidden}.length > 0")
    assert page.evaluate(f"{hidden}.every((video) => video.paused)")

    page.evaluate("gallery.grid.focus('0/7')")
    advanced(page, 0.3)

    assert astray(page) <= ENOUGH
    assert page.evaluate(f"{hidden}.every((video) => video.paused)")


def test_one_video_at_most_is_heard(browse, videos):
    page = ready(browse(videos))
    tiles = "[...document.querySelectorAll('#grid [data-id]:has(video)')]"
    heard = f"{tiles}.filter((tile) => !tile.querySelector('video').muted).map((tile) => tile.dataset.id)"
    assert page.evaluate(heard) == []

    page.evaluate("gallery.transport.unmute('0/0')")
    assert page.evaluate(heard) == ["0/0"]
    page.evaluate("gallery.transport.unmute('0/1')")
    assert page.evaluate(heard) == ["0/1"]
    page.get_by_role("button", name="Mute").click()
    assert page.evaluate(heard) == []


def test_the_speed_is_kept_to(browse, videos):
    page = ready(browse(videos, **FOUR))
    page.get_by_label("Speed").select_option("0.25")
    page.evaluate("gallery.transport.toggle()")
    page.wait_for_function("!gallery.transport.gathering && gallery.transport.position > 0.1")

    # The median of five: where the machine stands still, the clock waits for the videos.
    rates = page.evaluate(
        """() => new Promise((done) => {
          const rates = [];
          let begin = [performance.now(), gallery.transport.position];
          const look = () => {
            const now = [performance.now(), gallery.transport.position];
            if (now[0] - begin[0] >= 600) {
              rates.push((now[1] - begin[1]) / (now[0] - begin[0]) * 1000);
              begin = now;
            }
            if (rates.length < 5) requestAnimationFrame(look);
            else done(rates);
          };
          look();
        })"""
    )

    assert sorted(rates)[2] == pytest.approx(0.25, abs=0.06)


@pytest.fixture
def pictures(make_cell, make_page):
    path = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' width='1024' height='1024'/%3E"
    media = [{"name": "image.svg", "path": path, "type": "image/svg+xml", "poster": None}]
    cells = [make_cell(number, [number % 4, number // 4], media=media) for number in range(8)]
    return make_page(cells, [("model", ["a", "b", "c", "d"]), ("request.prompt", ["a red fox", "a blue whale"])])


def test_pictures_zoom_and_move_together_and_come_back(gallery, pictures):
    page = gallery(pictures)
    page.wait_for_selector("#grid img")
    transforms = "[...document.querySelectorAll('#grid img')].map((i) => getComputedStyle(i).transform.split(',')[0])"
    matrices = f"() => [...new Set({transforms})]"
    page.locator("#grid img").first.hover()
    page.keyboard.down("Control")
    page.mouse.wheel(0, -120)
    page.keyboard.up("Control")

    assert page.evaluate("gallery.zoom.scale") > 1.5
    assert len(page.evaluate(matrices)) == 1
    before = page.evaluate("document.documentElement.style.getPropertyValue('--zoom-x')")
    page.mouse.down()
    page.mouse.move(*offset(page, 30), steps=4)
    page.mouse.up()
    assert page.evaluate("document.documentElement.style.getPropertyValue('--zoom-x')") != before

    page.get_by_role("button", name="Reset zoom").click()
    assert page.evaluate(matrices) == ["matrix(1"]


def offset(page, by: int) -> tuple[float, float]:
    box = page.locator("#grid img").first.bounding_box()
    return box["x"] + box["width"] / 2 + by, box["y"] + box["height"] / 2 + by


def test_a_bare_wheel_scrolls_the_grid_and_zooms_nothing(gallery, pictures):
    page = gallery(pictures, height=420)
    page.wait_for_selector("#grid img")
    page.locator("#grid img").first.hover()
    page.mouse.wheel(0, 200)

    page.wait_for_function("document.getElementById('grid').scrollTop > 0")
    assert page.evaluate("gallery.zoom.scale") == 1
